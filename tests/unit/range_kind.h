/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/boot_info.h"

/* Kind of the byte at `at`. */
static inline enum boot_mem_kind boot_range_kind(const struct boot_info *bi, hpa_t at)
{
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];

		if (at.raw >= r->base.raw && at.raw - r->base.raw < r->size)
			return r->kind;
	}
	return BOOT_MEM_RESERVED;
}
