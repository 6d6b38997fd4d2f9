/* SPDX-License-Identifier: MIT */
/*
 * What a boot path (UEFI loader, Multiboot2 entry) tells the kernel. Built by the
 * boot path in memory that the memory map marks BOOT_MEM_RESERVED; physical addresses.
 */
#pragma once

#include <stdint.h>

#include "core/addr.h"
#include "core/status.h"

#define BOOT_INFO_MAGIC  UINT64_C(0x7462756f64657231)
#define BOOT_MAX_RANGES  512
#define BOOT_MAX_MODULES 32
#define BOOT_NAME_MAX    64

enum boot_mem_kind {
	BOOT_MEM_USABLE,   /* free RAM */
	BOOT_MEM_RESERVED, /* firmware, holes, and everything not listed */
	BOOT_MEM_ACPI,     /* ACPI tables; RAM, but kept */
	BOOT_MEM_KERNEL,   /* image, boot_info, boot page tables */
	BOOT_MEM_MODULE,   /* a file, see modules */
};

struct boot_range {
	hpa_t base;
	uint64_t size;
	enum boot_mem_kind kind;
};

/* A file loaded by the boot path; 4K-aligned, the rest of its last page is zero. */
struct boot_module {
	char name[BOOT_NAME_MAX];
	hpa_t base;
	uint64_t size;
};

struct boot_info {
	uint64_t magic;
	char boot_path[16]; /* "uefi" or "multiboot2" */
	hpa_t rsdp;         /* 0 if none */
	hpa_t kernel_base;  /* where the kernel image lies, 2M-aligned */
	uint32_t range_count;
	uint32_t module_count;
	struct boot_range ranges[BOOT_MAX_RANGES]; /* ascending, apart, none is RESERVED */
	struct boot_module modules[BOOT_MAX_MODULES];
};

/* The module of that name, or NULL. Defined in core/boot_info.c. */
const struct boot_module *boot_module_find(const struct boot_info *bi, const char *name);

/*
 * Gives [base, base+size) the kind `kind`, whatever it was; neighbours of one kind are
 * joined. BOOT_MEM_RESERVED takes the range out of the list. STATUS_BAD_ARG if the range
 * wraps, STATUS_NO_MEMORY if the list is full; unchanged then.
 */
MUST_CHECK enum status boot_range_set(struct boot_info *bi, hpa_t base, uint64_t size,
				      enum boot_mem_kind kind);

/* Makes the memory of all modules BOOT_MEM_MODULE. STATUS_NO_MEMORY as above. */
MUST_CHECK enum status boot_modules_keep(struct boot_info *bi);

/* Memory below it is the firmware's and the AP trampoline's. */
#define BOOT_LOW_MEMORY_END UINT64_C(0x100000)

/*
 * The highest place of `size` bytes inside one range of usable memory and [low, high), aligned
 * to `align`. STATUS_NO_MEMORY if there is none.
 */
MUST_CHECK enum status boot_range_find(const struct boot_info *bi, uint64_t size,
				       uint64_t align, uint64_t low, uint64_t high, hpa_t *out);

/*
 * Appends a module. STATUS_NO_MEMORY if the table is full, STATUS_BAD_ARG for an empty
 * or too long name; unchanged then. The memory map is the caller's.
 */
MUST_CHECK enum status boot_module_add(struct boot_info *bi, const char *name, hpa_t base,
				       uint64_t size);
