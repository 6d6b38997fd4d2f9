/* SPDX-License-Identifier: MIT */
/* The part of <string.h> that the kernel needs; hosted builds bind the C library's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* Copies at most size-1 characters and terminates; false if it had to cut. */
bool string_copy(char *dst, size_t size, const char *src);
