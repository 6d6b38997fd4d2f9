/* SPDX-License-Identifier: MIT */
/* The zero page: what a kernel entered at its 64-bit entry point is told. */
#pragma once

#include <stdint.h>

#include "tdboot/bzimage.h"
#include "tdboot/layout.h"

/*
 * Fills `zero_page` (BOOT_PARAMS_SIZE zero bytes) from the kernel file's setup header and
 * the plan. `mailbox` is the GPA of the ACPI wakeup mailbox, a page of the tdboot image.
 */
void boot_params_build(uint8_t *zero_page, const uint8_t *kernel_file,
		       const struct bzimage *image, const struct tdboot_params *params,
		       const struct layout *layout, uint64_t rsdp, uint64_t mailbox);
