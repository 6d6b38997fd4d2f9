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
