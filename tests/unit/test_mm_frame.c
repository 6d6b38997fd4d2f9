/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mm/frame.h"
#include "mm/phys.h"
#include "tests/fake/fake.h"

#define GIB   SIZE_1G
#define PAGES (UINT64_C(3) * SIZE_1G / PAGE_SIZE) /* of the naive model */

static struct boot_info bi;

static void arena(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	EXPECT_TRUE(p != MAP_FAILED);
	direct_map_base = (uintptr_t)p;
	memset(&bi, 0, sizeof(bi));
}

static void add_range(uint64_t base, uint64_t size, enum boot_mem_kind kind)
{
	EXPECT_EQ(boot_range_set(&bi, hpa(base), size, kind), STATUS_OK);
}

static uint64_t bytes_of(enum frame_owner owner)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	frame_account(bytes);
	return bytes[owner];
}

TEST(frame_alloc_returns_aligned_frames_of_each_level)
{
	hpa_t a;
	hpa_t b;
	hpa_t c;

	fake_ram(3 * GIB);
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_HOST, &a), STATUS_OK);
	EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_TD_PRIVATE, &b), STATUS_OK);
	EXPECT_EQ(frame_alloc(LEVEL_1G, FRAME_SHARED, &c), STATUS_OK);
	EXPECT_TRUE(hpa_aligned(a, SIZE_4K) && hpa_aligned(b, SIZE_2M) &&
		    hpa_aligned(c, SIZE_1G));
	EXPECT_EQ(frame_owner_of(a), FRAME_HOST);
	EXPECT_EQ(frame_owner_of(hpa_add(b, SIZE_2M - 1)), FRAME_TD_PRIVATE);
	EXPECT_EQ(frame_owner_of(hpa_add(c, SIZE_1G - 1)), FRAME_SHARED);
	EXPECT_EQ(bytes_of(FRAME_TD_PRIVATE), SIZE_2M);
	EXPECT_EQ(bytes_of(FRAME_SHARED), SIZE_1G);
}

TEST(frame_alloc_for_tds_takes_only_usable_memory)
{
	hpa_t at;

	arena(2 * GIB);
	add_range(0, 2 * GIB, BOOT_MEM_USABLE);
	frame_init(&bi);
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_TD_CONTROL, &at), STATUS_NO_MEMORY);
	EXPECT_EQ(frame_free_tdx(LEVEL_4K), 0);
	frame_set_tdx_usable(hpa(GIB + 4096), SIZE_2M * 2);
	EXPECT_EQ(frame_free_tdx(LEVEL_2M), 1);
	EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_TD_PRIVATE, &at), STATUS_OK);
	EXPECT_EQ(at.raw, GIB + SIZE_2M);
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_SEPT, &at), STATUS_NO_MEMORY);
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_HOST, &at), STATUS_OK);
	EXPECT_TRUE(at.raw < GIB + SIZE_2M || at.raw >= GIB + 2 * SIZE_2M);
}

TEST(frame_alloc_for_the_host_takes_td_memory_last)
{
	hpa_t at;

	arena(GIB);
	add_range(0, GIB, BOOT_MEM_USABLE);
	frame_init(&bi);
	frame_set_tdx_usable(hpa(0), GIB / 2);
	while (frame_alloc(LEVEL_2M, FRAME_HOST, &at) == STATUS_OK && at.raw >= GIB / 2)
		;
	EXPECT_TRUE(at.raw < GIB / 2);
	EXPECT_TRUE(frame_free_tdx(LEVEL_2M) > 200);
}

TEST(frame_init_counts_exactly_the_ram_it_is_told)
{
	arena(8 * GIB);
	add_range(0, 0x9fc00, BOOT_MEM_USABLE);
	add_range(0x100000, 0x300000, BOOT_MEM_KERNEL);
	add_range(0x400000, GIB, BOOT_MEM_USABLE);
	add_range(0x400000 + GIB, 0x1800, BOOT_MEM_ACPI);
	add_range(6 * GIB, GIB + 0x5000, BOOT_MEM_USABLE);
	frame_init(&bi);
	EXPECT_EQ(frame_total(), 0xa0000 + 0x300000 + GIB + 0x2000 + GIB + 0x5000);
	EXPECT_EQ(frame_owner_of(hpa(0x5000)), FRAME_HOST);
	EXPECT_EQ(frame_owner_of(hpa(0x100000)), FRAME_HOST);
	EXPECT_EQ(frame_owner_of(hpa(0x500000)), FRAME_FREE);
	EXPECT_EQ(frame_owner_of(hpa(3 * GIB)), FRAME_HOST);
}

