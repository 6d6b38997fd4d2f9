/* SPDX-License-Identifier: MIT */
/* Multiboot2: the information that GRUB gave, what is made of it for L1, and L1's image. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/model/tdx_model.h"

#define MB2_BOOT_MAGIC UINT32_C(0x36d76289)
#define MB2_RAM        1U /* type of an available range */

#define MB2_MAX_MODULES 32U
#define MB2_MAX_RANGES  48U

struct mb2_range {
	uint64_t base, size;
	uint32_t type;
};

struct mb2_module {
	uint64_t base, size;
	const char *text;
};

struct mb2_info {
	uint64_t base, size;
	const char *command_line;
	uint64_t rsdp; /* of the newest version that GRUB has */
	struct mb2_range range[MB2_MAX_RANGES];
	unsigned range_count;
	struct mb2_module module[MB2_MAX_MODULES];
	unsigned module_count;
};

/* Dies on information that makes no sense. Strings point into it. */
void mb2_parse(uint64_t info, struct mb2_info *out);

/*
 * Makes L1's information at `at` (room for `room` bytes): the modules of `info`
 * but the first, whose text is the command line; [carve, carve + carve_size) is
 * reserved; all other tags as GRUB made them. Dies if it does not fit.
 */
void mb2_build(const struct mb2_info *info, const struct tdx_range *carve, uint64_t at,
	       uint64_t room);

/* elf_load.c */
/* Lowest and highest physical address that the ELF64 file will occupy. */
void elf_extent(const void *file, uint64_t size, struct tdx_range *extent);
/* Loads it; returns the 32-bit entry point by the Multiboot2 contract. */
uint64_t elf_load(const void *file, uint64_t size);
