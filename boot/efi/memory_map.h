/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "core/boot_info.h"
#include "core/status.h"

/*
 * Puts a UEFI memory map (UEFI 2.10, 7.2.3) of `size` bytes with descriptors of
 * `stride` bytes into the empty map of *bi: memory that boot services or loaders used
 * counts as free, the caller lays over it what it wants kept. STATUS_NO_MEMORY if there
 * are too many ranges, STATUS_BAD_ARG for a descriptor size that cannot be.
 */
MUST_CHECK enum status memory_map_convert(const void *map, size_t size, size_t stride,
					  struct boot_info *bi);
