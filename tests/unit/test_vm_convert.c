/* SPDX-License-Identifier: MIT */
/* Conversions between private and shared: odd ranges, mixed ranges, and what they do when
 * memory is short. */
#include "vm/convert.h"

#include <stdlib.h>

#include "core/cpu.h"
#include "core/log.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/tdx_abi.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_guest.h"
#include "vm/background.h"
#include "vm/registry.h"
#include "vm/vcpu.h"

static struct vm *web(void) { return registry_first(); }

static void start(void)
{
	guest_machine();
	guest_start(NULL, 0);
}

static enum status convert(uint64_t at, uint64_t size, bool to_shared)
{
	uint64_t done;
	enum status s = convert_range(web(), at, size, to_shared, &done);

	EXPECT_TRUE((s == STATUS_OK) == (done == size));
	return s;
}

static uint64_t shared_bytes(void) { return atomic_load(&web()->shared.bytes); }

/* ---- Short of memory ---- */

TEST(vm_conversion_without_heap_changes_nothing_and_is_in_nobody_s_way)
{
	const uint64_t at = SIZE_2M - 3 * SIZE_4K;
	enum status s = STATUS_NO_MEMORY;
	unsigned refused = 0;
	uint64_t before;

	start();
	EXPECT_EQ(convert(20 * SIZE_2M, SIZE_2M, true), STATUS_OK); /* the map's first run */
	before = sept_present_bytes(&web()->td.sept);
	for (unsigned n = 1; s == STATUS_NO_MEMORY && test_failures == 0; n++) {
		fake_heap_fail_at(n);
		s = convert(at, SIZE_2M, true);
		fake_heap_fail_at(0);
		refused += s == STATUS_NO_MEMORY;
		EXPECT_EQ(sept_present_bytes(&web()->td.sept),
			  s == STATUS_OK ? before - SIZE_2M : before);
		if (s != STATUS_OK)
			EXPECT_EQ(td_resolve_fault(&web()->td, gpa(at), LEVEL_2M), STATUS_OK);
		EXPECT_EQ(convert(19 * SIZE_2M, SIZE_2M, true), STATUS_OK);
		EXPECT_EQ(convert(19 * SIZE_2M, SIZE_2M, false), STATUS_OK);
		EXPECT_EQ(td_populate(&web()->td, gpa(19 * SIZE_2M), SIZE_2M), STATUS_OK);
		mirror_check(&web()->td);
	}
	EXPECT_EQ(s, STATUS_OK);
	EXPECT_TRUE(refused >= 3); /* a node of the mirror, the map, a record */
	EXPECT_EQ(shared_bytes(), 2 * SIZE_2M);
}

TEST(vm_conversion_is_undone_where_even_that_would_take_memory)
{
	const uint64_t at = 4 * SIZE_2M;

	start();
	/* A map with no room for odd pages, and a region that is split already. */
	EXPECT_EQ(convert(20 * SIZE_2M, SIZE_2M, true), STATUS_OK);
	EXPECT_EQ(convert(23 * SIZE_2M, SIZE_2M, true), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&web()->td, gpa(at), LEVEL_4K), STATUS_OK);
	fake_heap_is_empty(true);
	EXPECT_EQ(convert(at, SIZE_4K, true), STATUS_NO_MEMORY);
	EXPECT_EQ(td_resolve_fault(&web()->td, gpa(at), LEVEL_4K), STATUS_OK);
	fake_heap_is_empty(false);
	mirror_check(&web()->td);
	EXPECT_EQ(convert(at, SIZE_4K, true), STATUS_OK);
	EXPECT_EQ(shared_bytes(), 2 * SIZE_2M + SIZE_4K);
}

/* All memory goes to somebody else but for `spare` pages for tables. */
static void fill_machine(unsigned spare)
{
	hpa_t left[8];
	hpa_t frame;

	for (unsigned i = 0; i < spare; i++)
		EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_SHARED, &left[i]), STATUS_OK);
	while (frame_alloc(LEVEL_2M, FRAME_SHARED, &frame) == STATUS_OK)
		continue;
	while (frame_alloc(LEVEL_4K, FRAME_SHARED, &frame) == STATUS_OK)
		continue;
	for (unsigned i = 0; i < spare; i++)
		frame_free(left[i], SIZE_4K);
}

