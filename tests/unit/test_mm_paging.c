/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include "mm/frame.h"
#include "mm/paging.h"
#include "mm/phys.h"

#define VA      UINT64_C(0xffff800000000000)
#define BIT_P   (UINT64_C(1) << 0)
#define BIT_W   (UINT64_C(1) << 1)
#define BIT_PCD (UINT64_C(1) << 4)
#define BIT_PS  (UINT64_C(1) << 7)
#define BIT_NX  (UINT64_C(1) << 63)

static void start(bool has_1g_pages)
{
	hpa_t pool;

	EXPECT_EQ(frame_alloc_range(0x8000, 0x1000, hpa(0), hpa(SIZE_1G), FRAME_HOST, &pool),
		  STATUS_OK);
	paging_init(pool, 0x8000, has_1g_pages);
}

/* Where `va` leads and how (the entry's own bits), as a CPU walks the tree. */
static enum status paging_lookup(uint64_t va, hpa_t *at, uint64_t *entry)
{
	hpa_t table = paging_root();

	for (unsigned shift = 39;; shift -= 9) {
		uint64_t e = ((const uint64_t *)phys_ptr(table))[va >> shift & 511];
		uint64_t address = e & UINT64_C(0x000ffffffffff000);
		uint64_t mask = (UINT64_C(1) << shift) - 1;

		if ((e & BIT_P) == 0)
			return STATUS_NOT_FOUND;
		if (shift == 12 || (e & BIT_PS) != 0) {
			*at = hpa((address & ~mask) | (va & mask));
			*entry = e;
			return STATUS_OK;
		}
		table = hpa(address);
	}
}

/* Every page of the range leads where it should. */
static void expect_mapped(uint64_t va, uint64_t at, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += SIZE_2M / 2) {
		uint64_t entry;
		hpa_t found;

		EXPECT_EQ(paging_lookup(va + i + 5, &found, &entry), STATUS_OK);
		EXPECT_EQ(found.raw, at + i + 5);
	}
}

TEST(paging_uses_the_largest_pages_that_fit)
{
	uint64_t entry;
	hpa_t at;

	start(true);
	EXPECT_EQ(paging_map(VA + 0x1ff000, hpa(0x1ff000), 2 * SIZE_1G, PAGING_WRITE),
		  STATUS_OK);
	expect_mapped(VA + 0x1ff000, 0x1ff000, 2 * SIZE_1G);
	EXPECT_EQ(paging_lookup(VA + 0x1ff000, &at, &entry), STATUS_OK);
	EXPECT_EQ(entry & (BIT_PS | BIT_NX | BIT_W), BIT_NX | BIT_W);
	EXPECT_EQ(paging_lookup(VA + SIZE_1G, &at, &entry), STATUS_OK);
	EXPECT_TRUE((entry & BIT_PS) != 0);
	EXPECT_EQ(paging_lookup(VA + 0x1fe000, &at, &entry), STATUS_NOT_FOUND);
	EXPECT_EQ(paging_lookup(VA + 2 * SIZE_1G + 0x1ff000, &at, &entry), STATUS_NOT_FOUND);
}

TEST(paging_keeps_what_is_mapped_already)
{
	uint64_t entry;
	hpa_t at;

	start(false);
	EXPECT_EQ(paging_map(VA + SIZE_2M, hpa(SIZE_2M), SIZE_2M / 2, 0), STATUS_OK);
	EXPECT_EQ(paging_map(VA, hpa(0), 4 * SIZE_2M, PAGING_WRITE), STATUS_OK);
	expect_mapped(VA, 0, 4 * SIZE_2M);
	EXPECT_EQ(paging_lookup(VA + SIZE_2M, &at, &entry), STATUS_OK);
	EXPECT_EQ(entry & BIT_W, 0);
	EXPECT_EQ(paging_lookup(VA + SIZE_2M + SIZE_2M / 2, &at, &entry), STATUS_OK);
	EXPECT_EQ(entry & BIT_W, BIT_W);
}

TEST(paging_refuses_addresses_that_are_not_aligned)
{
	start(true);
	EXPECT_EQ(paging_map(VA + 1, hpa(0), 0x1000, 0), STATUS_BAD_ARG);
	EXPECT_EQ(paging_map(VA, hpa(0x800), 0x1000, 0), STATUS_BAD_ARG);
	EXPECT_EQ(paging_map_direct(hpa(UINT64_MAX - 10), 100), STATUS_BAD_ARG);
}

TEST(paging_stacks_have_an_unmapped_page_below)
{
	uint64_t first;
	uint64_t second;
	uint64_t entry;
	hpa_t at;

	start(true);
	EXPECT_EQ(paging_map_stack(0x2000, &first), STATUS_OK);
	EXPECT_EQ(paging_map_stack(0x2000, &second), STATUS_OK);
	EXPECT_EQ(paging_lookup(first - 1, &at, &entry), STATUS_OK);
	EXPECT_EQ(paging_lookup(first - 0x2000, &at, &entry), STATUS_OK);
	EXPECT_EQ(paging_lookup(first - 0x2001, &at, &entry), STATUS_NOT_FOUND);
	EXPECT_EQ(paging_lookup(first, &at, &entry), STATUS_NOT_FOUND);
	EXPECT_EQ(paging_lookup(second - 1, &at, &entry), STATUS_OK);
}

TEST(paging_windows_onto_devices_are_uncached)
{
	uint64_t entry;
	hpa_t at;

	start(true);
	EXPECT_EQ(paging_lookup((uint64_t)paging_map_mmio(hpa(0xfee00320), 4), &at, &entry),
		  STATUS_OK);
	EXPECT_EQ(at.raw, 0xfee00320);
	EXPECT_EQ(entry & (BIT_PCD | BIT_NX | BIT_W), BIT_PCD | BIT_NX | BIT_W);
}
