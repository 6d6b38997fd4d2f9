/* SPDX-License-Identifier: MIT */
/* The parts of the UEFI loader; each prints why it failed. */
#pragma once

#include <efi.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/boot_info.h"

/* Where the kernel was put, and its 64-bit entry there. */
struct loaded_kernel {
	uint64_t base; /* 2M-aligned */
	uint64_t size;
	uint64_t entry; /* physical */
};

/* Pages below 4 GiB, kept until the kernel takes them over; 0 if there are none. */
uint64_t loader_pages(EFI_MEMORY_TYPE type, uint64_t page_count);

/* Puts the embedded image in its place. */
bool loader_load_kernel(struct loaded_kernel *out);

/*
 * Reads \redoubt.cfg from the volume of the loader (`image` is its EFI_HANDLE) and every
 * file that it names, as modules of *bi. A file that is missing is reported and left out.
 */
void loader_load_files(void *image, struct boot_info *bi);