TEST(vm_conversion_in_a_full_machine_shares_the_frames_that_the_td_gives_up)
{
	start();
	fill_machine(8);
	EXPECT_EQ(convert(4 * SIZE_2M, 4 * SIZE_2M, true), STATUS_OK);
	EXPECT_EQ(shared_bytes(), 4 * SIZE_2M);
	EXPECT_EQ(atomic_load(&web()->td.returned_bytes), 0);
	EXPECT_TRUE(hosted_calls(TDH_PHYMEM_PAGE_WBINVD) > 0);
	EXPECT_EQ(convert(4 * SIZE_2M, 4 * SIZE_2M, false), STATUS_OK);
	EXPECT_EQ(td_populate(&web()->td, gpa(4 * SIZE_2M), 4 * SIZE_2M), STATUS_OK);
	mirror_check(&web()->td);
}

TEST(vm_conversion_in_a_full_machine_writes_back_no_more_frames_than_it_takes)
{
	start();
	EXPECT_EQ(convert(4 * SIZE_2M, 4 * SIZE_2M, true), STATUS_OK);
	EXPECT_EQ(atomic_load(&web()->td.returned_bytes), 4 * SIZE_2M);
	fill_machine(0);
	/* A Secure EPT page to split the region, and a page to share. */
	EXPECT_EQ(convert(9 * SIZE_2M, SIZE_4K, true), STATUS_OK);
	EXPECT_EQ(atomic_load(&web()->td.returned_bytes), 3 * SIZE_2M + SIZE_4K);
	mirror_check(&web()->td);
}

static unsigned lines;

static void count_line(void *ctx, const char *line)
{
	(void)ctx;
	lines += strstr(line, "no memory to share") != NULL;
}

TEST(vm_conversion_that_finds_too_few_frames_leaves_all_private)
{
	/* Two tables of the shared EPT and 512 pages, where 512 come back. */
	const uint64_t at = 4 * SIZE_2M + SIZE_4K;
	enum page_level uniform;
	uint64_t done;

	start();
	EXPECT_EQ(td_resolve_fault(&web()->td, gpa(at - SIZE_4K), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&web()->td, gpa(at + SIZE_2M), LEVEL_4K), STATUS_OK);
	fill_machine(0);
	EXPECT_EQ(convert_range(web(), at, SIZE_2M, true, &done), STATUS_NO_MEMORY);
	EXPECT_EQ(done, 0);
	EXPECT_EQ(shared_bytes(), 0);
	for (uint64_t page = at; page < at + SIZE_2M; page += SIZE_4K) {
		EXPECT_TRUE(td_is_private(&web()->td, gpa(page), &uniform));
		EXPECT_EQ(shared_mem_backed(&web()->shared, gpa(page)), 0);
	}
	mirror_check(&web()->td);
	/* The guest may ask as often as it likes. */
	EXPECT_EQ(convert_range(web(), at, SIZE_2M, true, &done), STATUS_NO_MEMORY);
	(void)log_replay(0, count_line, NULL);
	EXPECT_EQ(lines, 1);
	EXPECT_EQ(convert(at, 64 * SIZE_4K, true), STATUS_OK);
}

/* ---- The shared side ---- */

/* Of the frame at shared `at`; they say nothing of who had it before. */
static void expect_zero(uint64_t at, uint64_t size)
{
	enum page_level level;
	hpa_t frame;

	EXPECT_TRUE(ept_lookup(&web()->shared.ept, gpa(at), &frame, &level));
	EXPECT_EQ(level_size(level), size);
	for (uint64_t i = 0; i < size; i += sizeof(uint64_t))
		EXPECT_EQ(*(const uint64_t *)phys_ptr(hpa_add(frame, i)), 0);
}

TEST(vm_conversion_shares_frames_of_zeroes)
{
	hpa_t frames[8];

	start();
	for (unsigned i = 0; i < 8; i++) {
		EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_SHARED, &frames[i]), STATUS_OK);
		memset(phys_ptr(frames[i]), 0xa5, SIZE_2M);
	}
	for (unsigned i = 0; i < 8; i++)
		frame_free(frames[i], SIZE_2M);
	EXPECT_EQ(convert(4 * SIZE_2M, SIZE_2M + SIZE_4K, true), STATUS_OK);
	expect_zero(4 * SIZE_2M, SIZE_2M);
	expect_zero(5 * SIZE_2M, SIZE_4K);
}

static unsigned invepts[GUEST_CPUS];
static hpa_t shared_frame;

static void note_invept(void)
{
	invepts[this_cpu()]++;
	/* Unmapped already, and nobody else has it yet. */
	EXPECT_EQ(shared_mem_backed(&web()->shared, gpa(4 * SIZE_2M)), 0);
	EXPECT_EQ(frame_owner_of(shared_frame), FRAME_SHARED);
}

