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

bool string_to_number(const char *s, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		unsigned digit = digit_value(*s);

		if (digit >= base || digit > max || value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	*out = value;
	return true;
}

char *string_next_word(char **list, const char *separators)
{
	char *word = *list;

	while (*word != '\0' && strchr(separators, *word) != NULL)
		word++;
	*list = word;
	while (**list != '\0' && strchr(separators, **list) == NULL)
		++*list;
	if (**list != '\0')
		*(*list)++ = '\0';
	return *word != '\0' ? word : NULL;
}
