/* SPDX-License-Identifier: MIT */
/* What the two start-up forms (UEFI application, Multiboot2 kernel) tell the resident core. */
#pragma once

#include <stdint.h>

#include "tests/model/tdx_model.h"

#define EMU_MAX_RAM     24
#define EMU_OPTIONS_MAX 256

/* The emulator's own memory: 32 MiB, naturally aligned, which is also the SEAM range. */
#define EMU_CARVE_SIZE (UINT64_C(32) << 20)

struct boot_args {
	struct tdx_range
		ram[EMU_MAX_RAM]; /* all DRAM, the emulator's own included; ascending */
	unsigned ram_count;
	uint64_t carve_base; /* EMU_CARVE_SIZE bytes, taken from everybody else */
	uint64_t image_size; /* the resident image lies at carve_base */
	uint64_t trampoline; /* one page below 1 MiB, needed until core_start() returns */
	uint64_t rsdp;
	char options[EMU_OPTIONS_MAX]; /* tdxemu.cfg or command line, NUL-terminated */
};

struct l1_start;

/*
 * Takes over the machine (every CPU but this one by INIT-SIPI, this one by
 * moving into 5-level paging), then runs L1 from `start`; does not return.
 * Runs in the resident copy, 64-bit, interrupts disabled, low 4 GiB identity
 * mapped. `args` and `start` must stay readable until L1 runs.
 */
void core_start(const struct boot_args *args, const struct l1_start *start)
	__attribute__((noreturn));