TEST(vm_conversion_back_frees_shared_frames_once_every_cpu_forgot_them)
{
	enum page_level level;

	start();
	EXPECT_EQ(convert(4 * SIZE_2M, SIZE_2M, true), STATUS_OK);
	EXPECT_TRUE(ept_lookup(&web()->shared.ept, gpa(4 * SIZE_2M), &shared_frame, &level));
	EXPECT_EQ(level, LEVEL_2M);
	hosted_set_invept(note_invept);
	EXPECT_EQ(convert(4 * SIZE_2M, SIZE_2M, false), STATUS_OK);
	hosted_set_invept(NULL);
	for (unsigned cpu = 0; cpu < GUEST_CPUS; cpu++)
		EXPECT_EQ(invepts[cpu], 1);
	EXPECT_EQ(frame_owner_of(shared_frame), FRAME_FREE);
}

TEST(vm_devices_may_read_a_file_that_the_td_was_given_and_write_none)
{
	uint8_t byte = 0;

	start();
	EXPECT_TRUE(shared_mem_read(&web()->shared, TD_FILE_WINDOW_GPA, &byte, 1));
	EXPECT_TRUE(!shared_mem_write(&web()->shared, TD_FILE_WINDOW_GPA, &byte, 1));
	EXPECT_EQ(convert(4 * SIZE_2M, SIZE_4K, true), STATUS_OK);
	EXPECT_TRUE(shared_mem_write(&web()->shared, 4 * SIZE_2M, &byte, 1));
}

/* ---- Who may go on ---- */

static uint64_t exits(void)
{
	struct vm_info info = {.exits = 0};

	EXPECT_EQ(vm_get("web", &info), STATUS_OK);
	return info.exits;
}

TEST(vm_conversion_that_needs_all_vcpus_out_keeps_them_out)
{
	uint64_t before;

	start();
	guest_rounds(2);
	before = exits();
	EXPECT_TRUE(before > 0);
	vm_quiesce(web());
	guest_rounds(2);
	EXPECT_EQ(exits(), before);
	vm_unquiesce(web());
	guest_rounds(2);
	EXPECT_TRUE(exits() > before);
}

TEST(vm_that_ends_leaves_the_write_back_to_its_end)
{
	start();
	EXPECT_EQ(convert(4 * SIZE_2M, SIZE_2M, true), STATUS_OK);
	atomic_fetch_or(&web()->gate, GATE_STOP);
	(void)background_work_until(UINT64_MAX);
	EXPECT_EQ(atomic_load(&web()->td.unwritten_bytes), SIZE_2M);
	atomic_fetch_and(&web()->gate, ~GATE_STOP);
	(void)background_work_until(UINT64_MAX);
	EXPECT_EQ(atomic_load(&web()->td.returned_bytes), 0);
}

/* ---- Any range ---- */

#define LOW_END  TD_LOW_RAM_MAX
#define HIGH_END (TD_HIGH_RAM_BASE + 16 * SIZE_2M)
#define WINDOW   (16 * SIZE_2M) /* of RAM, below the hole and above it */
#define PAGES    (WINDOW / SIZE_4K)

static bool naive[2][PAGES]; /* shared? */

static uint64_t window_base(unsigned w) { return w == 0 ? LOW_END - WINDOW : TD_HIGH_RAM_BASE; }

static void start_large(void)
{
	struct td_config c = *guest_config();
	struct vm_error why = {""};

	guest_machine();
	c.memory = LOW_END + HIGH_END - TD_HIGH_RAM_BASE;
	EXPECT_EQ(vm_create(&c, &why), STATUS_OK);
	memset(naive, 0, sizeof(naive));
}

/* As a guest does it: again from where it got to, as long as that is further. */
static unsigned convert_all(uint64_t at, uint64_t size, bool to_shared)
{
	uint64_t end = at + size;
	enum status s = STATUS_BUSY;
	unsigned calls = 0;
	uint64_t done;

	for (; s == STATUS_BUSY && test_failures == 0; at += done, calls++) {
		s = convert_range(web(), at, end - at, to_shared, &done);
		EXPECT_TRUE(s == STATUS_OK || (s == STATUS_BUSY && done > 0));
	}
	EXPECT_EQ(at, end);
	for (unsigned w = 0; w < 2; w++)
		for (uint64_t i = 0; i < PAGES; i++)
			if (window_base(w) + i * SIZE_4K - (end - size) < size)
				naive[w][i] = to_shared;
	return calls;
}

