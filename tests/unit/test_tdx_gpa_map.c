/* SPDX-License-Identifier: MIT */
#include "tdx/gpa_map.h"

#include <stdlib.h>

#include "mm/heap.h"
#include "tests/fake/fake.h"
#include "tests/unit/test.h"

#define GIBS  3U
#define PAGES (GIBS << 18)

/* Bytes of what a map has beside its objects once it has more than one run, and of objects:
 * nodes with room for no odd page and for more, and a bitmap. */
#define WORDS(gibs) (8 * (gibs))
#define NODE        80
#define NODE_88     256
#define NODE_216    512
#define NODE_472    1024
#define NODE_984    2048
#define NODE_2008   4096
#define BITMAP      32768

static struct gpa_map map;
static uint8_t naive[PAGES];

static gpa_t page(uint64_t n) { return gpa(n * PAGE_SIZE); }

static void set(uint64_t first, uint64_t count, enum gpa_kind kind)
{
	EXPECT_EQ(gpa_map_set(&map, page(first), count * PAGE_SIZE, kind), STATUS_OK);
	memset(naive + first, kind, count);
}

/* The naive array's answer: the largest level whose range around `n` is all alike. */
static enum page_level naive_level(uint64_t n)
{
	for (enum page_level l = LEVEL_1G; l > LEVEL_4K; l--) {
		uint64_t pages = level_size(l) / PAGE_SIZE;
		uint64_t first = n / pages * pages;
		uint64_t i = first;

		while (i < first + pages && naive[i] == naive[n])
			i++;
		if (i == first + pages)
			return l;
	}
	return LEVEL_4K;
}

static void check_at(uint64_t n)
{
	enum page_level level;

	EXPECT_EQ(gpa_map_lookup(&map, page(n), &level), naive[n]);
	EXPECT_EQ(level, naive_level(n));
}

/* What the map says it holds is what the heap gave. */
static void check_bytes(void)
{
	EXPECT_EQ(gpa_map_bytes_held(&map), heap_used());
	EXPECT_TRUE(gpa_map_bytes_used(&map) <= gpa_map_bytes_held(&map));
}

TEST(tdx_gpa_map_starts_private_with_no_byte_at_all)
{
	enum page_level level;

	EXPECT_EQ(gpa_map_init(&map, gpa(SIZE_1G * 16384)), STATUS_OK);
	EXPECT_EQ(gpa_map_bytes_used(&map), 0);
	EXPECT_EQ(heap_used(), 0);
	EXPECT_EQ(gpa_map_lookup(&map, gpa(SIZE_1G * 16383 + 5), &level), GPA_PRIVATE);
	EXPECT_EQ(level, LEVEL_1G);
	EXPECT_EQ(gpa_map_lookup(&map, gpa(SIZE_1G * 16384), &level), GPA_SHARED);
	EXPECT_EQ(level, LEVEL_4K);
	EXPECT_EQ(gpa_map_run_end(&map, gpa(0), gpa(SIZE_1G * 16385)).raw, SIZE_1G * 16384);
	gpa_map_destroy(&map);
	EXPECT_EQ(heap_used(), 0);
}

TEST(tdx_gpa_map_says_one_run_without_memory_and_two_in_a_word_per_gib)
{
	EXPECT_EQ(gpa_map_init(&map, page(PAGES)), STATUS_OK);
	set(3, 300000, GPA_SHARED);
	set(300003, 70, GPA_SHARED);
	set(3, 1, GPA_PRIVATE);
	EXPECT_EQ(heap_used(), 0);
	/* Both ends of the guest: what is left between is the run. */
	set(0, PAGES, GPA_PRIVATE);
	set(PAGES - 5, 5, GPA_SHARED);
	set(0, 7, GPA_SHARED);
	set(PAGES - 90, 2, GPA_PRIVATE);
	set(PAGES - 90, 90, GPA_SHARED);
	EXPECT_EQ(heap_used(), 0);
	set(0, PAGES, GPA_PRIVATE);
	set(0, 7, GPA_SHARED);
	set(PAGES - 5, 5, GPA_SHARED);
	set(4, 2, GPA_SHARED);
	check_at(6);
	check_at(7);
	EXPECT_EQ(heap_used(), 0);
	set(262144 + 7, 9, GPA_SHARED);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS));
	check_bytes();
	for (uint64_t n = 0; n < PAGES; n += 97)
		check_at(n);
	gpa_map_destroy(&map);
	EXPECT_EQ(heap_used(), 0);
}

