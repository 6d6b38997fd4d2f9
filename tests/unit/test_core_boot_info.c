/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "core/boot_info.h"
#include "tests/unit/range_kind.h"

#define UNITS 200

static struct boot_info bi;

static void set(uint64_t base, uint64_t size, enum boot_mem_kind kind)
{
	EXPECT_EQ(boot_range_set(&bi, hpa(base), size, kind), STATUS_OK);
}

TEST(boot_range_set_cuts_a_range_in_two)
{
	set(0x1000, 0x9000, BOOT_MEM_USABLE);
	set(0x3000, 0x1000, BOOT_MEM_MODULE);
	EXPECT_EQ(bi.range_count, 3);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x2fff)), BOOT_MEM_USABLE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x3000)), BOOT_MEM_MODULE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x4000)), BOOT_MEM_USABLE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0xa000)), BOOT_MEM_RESERVED);
}

TEST(boot_range_set_refuses_a_range_that_wraps)
{
	EXPECT_EQ(boot_range_set(&bi, hpa(UINT64_MAX - 5), 100, BOOT_MEM_USABLE),
		  STATUS_BAD_ARG);
	EXPECT_EQ(bi.range_count, 0);
}

TEST(boot_range_set_refuses_more_ranges_than_fit)
{
	enum status s = STATUS_OK;
	unsigned n = 0;

	while (s == STATUS_OK)
		s = boot_range_set(&bi, hpa(n++ * UINT64_C(0x2000)), 0x1000, BOOT_MEM_USABLE);
	EXPECT_EQ(s, STATUS_NO_MEMORY);
	EXPECT_TRUE(bi.range_count <= BOOT_MAX_RANGES);
}

static void check_list(const enum boot_mem_kind *naive)
{
	for (unsigned u = 0; u < UNITS; u++)
		EXPECT_EQ(boot_range_kind(&bi, hpa(u)), naive[u]);
	for (uint32_t i = 0; i + 1 < bi.range_count; i++) {
		const struct boot_range *r = &bi.ranges[i];
		bool touches = r->base.raw + r->size == r[1].base.raw;

		EXPECT_TRUE(r->base.raw + r->size <= r[1].base.raw);
		EXPECT_TRUE(!touches || r->kind != r[1].kind);
	}
}

TEST(boot_range_set_agrees_with_an_array_of_bytes)
{
	enum boot_mem_kind naive[UNITS];

	srand(1);
	for (unsigned u = 0; u < UNITS; u++)
		naive[u] = BOOT_MEM_RESERVED;
	for (int round = 0; round < 3000 && test_failures == 0; round++) {
		unsigned base = (unsigned)rand() % UNITS;
		unsigned size = (unsigned)rand() % (UNITS - base + 1);
		enum boot_mem_kind kind = (enum boot_mem_kind)(rand() % 5);

		set(base, size, kind);
		for (unsigned u = base; u < base + size; u++)
			naive[u] = kind;
		check_list(naive);
	}
}

TEST(boot_range_find_takes_the_highest_place_within_the_limits)
{
	hpa_t at;

	set(0, 0x80000, BOOT_MEM_USABLE);
	set(0x200000, 0x100000, BOOT_MEM_USABLE);
	set(0x800000, 0x100000, BOOT_MEM_USABLE);
	EXPECT_EQ(boot_range_find(&bi, 0x3000, 0x1000, 0, UINT64_MAX, &at), STATUS_OK);
	EXPECT_EQ(at.raw, 0x8fd000);
	EXPECT_EQ(boot_range_find(&bi, 0x3000, 0x10000, 0, 0x801000, &at), STATUS_OK);
	EXPECT_EQ(at.raw, 0x2f0000);
	EXPECT_EQ(boot_range_find(&bi, 0x1000, 0x1000, 0x1000, 0x80000, &at), STATUS_OK);
	EXPECT_EQ(at.raw, 0x7f000);
	EXPECT_EQ(boot_range_find(&bi, 0x1000, 0x1000, 0x80000, 0x200000, &at),
		  STATUS_NO_MEMORY);
	EXPECT_EQ(boot_range_find(&bi, 0x1000, 0x1000, 0x7f001, 0x80000, &at),
		  STATUS_NO_MEMORY);
	EXPECT_EQ(boot_range_find(&bi, 0x200000, 0x1000, 0, UINT64_MAX, &at), STATUS_NO_MEMORY);
}

TEST(boot_module_is_found_by_its_name)
{
	EXPECT_EQ(boot_module_add(&bi, "vmlinuz", hpa(0x1000), 5), STATUS_OK);
	EXPECT_EQ(boot_module_add(&bi, "", hpa(0x1000), 5), STATUS_BAD_ARG);
	EXPECT_TRUE(boot_module_find(&bi, "vmlinuz") == &bi.modules[0]);
	EXPECT_TRUE(boot_module_find(&bi, "vmlinu") == NULL);
}