TEST(frame_free_of_parts_merges_to_a_gib_again)
{
	hpa_t at;

	fake_ram(3 * GIB);
	EXPECT_EQ(frame_alloc(LEVEL_1G, FRAME_TD_PRIVATE, &at), STATUS_OK);
	EXPECT_EQ(frame_free_tdx(LEVEL_1G), 0);
	for (uint64_t i = SIZE_2M; i < GIB; i += SIZE_2M)
		frame_free(hpa_add(at, i), SIZE_2M);
	for (uint64_t i = 0; i < SIZE_2M; i += SIZE_4K)
		frame_free(hpa_add(at, i), SIZE_4K);
	EXPECT_EQ(frame_free_tdx(LEVEL_1G), 1);
	EXPECT_EQ(frame_alloc(LEVEL_1G, FRAME_TD_PRIVATE, &at), STATUS_OK);
}

TEST(frame_alloc_range_finds_a_gap_of_its_size_and_alignment)
{
	hpa_t a;
	hpa_t b;

	fake_ram(3 * GIB);
	EXPECT_EQ(frame_alloc_range(0x5000, 0x1000, hpa(GIB + 0x3000), hpa(2 * GIB), FRAME_PAMT,
				    &a),
		  STATUS_OK);
	EXPECT_EQ(a.raw, GIB + 0x3000);
	EXPECT_EQ(
		frame_alloc_range(SIZE_2M * 3, SIZE_4K, hpa(GIB), hpa(2 * GIB), FRAME_PAMT, &b),
		STATUS_OK);
	EXPECT_EQ(b.raw, GIB + 0x8000);
	EXPECT_EQ(frame_alloc_range(GIB, SIZE_4K, hpa(GIB), hpa(2 * GIB), FRAME_PAMT, &a),
		  STATUS_NO_MEMORY);
	EXPECT_EQ(frame_alloc_range(0x1001, SIZE_4K, hpa(0), hpa(GIB), FRAME_PAMT, &a),
		  STATUS_BAD_ARG);
	EXPECT_EQ(frame_alloc_range(SIZE_4K, 0x3000, hpa(0), hpa(GIB), FRAME_PAMT, &a),
		  STATUS_BAD_ARG);
	frame_free(b, SIZE_2M * 3);
	EXPECT_EQ(bytes_of(FRAME_PAMT), 0x5000);
}

TEST(frame_quarantine_keeps_a_page_out_of_use)
{
	uint64_t total = frame_total();
	hpa_t at;

	EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_TD_PRIVATE, &at), STATUS_OK);
	frame_set_owner(hpa_add(at, 0x3000), SIZE_4K, FRAME_QUARANTINED);
	frame_free(at, 0x3000);
	frame_free(hpa_add(at, 0x4000), SIZE_2M - 0x4000);
	EXPECT_EQ(bytes_of(FRAME_QUARANTINED), SIZE_4K);
	EXPECT_EQ(frame_owner_of(hpa_add(at, 0x3000)), FRAME_QUARANTINED);
	EXPECT_EQ(frame_owner_of(hpa_add(at, 0x4000)), FRAME_FREE);
	EXPECT_EQ(frame_total(), total);
}

TEST(frame_double_free_panics)
{
	hpa_t at;

	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_HOST, &at), STATUS_OK);
	frame_free(at, SIZE_4K);
	fake_expect_panic();
	frame_free(at, SIZE_4K);
	test_fail(__FILE__, __LINE__, "no panic");
}

TEST(frame_memory_is_used_to_the_last_page)
{
	uint64_t pages = bytes_of(FRAME_FREE) / PAGE_SIZE;
	hpa_t at;

	for (uint64_t i = 0; i < pages; i++)
		EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_TD_PRIVATE, &at), STATUS_OK);
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_TD_PRIVATE, &at), STATUS_NO_MEMORY);
	EXPECT_EQ(bytes_of(FRAME_FREE), 0);
	EXPECT_EQ(frame_free_tdx(LEVEL_4K), 0);
}

/* ---- random operations against a byte per page ---- */

static uint8_t naive[PAGES];
static bool is_dirty[PAGES]; /* what the host may have written and nobody flushed */

struct held {
	hpa_t base;
	uint64_t size;
};
static struct held held[4096];
static unsigned held_count;

static void naive_set(hpa_t base, uint64_t size, enum frame_owner owner, bool must_be_free)
{
	for (uint64_t p = base.raw / PAGE_SIZE; p < (base.raw + size) / PAGE_SIZE; p++) {
		EXPECT_EQ(naive[p] == FRAME_FREE, must_be_free);
		naive[p] = (uint8_t)owner;
	}
}

