/* SPDX-License-Identifier: MIT */
/*
 * The host's own page tables (4 levels). One tree for all CPUs, built once at boot and
 * extended later, never reduced, so no TLB shootdown exists. Addresses:
 *
 *	0xffff800000000000	direct map: all RAM, writable, never executable
 *	0xffffc00000000000	MMIO windows, uncached
 *	0xffffd00000000000	stacks, each with an unmapped page below it
 *	0xffffffff80000000	the kernel image
 *
 * Cacheable mappings leave the memory type to the MTRRs (PAT entry 0).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/status.h"

#define PAGING_WRITE    (1U << 0)
#define PAGING_EXECUTE  (1U << 1)
#define PAGING_UNCACHED (1U << 2)

/*
 * Starts an empty tree. Its tables come from [pool, pool+pool_size), 4K-aligned RAM
 * that is the caller's gift, and when that is used up from frame_alloc().
 */
void paging_init(hpa_t pool, uint64_t pool_size, bool has_1g_pages);

/* Physical address of the tree's root, for CR3. */
hpa_t paging_root(void);

/*
 * Maps [va, va+size) to [at, at+size), 4K-aligned, with the largest pages that fit. What
 * is mapped there already stays as it is. STATUS_NO_MEMORY may leave a part mapped.
 */
MUST_CHECK enum status paging_map(uint64_t va, hpa_t at, uint64_t size, unsigned flags);

/* Makes phys_ptr() work for [at, at+size): firmware tables outside RAM. Any alignment. */
MUST_CHECK enum status paging_map_direct(hpa_t at, uint64_t size);

/* An uncached window onto device registers, or NULL. Any alignment. */
volatile void *paging_map_mmio(hpa_t at, uint64_t size);

/* A stack of `size` bytes, 4K multiple, from fresh frames; *top is 16-byte aligned. */
MUST_CHECK enum status paging_map_stack(uint64_t size, uint64_t *top);
