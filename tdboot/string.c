/* SPDX-License-Identifier: MIT */
/* The four functions that compilers call on their own (no header declares them for us). */
#include <stddef.h>
#include <stdint.h>

#include "tdboot/cpu_insn.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	const uint8_t *from = src;
	uint8_t *to = rep_movsq(dst, &from, n / 8);

	rep_movsb(to, from, n % 8);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	const uint8_t *from = src;
	uint8_t *to = dst;

	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return memcpy(dst, src, n);
	while (n-- > 0)
		to[n] = from[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	uint8_t byte = (uint8_t)c;
	uint8_t *to = rep_stosq(dst, byte * UINT64_C(0x0101010101010101), n / 8);

	rep_stosb(to, byte, n % 8);
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a;
	const uint8_t *y = b;

	for (size_t i = 0; i < n; i++) {
		if (x[i] != y[i])
			return x[i] - y[i];
	}
	return 0;
}
