/* SPDX-License-Identifier: MIT */
/*
 * No structure: an update takes the lock of ours and stores one word. None whose updates
 * exclude each other can do less, so a goal below this time is beyond any.
 */
#include <stdlib.h>

#include "core/spinlock.h"
#include "tests/bench/gpamap.h"

struct lock {
	struct spinlock lock;
	atomic_uint_least64_t word;
};

static void *create(uint64_t end)
{
	struct lock *l = calloc(1, sizeof(*l));

	(void)end;
	if (!l)
		bench_fail("no memory");
	return l;
}

static void destroy(void *self) { free(self); }

static void set(void *self, uint64_t at, uint64_t size, bool shared)
{
	struct lock *l = self;

	spin_lock(&l->lock);
	atomic_store_explicit(&l->word, shared ? at + size : at, memory_order_relaxed);
	spin_unlock(&l->lock);
}

const struct structure structure_lock = {
	.name = "lock",
	.create = create,
	.destroy = destroy,
	.set = set,
};
