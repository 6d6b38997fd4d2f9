/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "core/addr.h"
#include "core/boot_info.h"
#include "core/status.h"

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289U

/* The information's size by its own header, or 0 if `info` (8 bytes) makes no sense. */
size_t multiboot2_size(const void *info);

/*
 * Fills *out from Multiboot2 information (specification 2.0, section 3.6) of `size` bytes,
 * which lies at physical address `at`: memory map, RSDP, modules by the first word of
 * their string. Trusts nothing in it. The modules become BOOT_MEM_MODULE in the map; the
 * kernel image is the caller's to add. out->rsdp points into the information, whose memory
 * is free in the map.
 *
 * STATUS_BAD_ARG if the tags are malformed, STATUS_NOT_FOUND without memory in a map,
 * STATUS_NO_MEMORY if there are more ranges than fit. *out is then undefined.
 */
MUST_CHECK enum status multiboot2_parse(const void *info, size_t size, hpa_t at,
					struct boot_info *out);
