/* SPDX-License-Identifier: MIT */
/* What guests do to their map. All addresses come from a fixed seed. */
#include <stdlib.h>

#include "tests/bench/gpamap.h"

#define SIZE_64M (32 * SIZE_2M)

static uint64_t random_state;

void bench_random_restart(void) { random_state = UINT64_C(0x9e3779b97f4a7c15); }

uint64_t bench_random(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint64_t)((unsigned __int128)random_state * limit >> 64);
}

static void add(struct ops *ops, uint64_t at, uint64_t size, bool shared)
{
	if (ops->count == ops->room) {
		ops->room = ops->room ? 2 * ops->room : 1024;
		ops->op = realloc(ops->op, ops->room * sizeof(*ops->op));
		if (!ops->op)
			bench_fail("no memory");
	}
	ops->op[ops->count++] = (struct op){at, size, shared};
}

/* The ranges of `ops` from `first` on become private again, in the order of their conversion.
 */
static void add_way_back(struct ops *ops, size_t first)
{
	size_t end = ops->count;

	for (size_t i = first; i < end; i++)
		add(ops, ops->op[i].at, ops->op[i].size, false);
}

static uint64_t random_at(uint64_t end, uint64_t size, uint64_t align)
{
	return bench_random((end - size) / align + 1) * align;
}

/* ---- Contents ---- */

/* One bounce buffer, as Linux sets it up at boot. */
static void content_swiotlb(struct ops *ops, uint64_t end)
{
	add(ops, end / 4 * 3 - SIZE_64M / 2, SIZE_64M, true);
}

/* A quarter of the 2M ranges. */
static void content_2m(struct ops *ops, uint64_t end)
{
	for (uint64_t at = 0; at < end; at += SIZE_2M)
		if (bench_random(4) == 0)
			add(ops, at, SIZE_2M, true);
}

/* Sixty-four single pages a GiB, as what drivers share one by one. */
static void content_4k_sparse(struct ops *ops, uint64_t end)
{
	for (uint64_t i = 0; i < end / SIZE_1G * 64; i++)
		add(ops, random_at(end, SIZE_4K, SIZE_4K), SIZE_4K, true);
}

/* A quarter of all pages: no structure can be smaller than the bitmap by much. */
static void content_4k_dense(struct ops *ops, uint64_t end)
{
	for (uint64_t at = 0; at < end; at += SIZE_4K)
		if (bench_random(4) == 0)
			add(ops, at, SIZE_4K, true);
}

/* ---- Conversions ---- */

static void sets_2m(struct ops *ops, uint64_t end)
{
	for (uint64_t i = 0; i < end / SIZE_1G * 16; i++)
		add(ops, random_at(end, SIZE_2M, SIZE_2M), SIZE_2M, true);
	add_way_back(ops, 0);
}

/* 2M to 256M, multiples of 2M. */
static void sets_2m_ranges(struct ops *ops, uint64_t end)
{
	for (uint64_t i = 0; i < end / SIZE_1G * 2; i++) {
		uint64_t size = (1 + bench_random(128)) * SIZE_2M;

		add(ops, random_at(end, size, SIZE_2M), size, true);
	}
	add_way_back(ops, 0);
}

/* One 64M buffer at a time. */
static void sets_swiotlb(struct ops *ops, uint64_t end)
{
	for (unsigned i = 0; i < 256; i++) {
		size_t first = ops->count;

		add(ops, random_at(end, SIZE_64M, SIZE_2M), SIZE_64M, true);
		add_way_back(ops, first);
	}
}

/* Four 64M buffers at a time. */
static void sets_swiotlb_4(struct ops *ops, uint64_t end)
{
	for (unsigned i = 0; i < 64; i++) {
		size_t first = ops->count;

		for (unsigned n = 0; n < 4; n++)
			add(ops, random_at(end, SIZE_64M, SIZE_2M), SIZE_64M, true);
		add_way_back(ops, first);
	}
}

/* A 64M buffer in every GiB. */
static void sets_swiotlb_gib(struct ops *ops, uint64_t end)
{
	for (uint64_t at = 0; at < end; at += SIZE_1G)
		add(ops, at + random_at(SIZE_1G, SIZE_64M, SIZE_2M), SIZE_64M, true);
	add_way_back(ops, 0);
}

/* Single pages everywhere, up to 64 a GiB shared at once. */
static void sets_storm(struct ops *ops, uint64_t end)
{
	content_4k_sparse(ops, end);
	add_way_back(ops, 0);
}

/* Single pages of a guest of which a quarter is shared at random. */
static void sets_storm_dense(struct ops *ops, uint64_t end)
{
	for (uint64_t i = 0; i < end / SIZE_1G * 64; i++)
		add(ops, random_at(end, SIZE_4K, SIZE_4K), SIZE_4K, bench_random(4) == 0);
}

static void sets_gib(struct ops *ops, uint64_t end)
{
	for (unsigned i = 0; i < 16; i++) {
		uint64_t at = random_at(end, SIZE_1G, SIZE_1G);

		add(ops, at, SIZE_1G, true);
		add(ops, at, SIZE_1G, false);
	}
}

const struct pattern patterns[] = {
	{"lookup_random_swiotlb", WORK_LOOKUP_RANDOM, content_swiotlb, NULL},
	{"lookup_random_2m", WORK_LOOKUP_RANDOM, content_2m, NULL},
	{"lookup_random_4k_sparse", WORK_LOOKUP_RANDOM, content_4k_sparse, NULL},
	{"lookup_random_4k_dense", WORK_LOOKUP_RANDOM, content_4k_dense, NULL},
	{"lookup_sequential_swiotlb", WORK_LOOKUP_SEQUENTIAL, content_swiotlb, NULL},
	{"lookup_sequential_2m", WORK_LOOKUP_SEQUENTIAL, content_2m, NULL},
	{"lookup_sequential_4k_sparse", WORK_LOOKUP_SEQUENTIAL, content_4k_sparse, NULL},
	{"lookup_sequential_4k_dense", WORK_LOOKUP_SEQUENTIAL, content_4k_dense, NULL},
	{"level_random_swiotlb", WORK_LEVEL_RANDOM, content_swiotlb, NULL},
	{"level_random_2m", WORK_LEVEL_RANDOM, content_2m, NULL},
	{"level_random_4k_sparse", WORK_LEVEL_RANDOM, content_4k_sparse, NULL},
	{"level_sequential_4k_dense", WORK_LEVEL_SEQUENTIAL, content_4k_dense, NULL},
	{"convert_2m", WORK_SET, NULL, sets_2m},
	{"convert_2m_ranges", WORK_SET, NULL, sets_2m_ranges},
	{"swiotlb_64m", WORK_SET, NULL, sets_swiotlb},
	{"swiotlb_64m_times_4", WORK_SET, NULL, sets_swiotlb_4},
	{"swiotlb_64m_per_gib", WORK_SET, NULL, sets_swiotlb_gib},
	{"storm_4k", WORK_SET, NULL, sets_storm},
	{"storm_4k_dense", WORK_SET, content_4k_dense, sets_storm_dense},
	{"gib_back_and_forth", WORK_SET, NULL, sets_gib},
};
const size_t pattern_count = sizeof(patterns) / sizeof(patterns[0]);
