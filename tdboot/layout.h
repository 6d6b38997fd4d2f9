/* SPDX-License-Identifier: MIT */
/*
 * The measured parameter page, checked, and where everything goes in the TD's
 * memory. Pure: numbers in, numbers out.
 *
 * Low RAM from bottom to top: boot_params and command line below 640 KiB, the
 * kernel at its preferred address, ..., the kernel file as it was copied in, the
 * initrd, the ACPI tables. The kernel file's place is free again once it was unpacked.
 */
#pragma once

#include <stdint.h>

#include "guest-abi/tdboot.h"

#define TDBOOT_MAX_VCPUS    64U
#define TDBOOT_LOW_RAM_MIN  UINT64_C(0x2000000)
#define TDBOOT_HIGH_RAM_MAX UINT64_C(0x100000000000) /* 16 TiB */
#define TDBOOT_CMDLINE_MAX  UINT64_C(4095)
#define TDBOOT_RAM_UNIT     UINT64_C(0x200000)

#define LAYOUT_LOW_RAM_END UINT64_C(0xa0000) /* 640 KiB; the legacy hole above stays unused */
#define LAYOUT_RAM_START   UINT64_C(0x100000)
#define LAYOUT_BOOT_PARAMS UINT64_C(0x10000)
#define LAYOUT_CMDLINE     UINT64_C(0x11000) /* one page, so it ends in at least one NUL */
#define LAYOUT_ACPI_SIZE   UINT64_C(0x10000)

struct layout {
	uint64_t file[TDBOOT_FILE_COUNT]; /* private copy of each file */
	uint64_t acpi;                    /* LAYOUT_ACPI_SIZE bytes */
};

/* What is wrong with the page, as a text of at most 64 characters, or NULL. */
const char *params_problem(const struct tdboot_params *params);

/*
 * Places the files of a page without problems. Returns NULL, or what does not fit;
 * *layout is then untouched.
 */
const char *layout_plan(const struct tdboot_params *params, struct layout *layout);
