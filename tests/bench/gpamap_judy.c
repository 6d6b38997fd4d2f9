/* SPDX-License-Identifier: MIT */
/* Judy1: the shared pages' numbers. It knows no ranges, so a range is a loop. */
#include <Judy.h>
#include <stdlib.h>

#include "tests/bench/gpamap.h"

struct judy {
	uint64_t end;
	void *set;
};

static void *create(uint64_t end)
{
	struct judy *j = malloc(sizeof(*j));

	if (!j)
		bench_fail("no memory");
	*j = (struct judy){.end = end};
	return j;
}

static void destroy(void *self)
{
	struct judy *j = self;

	(void)Judy1FreeArray(&j->set, PJE0);
	free(j);
}

static void set(void *self, uint64_t at, uint64_t size, bool shared)
{
	struct judy *j = self;

	for (uint64_t page = at / SIZE_4K; page < (at + size) / SIZE_4K; page++)
		if (shared ? Judy1Set(&j->set, page, PJE0) == JERR
			   : Judy1Unset(&j->set, page, PJE0) == JERR)
			bench_fail("no memory");
}

static unsigned is_shared(const void *self, uint64_t at)
{
	const struct judy *j = self;

	return at >= j->end || Judy1Test(j->set, at / SIZE_4K, PJE0);
}

/* The first page from the beginning of the range on that is not `shared` lies behind it. */
static bool is_alike(const struct judy *j, uint64_t at, uint64_t size, bool shared)
{
	Word_t page = align_down(at, size) / SIZE_4K;
	uint64_t end = page + size / SIZE_4K;
	int found =
		shared ? Judy1FirstEmpty(j->set, &page, PJE0) : Judy1First(j->set, &page, PJE0);

	return !found || page >= end;
}

static bool level_at(const void *self, uint64_t at, enum page_level *level)
{
	const struct judy *j = self;
	bool shared = is_shared(self, at);

	*level = LEVEL_4K;
	if (at >= j->end || !is_alike(j, at, SIZE_2M, shared))
		return shared;
	*level = is_alike(j, at, SIZE_1G, shared) ? LEVEL_1G : LEVEL_2M;
	return shared;
}

const struct structure structure_judy1 = {
	.name = "judy1",
	.create = create,
	.destroy = destroy,
	.set = set,
	.is_shared = is_shared,
	.level = level_at,
};
