/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "boot/multiboot2.h"
#include "tests/unit/range_kind.h"

#define INFO_AT UINT64_C(0x10000)

static struct boot_info bi;
static _Alignas(8) uint8_t info[4096];
static size_t used = 8;

static void put32(size_t at, uint32_t v) { memcpy(info + at, &v, 4); }
static void put64(size_t at, uint64_t v) { memcpy(info + at, &v, 8); }

/* Starts a tag of `size` bytes and returns where it is. */
static size_t tag(uint32_t type, uint32_t size)
{
	size_t at = used;

	put32(at, type);
	put32(at + 4, size);
	used += (size + 7) & ~7U;
	put32(0, (uint32_t)used);
	return at;
}

static void mmap_tag(unsigned count, const uint64_t (*entries)[3])
{
	size_t at = tag(6, 16 + 24 * count);

	put32(at + 8, 24);
	for (unsigned i = 0; i < count; i++) {
		put64(at + 16 + 24 * i, entries[i][0]);
		put64(at + 24 + 24 * i, entries[i][1]);
		put32(at + 32 + 24 * i, (uint32_t)entries[i][2]);
	}
}

static void module_tag(uint32_t start, uint32_t end, const char *text)
{
	size_t at = tag(3, (uint32_t)(16 + strlen(text) + 1));

	put32(at + 8, start);
	put32(at + 12, end);
	memcpy(info + at + 16, text, strlen(text) + 1);
}

static enum status parse(void)
{
	(void)tag(0, 8);
	EXPECT_EQ(multiboot2_size(info), used);
	return multiboot2_parse(info, used, hpa(INFO_AT), &bi);
}

static const uint64_t plain_map[][3] = {
	{0, 0x9f000, 1},
	{0x100000, 0x7ff00000, 1},
	{0x7ff00000, 0x100000, 3},
};

TEST(multiboot2_map_modules_and_rsdp_are_taken)
{
	size_t rsdp;

	mmap_tag(3, plain_map);
	module_tag(0x400000, 0x400123, "redoubt.cfg and more");
	rsdp = tag(15, 8 + 36);
	EXPECT_EQ(parse(), STATUS_OK);
	EXPECT_STR_EQ(bi.boot_path, "multiboot2");
	EXPECT_EQ(bi.rsdp.raw, INFO_AT + rsdp + 8);
	EXPECT_EQ(bi.module_count, 1);
	EXPECT_STR_EQ(bi.modules[0].name, "redoubt.cfg");
	EXPECT_EQ(bi.modules[0].size, 0x123);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x400fff)), BOOT_MEM_MODULE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x401000)), BOOT_MEM_USABLE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x7ff00000)), BOOT_MEM_ACPI);
}

TEST(multiboot2_reserved_wins_over_usable_in_any_order)
{
	static const uint64_t map[][3] = {
		{0x200000, 0x1000, 2},
		{0x100000, 0x700000, 1},
		{0x300000, 0x1000, 5},
	};

	mmap_tag(3, map);
	EXPECT_EQ(parse(), STATUS_OK);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x200000)), BOOT_MEM_RESERVED);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x201000)), BOOT_MEM_USABLE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x300fff)), BOOT_MEM_RESERVED);
}

TEST(multiboot2_entry_that_wraps_reserves_to_the_end_and_is_never_usable)
{
	static const uint64_t map[][3] = {
		{0x100000, 0x700000, 1},
		{0x400000, UINT64_MAX, 2},
		{0x900000, UINT64_MAX, 1},
	};

	mmap_tag(3, map);
	EXPECT_EQ(parse(), STATUS_OK);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x3fffff)), BOOT_MEM_USABLE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x400000)), BOOT_MEM_RESERVED);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x900000)), BOOT_MEM_RESERVED);
}

TEST(multiboot2_without_a_memory_map_is_refused)
{
	module_tag(0x400000, 0x400123, "x");
	EXPECT_EQ(parse(), STATUS_NOT_FOUND);
}

TEST(multiboot2_tag_longer_than_the_information_is_refused)
{
	size_t at;

	mmap_tag(3, plain_map);
	at = tag(9, 16);
	put32(at + 4, 5000);
	EXPECT_EQ(parse(), STATUS_BAD_ARG);
}

TEST(multiboot2_map_with_tiny_entries_is_refused)
{
	size_t at = tag(6, 64);

	put32(at + 8, 0);
	EXPECT_EQ(parse(), STATUS_BAD_ARG);
}

TEST(multiboot2_modules_without_sense_are_left_out)
{
	mmap_tag(3, plain_map);
	module_tag(0x400000, 0x400000, "empty");
	module_tag(0x400000, 0x3ff000, "backwards");
	module_tag(0x400800, 0x401000, "unaligned");
	module_tag(0x400000, 0x401000, "");
	(void)tag(3, 12);
	EXPECT_EQ(parse(), STATUS_OK);
	EXPECT_EQ(bi.module_count, 0);
}

TEST(multiboot2_size_of_nonsense_is_zero)
{
	put32(0, 4);
	EXPECT_EQ(multiboot2_size(info), 0);
	put32(0, UINT32_MAX);
	EXPECT_EQ(multiboot2_size(info), 0);
}

TEST(multiboot2_random_bytes_do_no_harm)
{
	srand(5);
	mmap_tag(3, plain_map);
	module_tag(0x400000, 0x400123, "redoubt.cfg");
	(void)tag(14, 28);
	for (int round = 0; round < 20000; round++) {
		uint8_t *copy = malloc(used);

		memcpy(copy, info, used);
		for (int i = 0; i < 4; i++)
			copy[(unsigned)rand() % used] = (uint8_t)rand();
		(void)!multiboot2_parse(copy, used, hpa(INFO_AT), &bi);
		EXPECT_TRUE(bi.range_count <= BOOT_MAX_RANGES);
		EXPECT_TRUE(bi.module_count <= BOOT_MAX_MODULES);
		free(copy);
	}
}
