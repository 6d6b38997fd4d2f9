/* SPDX-License-Identifier: MIT */
/* Conversions between private and shared: odd ranges, mixed ranges, and what they do when
 * memory is short. */
#include "vm/convert.h"

#include "mm/frame.h"
#include "tdx/tdx_abi.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_guest.h"
#include "vm/registry.h"

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

/* All memory goes to somebody else but for a few pages for tables. */
static void fill_machine(void)
{
	hpa_t spare[8], frame;

	for (unsigned i = 0; i < 8; i++)
		EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_SHARED, &spare[i]), STATUS_OK);
	while (frame_alloc(LEVEL_2M, FRAME_SHARED, &frame) == STATUS_OK)
		continue;
	while (frame_alloc(LEVEL_4K, FRAME_SHARED, &frame) == STATUS_OK)
		continue;
	for (unsigned i = 0; i < 8; i++)
		frame_free(spare[i], SIZE_4K);
}

TEST(vm_conversion_in_a_full_machine_shares_the_frames_that_the_td_gives_up)
{
	start();
	fill_machine();
	EXPECT_EQ(convert(4 * SIZE_2M, 4 * SIZE_2M, true), STATUS_OK);
	EXPECT_EQ(shared_bytes(), 4 * SIZE_2M);
	EXPECT_EQ(atomic_load(&web()->td.returned_bytes), 0);
	EXPECT_TRUE(hosted_calls(TDH_PHYMEM_PAGE_WBINVD) > 0);
	EXPECT_EQ(convert(4 * SIZE_2M, 4 * SIZE_2M, false), STATUS_OK);
	EXPECT_EQ(td_populate(&web()->td, gpa(4 * SIZE_2M), 4 * SIZE_2M), STATUS_OK);
	mirror_check(&web()->td);
}
