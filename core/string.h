/* SPDX-License-Identifier: MIT */
/* The part of <string.h> that the kernel needs; hosted builds bind the C library's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* Copies at most size-1 characters and terminates; false if it had to cut. */
bool string_copy(char *dst, size_t size, const char *src);

/* The number that the whole text makes, in base 10 or 16, at most `max`; else false. */
bool string_to_number(const char *s, unsigned base, uint64_t max, uint64_t *out);

/* Cuts the next word off *list, where any of `separators` divide words; NULL at its end. */
char *string_next_word(char **list, const char *separators);