TEST(tdx_gpa_map_costs_a_bit_for_a_2m_range_where_these_are_alike)
{
	EXPECT_EQ(gpa_map_init(&map, gpa(SIZE_1G)), STATUS_OK);
	EXPECT_EQ(gpa_map_set(&map, gpa(SIZE_2M), 3 * SIZE_2M, GPA_SHARED), STATUS_OK);
	EXPECT_EQ(gpa_map_bytes_used(&map), 0);
	for (uint64_t at = 0; at < SIZE_1G; at += 2 * SIZE_2M)
		EXPECT_EQ(gpa_map_set(&map, gpa(at), SIZE_2M, GPA_SHARED), STATUS_OK);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(1) + NODE);
	/* 0.02 bit per 4K page */
	EXPECT_TRUE(gpa_map_bytes_held(&map) * 8 * 50 <= 262144);
	EXPECT_EQ(gpa_map_set(&map, gpa(0), SIZE_1G - SIZE_2M, GPA_PRIVATE), STATUS_OK);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(1));
	check_bytes();
}

TEST(tdx_gpa_map_costs_four_bytes_for_one_odd_page_in_each_2m)
{
	EXPECT_EQ(gpa_map_init(&map, gpa(SIZE_1G)), STATUS_OK);
	for (uint64_t at = 0; at < SIZE_1G; at += SIZE_2M)
		EXPECT_EQ(gpa_map_set(&map, gpa(at + 0x5000), SIZE_4K, GPA_SHARED), STATUS_OK);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(1) + NODE_984);
	for (uint64_t at = 0; at < SIZE_1G; at += SIZE_2M)
		EXPECT_EQ(gpa_map_set(&map, gpa(at + 0x5000), SIZE_4K, GPA_PRIVATE), STATUS_OK);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(1));
	check_bytes();
}

TEST(tdx_gpa_map_is_a_bitmap_where_most_2m_ranges_are_torn)
{
	EXPECT_EQ(gpa_map_init(&map, gpa(SIZE_1G)), STATUS_OK);
	for (uint64_t at = 0; at < SIZE_1G; at += 2 * SIZE_4K)
		EXPECT_EQ(gpa_map_set(&map, gpa(at), SIZE_4K, GPA_SHARED), STATUS_OK);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(1) + BITMAP);
	check_bytes();
	EXPECT_EQ(gpa_map_set(&map, gpa(0), SIZE_1G, GPA_SHARED), STATUS_OK);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(1));
	check_bytes();
}

TEST(tdx_gpa_map_lists_the_fewer_pages_of_a_2m_range)
{
	EXPECT_EQ(gpa_map_init(&map, page(PAGES)), STATUS_OK);
	memset(naive, 0, sizeof(naive));
	for (uint64_t range = 0; range < 84; range++)
		set(range * 512 + 1 + range, 511 - range, GPA_SHARED);
	EXPECT_TRUE(gpa_map_bytes_used(&map) > WORDS(GIBS) + NODE_984);
	for (uint64_t range = 0; range < 84; range++)
		set(range * 512 + 2, 510, GPA_SHARED);
	for (uint64_t range = 0; range < 84; range++) {
		check_at(range * 512);
		check_at(range * 512 + 2);
	}
	gpa_map_destroy(&map);
	EXPECT_EQ(gpa_map_init(&map, page(PAGES)), STATUS_OK);
	memset(naive, 0, sizeof(naive));
	for (uint64_t range = 0; range < 84; range++)
		set(range * 512 + 1, 511, GPA_SHARED);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS) + NODE_88);
	check_at(512);
	check_at(513);
	gpa_map_destroy(&map);
}

TEST(tdx_gpa_map_makes_a_filled_2m_range_alike_again)
{
	EXPECT_EQ(gpa_map_init(&map, page(PAGES)), STATUS_OK);
	memset(naive, 0, sizeof(naive));
	set(2000, 3, GPA_SHARED);
	for (uint64_t n = 512; n < 1024; n++) {
		set(n ^ 0x155, 1, GPA_SHARED);
		check_at(n);
	}
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS) + NODE_472);
	check_at(512);
	set(2000, 3, GPA_PRIVATE);
	check_at(2000);
	set(512, 512, GPA_PRIVATE);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS));
	check_at(0);
	gpa_map_destroy(&map);
}

