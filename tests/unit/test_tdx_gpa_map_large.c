/* SPDX-License-Identifier: MIT */
/* Guests of up to 16 TiB: all that happens begins and ends at a few chosen pages. */
#include <stdlib.h>

#include "mm/heap.h"
#include "tdx/gpa_map.h"
#include "tests/fake/fake.h"
#include "tests/unit/test.h"

#define CUTS 24U

static struct gpa_map map;
static uint64_t cut[CUTS + 1];    /* pages, ascending; cut[0] = 0, cut[CUTS] = the end */
static enum gpa_kind naive[CUTS]; /* of [cut[i], cut[i+1]) */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t random_page(uint64_t limit)
{
	uint64_t n = (uint64_t)rand() << 31 ^ (uint64_t)rand();
	uint64_t align = (uint64_t[]){1, 1, 512, 65536, 262144}[rand() % 5];

	return n % limit / align * align;
}

/* Half of the cuts lie near another one. */
static void choose_cuts(uint64_t pages)
{
	for (unsigned i = 1; i < CUTS; i++) {
		cut[i] = random_page(pages);
		if (i % 2 == 0)
			cut[i] = cut[i - 1] + random_page(1024);
		if (cut[i] >= pages)
			cut[i] = pages - 1;
	}
	cut[0] = 0;
	cut[CUTS] = pages;
	qsort(cut, CUTS, sizeof(cut[0]), compare);
	memset(naive, 0, sizeof(naive));
}

static void check_page(uint64_t n, enum gpa_kind kind, uint64_t first, uint64_t end)
{
	enum page_level right = LEVEL_4K;
	enum page_level level;

	for (enum page_level l = LEVEL_2M; l <= LEVEL_1G; l++) {
		uint64_t span = level_size(l) / SIZE_4K;

		if (n / span * span >= first && n / span * span + span <= end)
			right = l;
	}
	EXPECT_EQ(gpa_map_kind(&map, gpa(n * SIZE_4K)), kind);
	EXPECT_EQ(gpa_map_lookup(&map, gpa(n * SIZE_4K + 0xfff), &level), kind);
	EXPECT_EQ(level, right);
}

/* Every run: its kind, levels near both ends and in the middle, and where it ends. */
static void check_all(void)
{
	for (unsigned i = 0; i < CUTS;) {
		unsigned next = i + 1;
		uint64_t first = cut[i];
		uint64_t end;

		if (cut[i] == cut[i + 1]) {
			i++;
			continue;
		}
		while (next < CUTS && (naive[next] == naive[i] || cut[next] == cut[next + 1]))
			next++;
		end = cut[next];
		check_page(first, naive[i], first, end);
		check_page(end - 1, naive[i], first, end);
		check_page(first + (end - first) / 2, naive[i], first, end);
		if (end - first > 512) {
			check_page(first + 511, naive[i], first, end);
			check_page(end - 512, naive[i], first, end);
		}
		EXPECT_EQ(gpa_map_run_end(&map, gpa(first * SIZE_4K), gpa(cut[CUTS] * SIZE_4K))
				  .raw,
			  end * SIZE_4K);
		i = next;
	}
}

static void random_set(void)
{
	unsigned a = (unsigned)rand() % CUTS;
	unsigned b = (unsigned)rand() % CUTS;
	unsigned first = a < b ? a : b;
	unsigned end = (a < b ? b : a) + 1;
	enum gpa_kind kind = rand() % 2 ? GPA_SHARED : GPA_PRIVATE;

	if (cut[first] == cut[end])
		return;
	EXPECT_EQ(gpa_map_set(&map, gpa(cut[first] * SIZE_4K),
			      (cut[end] - cut[first]) * SIZE_4K, kind),
		  STATUS_OK);
	for (unsigned i = first; i < end; i++)
		naive[i] = kind;
}

static void check_guest(uint64_t gibs, unsigned guests, unsigned sets)
{
	for (; guests > 0 && test_failures == 0; guests--) {
		uint64_t pages = gibs * (SIZE_1G / SIZE_4K);

		choose_cuts(pages);
		EXPECT_EQ(gpa_map_init(&map, gpa(pages * SIZE_4K)), STATUS_OK);
		for (unsigned i = 0; i < sets && test_failures == 0; i++) {
			random_set();
			check_all();
			EXPECT_EQ(gpa_map_bytes_held(&map), heap_used());
		}
		gpa_map_destroy(&map);
		EXPECT_EQ(heap_used(), 0);
	}
}

TEST(tdx_gpa_map_agrees_at_every_boundary_of_a_gib) { check_guest(1, 400, 60); }
TEST(tdx_gpa_map_agrees_at_every_boundary_of_a_few_gib) { check_guest(5, 400, 60); }

/* The first sets of a guest are those that its one word may be able to say. */
TEST(tdx_gpa_map_agrees_in_the_first_updates_of_a_guest)
{
	check_guest(2, 4000, 4);
	check_guest(16384, 200, 4);
}

TEST(tdx_gpa_map_agrees_at_every_boundary_of_16_tib) { check_guest(16388, 10, 40); }

TEST(tdx_gpa_map_holds_a_run_beyond_8_tib)
{
	enum page_level level;

	EXPECT_EQ(gpa_map_init(&map, gpa(SIZE_1G * 16384)), STATUS_OK);
	EXPECT_EQ(gpa_map_set(&map, gpa(SIZE_1G * 10000), SIZE_2M, GPA_SHARED), STATUS_OK);
	EXPECT_EQ(gpa_map_lookup(&map, gpa(SIZE_1G * 10000), &level), GPA_SHARED);
	EXPECT_EQ(level, LEVEL_2M);
	EXPECT_EQ(gpa_map_bytes_used(&map), 16384 * 8);
	EXPECT_EQ(gpa_map_set(&map, gpa(0), SIZE_1G * 16384, GPA_SHARED), STATUS_OK);
	EXPECT_EQ(gpa_map_run_end(&map, gpa(0), gpa(SIZE_1G * 16384)).raw, SIZE_1G * 16384);
	gpa_map_destroy(&map);
}