static void naive_set_dirty(hpa_t base, uint64_t size, bool value)
{
	memset(&is_dirty[base.raw / PAGE_SIZE], value, size / PAGE_SIZE);
}

static void note_flush(enum fake_cache_op op, const void *p, size_t size)
{
	if (op == FAKE_CLFLUSH)
		naive_set_dirty(phys_of(p), size, false);
}

static bool is_for_module(enum frame_owner owner)
{
	return owner >= FRAME_PAMT && owner <= FRAME_TD_PRIVATE;
}

static void compare_with_naive(void)
{
	uint64_t sums[FRAME_OWNER_COUNT] = {0};
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t whole_2m = 0;
	uint64_t whole_1g = 0;
	uint64_t run = 0;

	for (uint64_t p = 0; p < PAGES; p++) {
		sums[naive[p]] += PAGE_SIZE;
		run = naive[p] == FRAME_FREE ? run + 1 : 0;
		whole_2m += p % 512 == 511 && run >= 512;
		whole_1g += p % 262144 == 262143 && run >= 262144;
	}
	frame_account(bytes);
	EXPECT_MEM_EQ(bytes, sums, sizeof(sums));
	EXPECT_EQ(frame_free_tdx(LEVEL_4K), sums[FRAME_FREE] / PAGE_SIZE);
	EXPECT_EQ(frame_free_tdx(LEVEL_2M), whole_2m);
	EXPECT_EQ(frame_free_tdx(LEVEL_1G), whole_1g);
}

static void random_alloc(void)
{
	static const enum page_level levels[] = {LEVEL_4K, LEVEL_4K, LEVEL_4K,
						 LEVEL_2M, LEVEL_2M, LEVEL_1G};
	enum page_level level = levels[rand() % 6];
	enum frame_owner owner = (enum frame_owner)(1 + rand() % (FRAME_OWNER_COUNT - 1));
	uint64_t size = level_size(level);
	hpa_t low = hpa((unsigned)rand() % PAGES * PAGE_SIZE);
	enum status s;
	hpa_t at;

	if (held_count == 4096)
		return;
	if (rand() % 3 == 0) {
		size = (1 + (unsigned)rand() % 3000) * PAGE_SIZE;
		s = frame_alloc_range(size, PAGE_SIZE << rand() % 12, low,
				      hpa(PAGES * PAGE_SIZE), owner, &at);
	} else {
		s = frame_alloc(level, owner, &at);
		for (uint64_t p = 0; !s && is_for_module(owner) && p < size; p += PAGE_SIZE)
			EXPECT_TRUE(!is_dirty[(at.raw + p) / PAGE_SIZE]);
	}
	if (s != STATUS_OK)
		return;
	naive_set(at, size, owner, true);
	held[held_count++] = (struct held){at, size};
}

/* Frees all of an allocation, or gives a part of it away first. */
static void random_free(void)
{
	unsigned i = held_count > 0 ? (unsigned)rand() % held_count : 0;
	struct held h = held[i];
	uint64_t part = (1 + (unsigned)rand() % (h.size / PAGE_SIZE + 1)) * PAGE_SIZE;

	if (held_count == 0)
		return;
	if (rand() % 4 == 0) {
		frame_set_owner(h.base, part < h.size ? part : h.size, FRAME_QUARANTINED);
		naive_set(h.base, part < h.size ? part : h.size, FRAME_QUARANTINED, false);
	}
	if (part < h.size && rand() % 2 == 0) {
		held[i] = (struct held){hpa_add(h.base, part), h.size - part};
		h.size = part;
	} else {
		held[i] = held[--held_count];
	}
	naive_set_dirty(h.base, h.size, rand() % 2 == 0);
	if (is_dirty[h.base.raw / PAGE_SIZE])
		frame_free(h.base, h.size);
	else
		frame_free_clean(h.base, h.size);
	naive_set(h.base, h.size, FRAME_FREE, false);
}

static void random_clean(void)
{
	if (rand() % 50 == 0) {
		frame_all_clean();
		naive_set_dirty(hpa(0), PAGES * PAGE_SIZE, false);
	}
	(void)frame_flush_ahead();
}

TEST(frame_random_operations_agree_with_a_byte_per_page)
{
	srand(3);
	fake_ram(PAGES * PAGE_SIZE);
	for (uint64_t p = 0; p < PAGES; p++)
		naive[p] = (uint8_t)frame_owner_of(hpa(p * PAGE_SIZE));
	naive_set_dirty(hpa(0), PAGES * PAGE_SIZE, true);
	(void)fake_set_cache_hook(note_flush);
	for (unsigned round = 0; round < 20000 && test_failures == 0; round++) {
		if (rand() % 100 < (round / 2000 % 2 == 0 ? 60 : 40))
			random_alloc();
		else
			random_free();
		if (rand() % 16 == 0)
			random_clean();
		if (round % 500 == 0)
			compare_with_naive();
	}
	while (held_count > 0)
		random_free();
	compare_with_naive();
}

