/* SPDX-License-Identifier: MIT */
#include "tdboot/boot_params.h"

#include <stddef.h>

#include "guest-abi/linux_boot.h"
#include "tdboot/bytes.h"

#define PAGE_SIZE UINT64_C(0x1000)
#define IMAGE_END (TDBOOT_IMAGE_GPA + TDBOOT_IMAGE_SIZE)

static void add_range(uint8_t *zero_page, uint64_t start, uint64_t end, enum e820_type type)
{
	uint8_t *entry = zero_page + BOOT_PARAMS_E820_TABLE +
			 (size_t)zero_page[BOOT_PARAMS_E820_ENTRIES] * E820_ENTRY_SIZE;

	if (start == end)
		return;
	put_le64(entry, start);
	put_le64(entry + 8, end - start);
	put_le32(entry + 16, type);
	zero_page[BOOT_PARAMS_E820_ENTRIES]++;
}

/*
 * Linux maps what it reads of type RESERVED through the shared alias, so tables
 * and mailbox must be ACPI and NVS. The rest of the image stays in use by parked
 * vCPUs: their code, page tables and stack.
 */
static void build_e820(uint8_t *zero_page, const struct boot_inputs *in)
{
	uint64_t acpi = in->layout->acpi;
	uint64_t high_end = TD_HIGH_RAM_BASE + in->params->high_size;

	add_range(zero_page, 0, LAYOUT_LOW_RAM_END, E820_RAM);
	add_range(zero_page, LAYOUT_RAM_START, acpi, E820_RAM);
	add_range(zero_page, acpi, acpi + LAYOUT_ACPI_SIZE, E820_ACPI);
	add_range(zero_page, acpi + LAYOUT_ACPI_SIZE, in->params->low_size, E820_RAM);
	add_range(zero_page, TDBOOT_PARAMS_GPA, in->mailbox, E820_RESERVED);
	add_range(zero_page, in->mailbox, in->mailbox + PAGE_SIZE, E820_NVS);
	add_range(zero_page, in->mailbox + PAGE_SIZE, IMAGE_END, E820_RESERVED);
	add_range(zero_page, TD_HIGH_RAM_BASE, high_end, E820_RAM);
}

void boot_params_build(uint8_t *zero_page, const struct boot_inputs *in)
{
	const uint64_t *file = in->layout->file;
	uint64_t initrd_size = in->params->file[TDBOOT_INITRD].length;
	uint64_t initrd = initrd_size == 0 ? 0 : file[TDBOOT_INITRD];

	for (uint64_t i = LINUX_SETUP_HEADER; i < in->image->header_end; i++)
		zero_page[i] = in->kernel_file[i];
	zero_page[LINUX_TYPE_OF_LOADER] = LINUX_LOADER_UNDEFINED;
	put_le32(zero_page + LINUX_CMD_LINE_PTR, (uint32_t)file[TDBOOT_CMDLINE]);
	put_le32(zero_page + LINUX_RAMDISK_IMAGE, (uint32_t)initrd);
	put_le32(zero_page + LINUX_RAMDISK_SIZE, (uint32_t)initrd_size);
	put_le64(zero_page + BOOT_PARAMS_ACPI_RSDP, in->rsdp);
	build_e820(zero_page, in);
}