/* The map, the shared EPT and the Secure EPT say of each page what the guest asked for. */
static void check_windows(void)
{
	uint64_t shared = 0;

	for (unsigned w = 0; w < 2; w++)
		for (uint64_t i = 0; i < PAGES && test_failures == 0; i++) {
			gpa_t at = gpa(window_base(w) + i * SIZE_4K);
			struct sept_slot slot = sept_find(&web()->td.sept, at, LEVEL_4K);
			enum page_level uniform;

			shared += naive[w][i];
			EXPECT_EQ(td_is_private(&web()->td, at, &uniform), !naive[w][i]);
			EXPECT_EQ(shared_mem_backed(&web()->shared, at) != 0, naive[w][i]);
			EXPECT_TRUE(!naive[w][i] || !mirror_is_leaf(sept_read(slot)));
		}
	EXPECT_EQ(shared_bytes(), shared * SIZE_4K);
}

TEST(vm_conversion_across_the_end_of_ram_and_the_hole_changes_ram_only)
{
	const uint64_t at = LOW_END - 3 * SIZE_4K;

	start_large();
	EXPECT_TRUE(convert_all(at, TD_HIGH_RAM_BASE + 5 * SIZE_4K - at, true) <= 4);
	EXPECT_EQ(shared_bytes(), 8 * SIZE_4K);
	check_windows();
	EXPECT_TRUE(convert_all(HIGH_END - SIZE_4K, 64 * SIZE_1G, true) <= 4);
	EXPECT_TRUE(convert_all(TD_SHARED_BIT - SIZE_1G, SIZE_1G, true) <= 4);
	EXPECT_EQ(shared_bytes(), 9 * SIZE_4K);
	check_windows();
	(void)convert_all(LOW_END - WINDOW, TD_SHARED_BIT - (LOW_END - WINDOW), false);
	EXPECT_EQ(shared_bytes(), 0);
	check_windows();
	mirror_check(&web()->td);
}

TEST(vm_conversion_of_a_long_range_ends_after_calls_of_16_mib)
{
	start_large();
	EXPECT_EQ(convert_all(LOW_END - WINDOW + SIZE_4K, WINDOW - SIZE_4K, true), 2);
	check_windows();
	EXPECT_EQ(convert_all(LOW_END - WINDOW, WINDOW, false), 2);
	check_windows();
	mirror_check(&web()->td);
}

/* Single pages, 2M, and whatever comes, in RAM, across its ends, or beside it. */
static void random_range(uint64_t *at, uint64_t *size)
{
	uint64_t align = (uint64_t[]){SIZE_4K, SIZE_4K, SIZE_2M}[rand() % 3];
	uint64_t most = (uint64_t[]){SIZE_4K, 4 * SIZE_4K, 4 * SIZE_2M, WINDOW}[rand() % 4];
	uint64_t offset = (uint64_t)rand() % (WINDOW + 2 * SIZE_2M);

	*at = align_down(window_base((unsigned)rand() % 2) + offset - SIZE_2M, align);
	if (*at < LOW_END - WINDOW)
		*at = LOW_END - WINDOW;
	*size = align_up((uint64_t)rand() % most + 1, align);
	if (rand() % 16 == 0) /* to the other side of the hole */
		*size += TD_HIGH_RAM_BASE - LOW_END;
}

/* Some of what is private gets pages: large ones, split ones, none. */
static void random_pages(void)
{
	unsigned w = (unsigned)rand() % 2;
	uint64_t i = (uint64_t)rand() % PAGES;
	gpa_t at = gpa(window_base(w) + i * SIZE_4K);
	enum page_level limit = rand() % 2 ? LEVEL_4K : LEVEL_2M;

	if (!naive[w][i])
		EXPECT_EQ(td_resolve_fault(&web()->td, at, limit), STATUS_OK);
	if (rand() % 8 == 0)
		EXPECT_EQ(td_populate(&web()->td, gpa(window_base(w)), WINDOW), STATUS_OK);
}

TEST(vm_conversions_of_any_ranges_agree_with_a_naive_array)
{
	start_large();
	for (unsigned i = 0; i < 300 && test_failures == 0; i++) {
		uint64_t at, size;
		bool done;

		random_range(&at, &size);
		(void)convert_all(at, size, rand() % 2);
		for (unsigned n = 0; n < 4; n++)
			random_pages();
		if (i % 4 == 0)
			EXPECT_EQ(td_write_back(&web()->td, UINT32_MAX, &done), STATUS_OK);
		check_windows();
	}
	mirror_check(&web()->td);
}
