/* SPDX-License-Identifier: MIT */
#include "tdboot/bzimage.h"

#include <stddef.h>

#include "guest-abi/linux_boot.h"
#include "tdboot/bytes.h"

#define SECTOR            512U
#define LOAD_ALIGNMENT    UINT64_C(0x200000)
#define DEFAULT_SETUP     4U /* what setup_sects = 0 means */
#define PREF_ADDRESS_MAX  TD_LOW_RAM_MAX
#define HEADER_FIELDS_END (LINUX_INIT_SIZE + 4)

static const char *header_problem(const uint8_t *file, uint64_t size)
{
	if (size < LINUX_SETUP_HEADER_LIMIT)
		return "tdboot: kernel: file too short for a bzImage";
	if (get_le16(file + LINUX_BOOT_FLAG) != LINUX_BOOT_FLAG_VALUE ||
	    get_le32(file + LINUX_MAGIC) != LINUX_MAGIC_VALUE)
		return "tdboot: kernel: not a bzImage";
	if (get_le16(file + LINUX_VERSION) < LINUX_VERSION_MIN)
		return "tdboot: kernel: boot protocol older than 2.12";
	if ((get_le16(file + LINUX_XLOADFLAGS) & LINUX_XLF_KERNEL_64) == 0)
		return "tdboot: kernel: no 64-bit entry";
	if ((file[LINUX_LOADFLAGS] & LINUX_LOADED_HIGH) == 0)
		return "tdboot: kernel: a zImage, not a bzImage";
	return NULL;
}

const char *bzimage_parse(const uint8_t *file, uint64_t size, struct bzimage *image)
{
	const char *problem = header_problem(file, size);
	struct bzimage z;
	uint64_t sectors;

	if (problem != NULL)
		return problem;
	sectors = file[LINUX_SETUP_SECTS] == 0 ? DEFAULT_SETUP : file[LINUX_SETUP_SECTS];
	z.setup_size = (sectors + 1) * SECTOR;
	z.header_end = LINUX_MAGIC + (uint64_t)file[LINUX_JUMP + 1];
	if (z.header_end < HEADER_FIELDS_END || z.header_end > LINUX_SETUP_HEADER_LIMIT)
		return "tdboot: kernel: setup header of an impossible length";
	if (size <= z.setup_size + LINUX_ENTRY_64)
		return "tdboot: kernel: file ends before its entry point";
	z.payload_size = size - z.setup_size;
	z.load = get_le64(file + LINUX_PREF_ADDRESS);
	if (z.load % LOAD_ALIGNMENT != 0 || z.load < LAYOUT_RAM_START ||
	    z.load > PREF_ADDRESS_MAX)
		return "tdboot: kernel: preferred address misaligned or too high";
	z.room = get_le32(file + LINUX_INIT_SIZE);
	if (z.room < z.payload_size)
		z.room = z.payload_size;
	z.cmdline_max = get_le32(file + LINUX_CMDLINE_SIZE);
	z.initrd_max = get_le32(file + LINUX_INITRD_ADDR_MAX);
	*image = z;
	return NULL;
}

const char *bzimage_fit_problem(const struct bzimage *image, const struct tdboot_params *params,
				const struct layout *layout)
{
	uint64_t initrd_size = params->file[TDBOOT_INITRD].length;
	uint64_t initrd = layout->file[TDBOOT_INITRD];

	/* Without an initrd its place is empty and lies directly below the ACPI tables. */
	if (image->load + image->room > initrd)
		return "tdboot: too little low RAM for kernel and initrd";
	if (initrd_size != 0 && initrd + initrd_size - 1 > image->initrd_max)
		return "tdboot: initrd beyond the kernel's address limit";
	if (params->file[TDBOOT_CMDLINE].length > image->cmdline_max)
		return "tdboot: command line longer than the kernel takes";
	return NULL;
}
