/* SPDX-License-Identifier: MIT */
#define LOG_TAG "boot"
#include "boot/host_map.h"

#include <stdbool.h>
#include <stddef.h>

#include "boot/image.h"
#include "core/hw.h"
#include "core/panic.h"
#include "mm/paging.h"
#include "mm/phys.h"

/* The first page tables reach this far, so the pool must lie below it. */
#define FIRST_TABLES_END UINT64_C(0x100000000)

/* For firmware tables, devices and stacks; the direct map's own need comes on top. */
#define POOL_BASE_SIZE UINT64_C(0x100000)

uint64_t kernel_cr3;

static bool has_1g_pages(void)
{
	return (hw_cpuid(0x80000001U, 0).edx & UINT32_C(1) << 26) != 0;
}

/* Tables for the direct map: per range two edges of 4K pages, and 2M pages without 1G ones. */
static uint64_t pool_size(const struct boot_info *bi)
{
	uint64_t tables = POOL_BASE_SIZE / PAGE_SIZE;

	for (uint32_t i = 0; i < bi->range_count; i++) {
		tables += 6;
		if (!has_1g_pages())
			tables += bi->ranges[i].size / SIZE_1G + 2;
	}
	return tables * PAGE_SIZE;
}

static void map_or_panic(uint64_t va, hpa_t at, uint64_t size, unsigned flags)
{
	enum status s = paging_map(va, at, size, flags);

	if (s != STATUS_OK)
		panic("page tables for %#lx at %#lx, %#lx bytes: %s", va, at.raw, size,
		      status_name(s));
}

static void map_segment(const struct boot_info *bi, const char *start, const char *end,
			unsigned flags)
{
	map_or_panic((uint64_t)start, image_phys(bi, start),
		     align_up((uint64_t)(end - start), PAGE_SIZE), flags);
}

static void map_image(const struct boot_info *bi)
{
	map_segment(bi, image_text_start, image_text_end, PAGING_EXECUTE);
	map_segment(bi, image_rodata_start, image_rodata_end, 0);
	map_segment(bi, image_data_start, image_data_end, PAGING_WRITE);
}

/* The image's own frames are in it too, by kind, but text and constants only for reading. */
static void map_ram(const struct boot_info *bi)
{
	map_or_panic(direct_map_base + bi->kernel_base.raw, bi->kernel_base,
		     (uint64_t)(image_rodata_end - image_start), 0);
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];
		uint64_t low = align_down(r->base.raw, PAGE_SIZE);

		map_or_panic(direct_map_base + low, hpa(low),
			     align_up(r->base.raw + r->size, PAGE_SIZE) - low, PAGING_WRITE);
	}
}

void host_map_build(struct boot_info *bi)
{
	uint64_t size = pool_size(bi);
	enum status s;
	hpa_t pool;

	s = boot_range_find(bi, size, PAGE_SIZE, BOOT_LOW_MEMORY_END, FIRST_TABLES_END, &pool);
	if (s == STATUS_OK)
		s = boot_range_set(bi, pool, size, BOOT_MEM_KERNEL);
	if (s != STATUS_OK)
		panic("page tables: no %#lx bytes of memory below 4 GiB", size);
	paging_init(pool, size, has_1g_pages());
	map_image(bi);
	map_ram(bi);
	kernel_cr3 = paging_root().raw;
	hw_write_cr3(kernel_cr3);
}
