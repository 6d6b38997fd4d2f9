/* SPDX-License-Identifier: MIT */
/* Multiboot2 information: the map that comes out is ascending, whole and says who owns what. */
#include "boot/multiboot2.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/range_kind.h"

#define INFO_AT UINT64_C(0x10000)

static void check_ranges(const struct boot_info *bi)
{
	uint64_t end = 0;

	FUZZ_CHECK(bi->range_count <= BOOT_MAX_RANGES);
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];

		FUZZ_CHECK(r->size > 0 && r->base.raw >= end);
		FUZZ_CHECK(r->base.raw + r->size > r->base.raw);
		FUZZ_CHECK(r->kind != BOOT_MEM_RESERVED);
		end = r->base.raw + r->size;
	}
}

static void check_modules(const struct boot_info *bi)
{
	FUZZ_CHECK(bi->module_count <= BOOT_MAX_MODULES);
	for (uint32_t i = 0; i < bi->module_count; i++) {
		const struct boot_module *m = &bi->modules[i];

		FUZZ_CHECK(fuzz_is_string(m->name, sizeof(m->name)) && m->name[0] != '\0');
		FUZZ_CHECK(hpa_aligned(m->base, PAGE_SIZE) && m->size > 0);
		FUZZ_CHECK(boot_range_kind(bi, m->base) == BOOT_MEM_MODULE);
		FUZZ_CHECK(boot_module_find(bi, m->name) != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info bi;
	uint8_t *info = fuzz_copy(data, size);
	size_t own_size = size >= 8 ? multiboot2_size(info) : 0;

	if (own_size == 0 || own_size > size)
		own_size = size;
	if (own_size >= 8 && multiboot2_parse(info, own_size, hpa(INFO_AT), &bi) == STATUS_OK) {
		check_ranges(&bi);
		check_modules(&bi);
	}
	free(info);
	return 0;
}