TEST(frame_alloc_at_takes_that_frame_only_if_it_is_free_and_for_tds)
{
	hpa_t chunk;

	fake_ram(3 * GIB); /* all of it usable */
	EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_TD_PRIVATE, &chunk), STATUS_OK);
	EXPECT_EQ(frame_alloc_at(chunk, LEVEL_2M, FRAME_TD_PRIVATE), STATUS_NO_MEMORY);
	frame_free(hpa_add(chunk, 5 * SIZE_4K), SIZE_4K);
	EXPECT_EQ(frame_alloc_at(chunk, LEVEL_2M, FRAME_TD_PRIVATE), STATUS_NO_MEMORY);
	EXPECT_EQ(frame_alloc_at(chunk, LEVEL_4K, FRAME_TD_PRIVATE), STATUS_NO_MEMORY);
	EXPECT_EQ(frame_alloc_at(hpa_add(chunk, 5 * SIZE_4K), LEVEL_4K, FRAME_TD_PRIVATE),
		  STATUS_OK);
	EXPECT_EQ(bytes_of(FRAME_TD_PRIVATE), SIZE_2M);
	frame_free(chunk, SIZE_2M);
	EXPECT_EQ(frame_alloc_at(chunk, LEVEL_2M, FRAME_SEPT), STATUS_OK);
	EXPECT_EQ(frame_alloc_at(hpa(1024 * GIB), LEVEL_2M, FRAME_SEPT), STATUS_NO_MEMORY);
	EXPECT_EQ(bytes_of(FRAME_SEPT), SIZE_2M);
}

TEST(frame_find_names_what_alloc_would_take_and_takes_nothing)
{
	hpa_t found;
	hpa_t taken;

	fake_ram(3 * GIB);
	for (enum page_level level = LEVEL_2M; level <= LEVEL_1G; level++) {
		EXPECT_EQ(frame_find(level, &found), STATUS_OK);
		EXPECT_EQ(bytes_of(FRAME_TD_PRIVATE), 0);
		EXPECT_EQ(frame_alloc(level, FRAME_TD_PRIVATE, &taken), STATUS_OK);
		EXPECT_EQ(found.raw, taken.raw);
		frame_free(taken, level_size(level));
	}
	while (frame_alloc(LEVEL_1G, FRAME_TD_PRIVATE, &taken) == STATUS_OK)
		continue;
	EXPECT_EQ(frame_find(LEVEL_1G, &found), STATUS_NO_MEMORY);
}

TEST(frame_alloc_at_refuses_memory_that_no_tdmr_covers)
{
	arena(GIB);
	add_range(0, GIB, BOOT_MEM_USABLE);
	frame_init(&bi);
	EXPECT_EQ(frame_alloc_at(hpa(GIB / 2), LEVEL_2M, FRAME_TD_PRIVATE), STATUS_NO_MEMORY);
	frame_set_tdx_usable(hpa(0), GIB);
	EXPECT_EQ(frame_alloc_at(hpa(GIB / 2), LEVEL_2M, FRAME_TD_PRIVATE), STATUS_OK);
}

static void *hammer(void *arg)
{
	hpa_t at[64];

	(void)arg;
	for (int round = 0; round < 200; round++) {
		unsigned n = 0;

		while (n < 64 && frame_alloc(n % 8 == 0 ? LEVEL_2M : LEVEL_4K, FRAME_TD_PRIVATE,
					     &at[n]) == STATUS_OK)
			n++;
		while (n-- > 0) {
			uint64_t size = n % 8 == 0 ? SIZE_2M : SIZE_4K;

			if (n % 3 == 0)
				frame_free_clean(at[n], size);
			else
				frame_free(at[n], size);
		}
		(void)frame_flush_ahead();
	}
	return NULL;
}

TEST_WITH_THREADS(frame_threads_leave_the_account_as_it_was)
{
	uint64_t before[FRAME_OWNER_COUNT];
	uint64_t after[FRAME_OWNER_COUNT];
	pthread_t threads[4];

	frame_account(before);
	for (unsigned i = 0; i < 4; i++)
		EXPECT_EQ(pthread_create(&threads[i], NULL, hammer, NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	frame_account(after);
	EXPECT_MEM_EQ(before, after, sizeof(before));
}
