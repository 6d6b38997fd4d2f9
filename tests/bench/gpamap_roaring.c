/* SPDX-License-Identifier: MIT */
/* CRoaring: the shared pages' numbers. */
#include <roaring/roaring.h>
#include <stdlib.h>

#include "tests/bench/gpamap.h"

struct roaring {
	uint64_t end;
	roaring_bitmap_t *set;
};

static void *create(uint64_t end)
{
	struct roaring *r = malloc(sizeof(*r));

	if (!r)
		bench_fail("no memory");
	r->end = end;
	r->set = roaring_bitmap_create();
	if (!r->set)
		bench_fail("no memory");
	return r;
}

static void destroy(void *self)
{
	struct roaring *r = self;

	roaring_bitmap_free(r->set);
	free(r);
}

static void set(void *self, uint64_t at, uint64_t size, bool shared)
{
	struct roaring *r = self;
	uint32_t first = (uint32_t)(at / SIZE_4K);
	uint32_t last = (uint32_t)((at + size) / SIZE_4K - 1);

	if (first == last && shared)
		roaring_bitmap_add(r->set, first);
	else if (first == last)
		roaring_bitmap_remove(r->set, first);
	else if (shared)
		roaring_bitmap_add_range_closed(r->set, first, last);
	else
		roaring_bitmap_remove_range_closed(r->set, first, last);
}

static unsigned is_shared(const void *self, uint64_t at)
{
	const struct roaring *r = self;

	return at >= r->end || roaring_bitmap_contains(r->set, (uint32_t)(at / SIZE_4K));
}

static bool is_alike(const struct roaring *r, uint64_t at, uint64_t size, bool shared)
{
	uint64_t first = align_down(at, size) / SIZE_4K;
	uint64_t end = first + size / SIZE_4K;

	if (shared)
		return roaring_bitmap_contains_range(r->set, first, end);
	return roaring_bitmap_range_cardinality(r->set, first, end) == 0;
}

static bool level_at(const void *self, uint64_t at, enum page_level *level)
{
	const struct roaring *r = self;
	bool shared = is_shared(self, at);

	*level = LEVEL_4K;
	if (at >= r->end || !is_alike(r, at, SIZE_2M, shared))
		return shared;
	*level = is_alike(r, at, SIZE_1G, shared) ? LEVEL_1G : LEVEL_2M;
	return shared;
}

static void compact(void *self)
{
	struct roaring *r = self;

	roaring_bitmap_run_optimize(r->set);
	roaring_bitmap_shrink_to_fit(r->set);
}

const struct structure structure_roaring = {
	.name = "croaring",
	.create = create,
	.destroy = destroy,
	.set = set,
	.is_shared = is_shared,
	.level = level_at,
	.compact = compact,
};