TEST(tdx_gpa_map_refuses_what_is_misaligned_or_beyond_the_end)
{
	EXPECT_EQ(gpa_map_init(&map, gpa(SIZE_1G * 16388 + 1)), STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_init(&map, gpa(UINT64_MAX)), STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_init(&map, gpa(SIZE_1G)), STATUS_OK);
	EXPECT_EQ(gpa_map_set(&map, gpa(1), SIZE_4K, GPA_SHARED), STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_set(&map, gpa(0), 1, GPA_SHARED), STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_set(&map, gpa(0), 0, GPA_SHARED), STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_set(&map, gpa(SIZE_1G), SIZE_4K, GPA_SHARED), STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_set(&map, gpa(SIZE_1G - SIZE_4K), SIZE_2M, GPA_SHARED),
		  STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_set(&map, gpa(UINT64_MAX - 0xfff), SIZE_4K, GPA_SHARED),
		  STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_set(&map, gpa(SIZE_2M), UINT64_MAX - SIZE_2M + 1, GPA_SHARED),
		  STATUS_BAD_ARG);
	EXPECT_EQ(gpa_map_run_end(&map, gpa(0), gpa(SIZE_1G)).raw, SIZE_1G);
	EXPECT_EQ(heap_used(), 0);
}

/* Ranges of all shapes: single pages, 2M and 1G aligned, and whatever comes. */
static void random_range(uint64_t *first, uint64_t *count)
{
	uint64_t align = (uint64_t[]){1, 1, 512, 512, 262144}[rand() % 5];
	uint64_t max = (uint64_t[]){3, 2000, 2048, 400000, 600000}[rand() % 5];

	*first = (uint64_t)rand() % PAGES / align * align;
	*count = ((uint64_t)rand() % max + align) / align * align;
	if (*count > PAGES - *first)
		*count = PAGES - *first;
}

static void check_around(uint64_t first, uint64_t count)
{
	check_at(first);
	check_at(first + count - 1);
	if (first > 0)
		check_at(first - 1);
	if (first + count < PAGES)
		check_at(first + count);
	check_at((uint64_t)rand() % PAGES);
	check_bytes();
}

/* A range of any shape; now and then many within one GiB, enough for a bitmap. */
static void random_set(void)
{
	unsigned sets = rand() % 200 == 0 ? 60 : 1;

	for (unsigned i = 0; i < sets; i++) {
		uint64_t first = (uint64_t)rand() % 512 * 512 + 1;
		uint64_t count = 256 + (uint64_t)rand() % 256;

		if (sets == 1)
			random_range(&first, &count);
		set(first, count, rand() % 2 ? GPA_SHARED : GPA_PRIVATE);
		if (i % 15 == 0)
			check_around(first, count);
	}
}

/* Run by run, each as long as it can be, this is the naive array. */
static void check_runs(void)
{
	for (uint64_t at = 0; at < PAGES;) {
		uint64_t end = gpa_map_run_end(&map, page(at), page(PAGES)).raw / PAGE_SIZE;

		for (uint64_t i = at; i < end; i++)
			if (naive[i] != naive[at])
				test_fail(__FILE__, __LINE__, "page %llu",
					  (unsigned long long)i);
		EXPECT_TRUE(end == PAGES || naive[end] != naive[at]);
		at = end;
	}
}

TEST(tdx_gpa_map_agrees_with_a_naive_array)
{
	EXPECT_EQ(gpa_map_init(&map, page(PAGES)), STATUS_OK);
	for (unsigned round = 0; round < 2500 && test_failures == 0; round++) {
		random_set();
		if (round % 200 == 0)
			check_runs();
	}
	for (uint64_t n = 0; n < PAGES && test_failures == 0; n++)
		EXPECT_EQ(gpa_map_kind(&map, page(n)), naive[n]);
	set(0, PAGES, GPA_PRIVATE);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS));
	for (unsigned type = 0; type < GPA_MAP_TYPES; type++)
		EXPECT_TRUE(map.spare[type] != 0); /* every one has been in use */
	gpa_map_destroy(&map);
	EXPECT_EQ(heap_used(), 0);
}

/* An update on the map as it is now, with each of its allocations failing in turn. */
static void set_with_failures(uint64_t first, uint64_t count, enum gpa_kind kind)
{
	uint64_t used = gpa_map_bytes_used(&map);

	for (unsigned fail = 1;; fail++) {
		enum status s;

		EXPECT_TRUE(fail < 12);
		fake_heap_fail_at(fail);
		s = gpa_map_set(&map, page(first), count * PAGE_SIZE, kind);
		fake_heap_fail_at(0);
		if (s == STATUS_OK || test_failures)
			break;
		EXPECT_EQ(s, STATUS_NO_MEMORY);
		EXPECT_EQ(gpa_map_bytes_used(&map), used);
		check_bytes();
		check_runs();
		check_at(first);
		check_at(first + count - 1);
	}
	memset(naive + first, kind, count);
	check_runs();
}

