/* SPDX-License-Identifier: MIT */
/* Instructions that tdboot's C needs and C has no words for. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static inline void cpu_pause(void) { __asm__ volatile("pause"); }

/* Ascending; DF is clear. Returns behind the last byte written. */
static inline uint8_t *rep_movsq(uint8_t *dst, const uint8_t **src, size_t quads)
{
	__asm__ volatile("rep movsq" : "+D"(dst), "+S"(*src), "+c"(quads) : : "memory");
	return dst;
}

static inline void rep_movsb(uint8_t *dst, const uint8_t *src, size_t bytes)
{
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(bytes) : : "memory");
}

static inline uint8_t *rep_stosq(uint8_t *dst, uint64_t value, size_t quads)
{
	__asm__ volatile("rep stosq" : "+D"(dst), "+c"(quads) : "a"(value) : "memory");
	return dst;
}

static inline void rep_stosb(uint8_t *dst, uint8_t value, size_t bytes)
{
	__asm__ volatile("rep stosb" : "+D"(dst), "+c"(bytes) : "a"(value) : "memory");
}
