/* SPDX-License-Identifier: MIT */
#include "core/string.h"

bool string_copy(char *dst, size_t size, const char *src)
{
	size_t length = strlen(src);
	bool fits = length < size;
	size_t n = fits ? length : size - 1;

	memcpy(dst, src, n);
	dst[n] = '\0';
	return fits;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

bool string_to_number(const char *at, size_t length, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned digit = digit_value(at[i]);

		if (digit >= base || digit > max || value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	*out = value;
	return length > 0;
}
