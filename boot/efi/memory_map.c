/* SPDX-License-Identifier: MIT */
#include "boot/efi/memory_map.h"

#include <stdbool.h>
#include <stdint.h>

#include "core/string.h"

/* EFI_MEMORY_DESCRIPTOR as far as it is used. */
struct descriptor {
	uint32_t type;
	uint32_t pad;
	uint64_t start;
	uint64_t virtual_start;
	uint64_t page_count;
};

enum efi_memory_type {
	EFI_LOADER_CODE = 1,
	EFI_LOADER_DATA = 2,
	EFI_BOOT_CODE = 3,
	EFI_BOOT_DATA = 4,
	EFI_CONVENTIONAL = 7,
	EFI_ACPI_RECLAIM = 9,
	EFI_ACPI_NVS = 10,
};

static enum boot_mem_kind kind_of(uint32_t type)
{
	switch (type) {
	case EFI_LOADER_CODE:
	case EFI_LOADER_DATA:
	case EFI_BOOT_CODE:
	case EFI_BOOT_DATA:
	case EFI_CONVENTIONAL:
		return BOOT_MEM_USABLE;
	case EFI_ACPI_RECLAIM:
	case EFI_ACPI_NVS:
		return BOOT_MEM_ACPI;
	default: /* The set of types is open. */
		return BOOT_MEM_RESERVED;
	}
}

/* As with Multiboot2: what is in doubt is laid over what is usable. */
static enum status add(const char *map, size_t count, size_t stride, bool usable,
		       struct boot_info *bi)
{
	for (size_t i = 0; i < count; i++) {
		struct descriptor d;
		enum boot_mem_kind kind;
		enum status s;

		memcpy(&d, map + i * stride, sizeof(d));
		kind = kind_of(d.type);
		if ((kind == BOOT_MEM_USABLE) != usable)
			continue;
		if (d.page_count > (UINT64_MAX - d.start) / PAGE_SIZE)
			return STATUS_BAD_ARG;
		s = boot_range_set(bi, hpa(d.start), d.page_count * PAGE_SIZE, kind);
		if (s != STATUS_OK)
			return s;
	}
	return STATUS_OK;
}

enum status memory_map_convert(const void *map, size_t size, size_t stride,
			       struct boot_info *bi)
{
	enum status s;

	if (stride < sizeof(struct descriptor))
		return STATUS_BAD_ARG;
	s = add(map, size / stride, stride, true, bi);
	return s == STATUS_OK ? add(map, size / stride, stride, false, bi) : s;
}
