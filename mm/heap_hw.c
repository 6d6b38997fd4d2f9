/* SPDX-License-Identifier: MIT */
/* Hosted tests use the C library's heap in its place, which AddressSanitizer watches. */
#include "mm/heap.h"

#include "core/spinlock.h"
#include "mm/slab.h"

/* Protected by lock. */
static struct slab slab;
static struct spinlock lock = SPINLOCK_INIT;

void *heap_alloc(size_t size)
{
	void *p;

	spin_lock(&lock);
	p = slab_alloc(&slab, size);
	spin_unlock(&lock);
	return p;
}

void heap_free(void *p, size_t size)
{
	spin_lock(&lock);
	slab_free(&slab, p, size);
	spin_unlock(&lock);
}

size_t heap_used(void)
{
	size_t used;

	spin_lock(&lock);
	used = slab.used;
	spin_unlock(&lock);
	return used;
}
