/* SPDX-License-Identifier: MIT */
/* What kernel, loader and tdboot know of printf. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "core/compiler.h"

/* vsnprintf subset: d u x s c %, flags 0 - #, width, precision of strings, l ll z. Always
 * terminates. */
int format_v(char *buf, size_t size, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
int format(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
