/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/* Zeroed, 16-byte aligned (page aligned from 4096 bytes up) kernel memory, or NULL.
 * Thread-safe. */
void *heap_alloc(size_t size);

/* Gives back what heap_alloc(size) returned; NULL is allowed. */
void heap_free(void *p, size_t size);

/* Bytes handed out and not given back. */
size_t heap_used(void);