/* As many odd pages in each range as it can have. */
static void tear(uint64_t first_range, uint64_t ranges)
{
	for (uint64_t r = first_range; r < first_range + ranges; r++)
		set(r * 512 + 1, 256, GPA_SHARED);
}

TEST(tdx_gpa_map_stays_below_2_bits_a_page_with_one_spare_object_of_each_size)
{
	uint64_t most =
		WORDS(1) + NODE + NODE_88 + NODE_216 + NODE_472 + NODE_984 + NODE_2008 + BITMAP;

	EXPECT_TRUE(most * 8 <= UINT64_C(2) * 262144);
	EXPECT_EQ(gpa_map_init(&map, gpa(SIZE_1G)), STATUS_OK);
	for (unsigned round = 0; round < 3; round++) {
		set(0, 512, GPA_SHARED);
		set(1024, 512, GPA_SHARED);
		for (uint64_t n = 0; n < 5000; n += 2)
			set(5120 + n, 1, GPA_SHARED);
		EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(1) + BITMAP);
		EXPECT_EQ(gpa_map_bytes_held(&map), most);
		check_bytes();
		EXPECT_EQ(gpa_map_set(&map, gpa(0), SIZE_1G, round % 2), STATUS_OK);
		EXPECT_EQ(gpa_map_set(&map, gpa(0), SIZE_1G, GPA_PRIVATE), STATUS_OK);
	}
	gpa_map_destroy(&map);
	EXPECT_EQ(heap_used(), 0);
}

TEST(tdx_gpa_map_needs_no_more_memory_to_take_a_page_out_of_a_full_list)
{
	EXPECT_EQ(gpa_map_init(&map, page(PAGES)), STATUS_OK);
	memset(naive, 0, sizeof(naive));
	for (uint64_t n = 0; n < 2 * 88; n += 2)
		set(n, 1, GPA_SHARED);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS) + NODE_88);
	set(100, 1, GPA_SHARED);
	set(0, 1, GPA_PRIVATE);
	set(1, 1, GPA_SHARED);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS) + NODE_88);
	set(262143, 1, GPA_SHARED);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS) + NODE_216);
	set(262100, 44, GPA_PRIVATE);
	check_runs();
	gpa_map_destroy(&map);
}

TEST(tdx_gpa_map_is_as_it_was_when_there_is_no_memory_for_a_bitmap)
{
	memset(naive, 0, sizeof(naive));
	EXPECT_EQ(gpa_map_init(&map, page(PAGES)), STATUS_OK);
	tear(100, 7);
	tear(512 + 125, 7); /* in two parts */
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS) + 2 * NODE_2008);
	/* Into both GiBs: each becomes a bitmap. */
	set_with_failures(200 * 512 + 250, 312 * 512, GPA_SHARED);
	EXPECT_EQ(gpa_map_bytes_used(&map), WORDS(GIBS) + 2 * BITMAP);
	set_with_failures(400 * 512 + 9, 300, GPA_PRIVATE);
	set_with_failures((512 + 200) * 512 + 9, 300, GPA_SHARED);
	gpa_map_destroy(&map);
	EXPECT_EQ(heap_used(), 0);
}

TEST(tdx_gpa_map_is_as_it_was_when_memory_runs_out)
{
	static const struct {
		uint64_t before, count, first_page;
	} shapes[] = {{0, 0, 5},         {700, 9, 5},        {262144 + 5, 700, 5},
		      {3, 262144, 5},    {100, 500000, 513}, {PAGES - 9, 4, 262144 - 5},
		      {9, 4, 262144 - 5}};

	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		memset(naive, 0, sizeof(naive));
		EXPECT_EQ(gpa_map_init(&map, page(PAGES)), STATUS_OK);
		if (shapes[i].count) {
			set(shapes[i].before, shapes[i].count, GPA_SHARED);
			set(PAGES - 1, 1, GPA_SHARED);
		}
		set_with_failures(shapes[i].first_page, 20, GPA_SHARED);
		set_with_failures(shapes[i].first_page + 40, 262144, GPA_SHARED);
		set_with_failures(shapes[i].first_page + 7, 262144 + 50, GPA_PRIVATE);
		set_with_failures(shapes[i].first_page + 1000, 1, GPA_SHARED);
		gpa_map_destroy(&map);
		EXPECT_EQ(heap_used(), 0);
	}
}
