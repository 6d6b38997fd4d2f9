/* SPDX-License-Identifier: MIT */
#include "vmx/ept.h"

#include "guest-abi/ghci.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tests/unit/test.h"

static struct ept ept;

static uint64_t entry_at(uint64_t at, unsigned level)
{
	hpa_t table = ept.root;

	for (unsigned l = 3;; l--) {
		const uint64_t *entries = phys_ptr(table);
		uint64_t e = entries[(at | ept.fixed_bits) / level_size(l) % 512];

		if (l == level || !(e & 7))
			return e;
		table = hpa(e & EPT_ADDR_MASK);
	}
}

TEST(tdx_ept_walks_with_the_shared_bit)
{
	const uint64_t *root;

	EXPECT_EQ(ept_init(&ept, TD_SHARED_BIT), STATUS_OK);
	EXPECT_EQ(ept_map(&ept, gpa(0x1000), hpa(0x5000), LEVEL_4K, EPT_READ | EPT_WRITE),
		  STATUS_OK);
	root = phys_ptr(ept.root);
	EXPECT_EQ(root[0], EPT_SUPPRESS_VE);
	EXPECT_TRUE(root[256] & EPT_READ);
	ept_destroy(&ept);
}

TEST(tdx_ept_maps_looks_up_and_unmaps)
{
	enum page_level level;
	hpa_t page;

	EXPECT_EQ(ept_init(&ept, 0), STATUS_OK);
	EXPECT_EQ(ept_map(&ept, gpa(SIZE_2M), hpa(4 * SIZE_2M), LEVEL_2M, EPT_READ), STATUS_OK);
	EXPECT_TRUE(ept_lookup(&ept, gpa(SIZE_2M + 0x123), &page, &level));
	EXPECT_EQ(page.raw, 4 * SIZE_2M);
	EXPECT_EQ(level, LEVEL_2M);
	EXPECT_EQ(entry_at(SIZE_2M, LEVEL_2M),
		  4 * SIZE_2M | EPT_READ | EPT_MEMTYPE_WB | EPT_LARGE | EPT_SUPPRESS_VE);
	EXPECT_EQ(ept_map(&ept, gpa(SIZE_2M), hpa(0), LEVEL_4K, EPT_READ), STATUS_EXISTS);
	EXPECT_EQ(ept_unmap(&ept, gpa(SIZE_2M), &page, &level), STATUS_OK);
	EXPECT_EQ(page.raw, 4 * SIZE_2M);
	EXPECT_TRUE(!ept_lookup(&ept, gpa(SIZE_2M), &page, &level));
	EXPECT_EQ(ept_unmap(&ept, gpa(SIZE_2M), &page, &level), STATUS_NOT_FOUND);
	EXPECT_EQ(entry_at(SIZE_2M, LEVEL_2M), EPT_SUPPRESS_VE);
	ept_destroy(&ept);
}

TEST(tdx_ept_mmio_is_absent_without_suppress_ve_around_it_with)
{
	EXPECT_EQ(ept_init(&ept, 0), STATUS_OK);
	EXPECT_EQ(ept_map_mmio(&ept, gpa(SIZE_1G), SIZE_1G + SIZE_2M + SIZE_4K), STATUS_OK);
	EXPECT_EQ(entry_at(SIZE_1G, LEVEL_1G), 0);
	EXPECT_EQ(entry_at(2 * SIZE_1G, LEVEL_2M), 0);
	EXPECT_EQ(entry_at(2 * SIZE_1G + SIZE_2M, LEVEL_4K), 0);
	EXPECT_EQ(entry_at(2 * SIZE_1G + SIZE_2M + SIZE_4K, LEVEL_4K), EPT_SUPPRESS_VE);
	EXPECT_EQ(entry_at(0, LEVEL_4K), EPT_SUPPRESS_VE);
	ept_destroy(&ept);
}

TEST(tdx_ept_page_amid_mmio_leaves_the_rest_mmio)
{
	EXPECT_EQ(ept_init(&ept, 0), STATUS_OK);
	EXPECT_EQ(ept_map_mmio(&ept, gpa(0), SIZE_1G), STATUS_OK);
	EXPECT_EQ(ept_map(&ept, gpa(SIZE_2M), hpa(0x5000), LEVEL_4K, EPT_READ), STATUS_OK);
	EXPECT_EQ(entry_at(0, LEVEL_2M), 0);
	EXPECT_EQ(entry_at(SIZE_2M + SIZE_4K, LEVEL_4K), 0);
	EXPECT_EQ(entry_at(2 * SIZE_2M, LEVEL_2M), 0);
	ept_destroy(&ept);
}

TEST(tdx_ept_destroy_gives_every_table_back)
{
	uint64_t before[FRAME_OWNER_COUNT];
	uint64_t after[FRAME_OWNER_COUNT];

	frame_account(before);
	EXPECT_EQ(ept_init(&ept, 0), STATUS_OK);
	for (uint64_t at = 0; at < 40 * SIZE_1G; at += SIZE_1G)
		EXPECT_EQ(ept_map(&ept, gpa(at), hpa(0), LEVEL_4K, EPT_READ), STATUS_OK);
	EXPECT_EQ(ept.table_count, 1 + 1 + 40 + 40);
	ept_destroy(&ept);
	EXPECT_EQ(ept.table_count, 0);
	frame_account(after);
	EXPECT_MEM_EQ(before, after, sizeof(before));
}

TEST(tdx_ept_refuses_what_is_misaligned)
{
	EXPECT_EQ(ept_init(&ept, 0), STATUS_OK);
	EXPECT_EQ(ept_map(&ept, gpa(0x1000), hpa(0), LEVEL_2M, EPT_READ), STATUS_BAD_ARG);
	EXPECT_EQ(ept_map(&ept, gpa(0), hpa(0x1000), LEVEL_2M, EPT_READ), STATUS_BAD_ARG);
	EXPECT_EQ(ept_map(&ept, gpa(0), hpa(0), LEVEL_4K, 0), STATUS_BAD_ARG);
	EXPECT_EQ(ept_map_mmio(&ept, gpa(1), SIZE_4K), STATUS_BAD_ARG);
}
