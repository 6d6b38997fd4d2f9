/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/boot_info.h"

/* CR3 of every CPU once host_map_build() has run. */
extern uint64_t kernel_cr3;

/*
 * Builds the final page tables (mm/paging.h) and switches this CPU to them. The memory
 * they take becomes BOOT_MEM_KERNEL in *bi. Panics if there is none.
 */
void host_map_build(struct boot_info *bi);
