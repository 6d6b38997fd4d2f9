/* SPDX-License-Identifier: MIT */
/* A bit per 4K page and nothing above it. */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/gpamap.h"

#define WORD_PAGES 64U

struct bitmap {
	uint64_t end;
	uint64_t *word;
};

static void *create(uint64_t end)
{
	struct bitmap *b = malloc(sizeof(*b));
	size_t size = end / SIZE_4K / 8;

	if (!b)
		bench_fail("no memory");
	b->end = end;
	b->word = malloc(size);
	if (!b->word)
		bench_fail("no memory");
	memset(b->word, 0, size); /* not calloc(): no page fault falls into what is timed */
	return b;
}

static void destroy(void *self)
{
	struct bitmap *b = self;

	free(b->word);
	free(b);
}

static void set_mask(uint64_t *word, uint64_t mask, bool shared)
{
	*word = shared ? *word | mask : *word & ~mask;
}

static void set(void *self, uint64_t at, uint64_t size, bool shared)
{
	struct bitmap *b = self;
	uint64_t first = at / SIZE_4K;
	uint64_t last = (at + size) / SIZE_4K - 1;
	uint64_t head = ~UINT64_C(0) << first % WORD_PAGES;
	uint64_t tail = ~UINT64_C(0) >> (WORD_PAGES - 1 - last % WORD_PAGES);
	uint64_t from = first / WORD_PAGES;
	uint64_t to = last / WORD_PAGES;

	if (from == to) {
		set_mask(&b->word[from], head & tail, shared);
		return;
	}
	set_mask(&b->word[from], head, shared);
	memset(&b->word[from + 1], shared ? 0xff : 0, (to - from - 1) * sizeof(*b->word));
	set_mask(&b->word[to], tail, shared);
}

static unsigned is_shared(const void *self, uint64_t at)
{
	const struct bitmap *b = self;
	uint64_t page = at / SIZE_4K;

	return at >= b->end ? 1 : b->word[page / WORD_PAGES] >> page % WORD_PAGES & 1;
}

/* Whether [at, at+size), whole words, is all of one kind. */
static bool is_alike(const struct bitmap *b, uint64_t at, uint64_t size, bool shared)
{
	const uint64_t *word = &b->word[at / SIZE_4K / WORD_PAGES];
	uint64_t want = shared ? ~UINT64_C(0) : 0;

	for (uint64_t i = 0; i < size / SIZE_4K / WORD_PAGES; i++)
		if (word[i] != want)
			return false;
	return true;
}

static bool level_at(const void *self, uint64_t at, enum page_level *level)
{
	const struct bitmap *b = self;
	bool shared = is_shared(self, at);

	*level = LEVEL_4K;
	if (at >= b->end || !is_alike(b, align_down(at, SIZE_2M), SIZE_2M, shared))
		return shared;
	*level = LEVEL_2M;
	if (is_alike(b, align_down(at, SIZE_1G), SIZE_1G, shared))
		*level = LEVEL_1G;
	return shared;
}

const struct structure structure_bitmap = {
	.name = "bitmap",
	.create = create,
	.destroy = destroy,
	.set = set,
	.is_shared = is_shared,
	.level = level_at,
};
