/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include "boot/efi/memory_map.h"
#include "tests/unit/range_kind.h"

struct descriptor {
	uint32_t type, pad;
	uint64_t start, virtual_start, page_count, attribute, more;
};

static struct boot_info bi;

TEST(memory_map_of_uefi_keeps_what_is_in_doubt)
{
	const struct descriptor map[] = {
		{.type = 0, .start = 0x300000, .page_count = 1},     /* reserved, inside */
		{.type = 7, .start = 0x100000, .page_count = 0x700}, /* conventional */
		{.type = 3, .start = 0x800000, .page_count = 16},    /* boot services code */
		{.type = 6, .start = 0x810000, .page_count = 16},    /* runtime data */
		{.type = 9, .start = 0x820000, .page_count = 16},    /* ACPI */
	};

	EXPECT_EQ(memory_map_convert(map, sizeof(map), sizeof(map[0]), &bi), STATUS_OK);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x100000)), BOOT_MEM_USABLE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x300000)), BOOT_MEM_RESERVED);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x80ffff)), BOOT_MEM_USABLE);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x810000)), BOOT_MEM_RESERVED);
	EXPECT_EQ(boot_range_kind(&bi, hpa(0x820000)), BOOT_MEM_ACPI);
}

TEST(memory_map_of_uefi_with_impossible_sizes_is_refused)
{
	const struct descriptor map[] = {
		{.type = 7, .start = 0x1000, .page_count = UINT64_MAX}};

	EXPECT_EQ(memory_map_convert(map, sizeof(map), 8, &bi), STATUS_BAD_ARG);
	EXPECT_EQ(memory_map_convert(map, sizeof(map), sizeof(map[0]), &bi), STATUS_BAD_ARG);
}
