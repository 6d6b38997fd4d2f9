/* SPDX-License-Identifier: MIT */
/* The zero page: what a kernel entered at its 64-bit entry point is told. */
#pragma once

#include <stdint.h>

#include "tdboot/bzimage.h"
#include "tdboot/layout.h"

struct boot_inputs {
	const uint8_t *kernel_file;
	const struct bzimage *image; /* what bzimage_parse() found in it */
	const struct tdboot_params *params;
	const struct layout *layout;
	uint64_t rsdp;    /* GPA */
	uint64_t mailbox; /* GPA of the ACPI wakeup mailbox, a page of the tdboot image */
};

/* Fills `zero_page`, BOOT_PARAMS_SIZE zero bytes. */
void boot_params_build(uint8_t *zero_page, const struct boot_inputs *in);
