/* SPDX-License-Identifier: MIT */
/*
 * The kernel heap's mechanism: small objects by size class out of 4K frames, larger ones
 * as runs of frames. A frame whose last object goes is a free frame again, so balanced
 * use leaves no trace in the account of frames. Not thread-safe; mm/heap_hw.c locks.
 */
#pragma once

#include <stddef.h>

#define SLAB_CLASSES 8 /* 16, 32, ... 1024, 2016 bytes */

struct slab_page;

struct slab {
	struct slab_page *with_room[SLAB_CLASSES];
	size_t used; /* bytes handed out, rounded up to a class or to frames */
};

/* As heap_alloc() and heap_free(). */
void *slab_alloc(struct slab *s, size_t size);
void slab_free(struct slab *s, void *p, size_t size);
