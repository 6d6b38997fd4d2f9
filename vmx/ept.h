/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables (SDM vol. 3, 29.3): a small 4-level builder, used for the shared
 * half of a TD's memory. Not thread-safe: the owner serialises writers; readers are the CPUs.
 *
 * An entry that was never set is not present with suppress-#VE 1: an access exits to
 * the host. An MMIO entry is not present with suppress-#VE 0: an access is the guest's #VE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/status.h"

#define EPT_READ  1U
#define EPT_WRITE 2U
#define EPT_EXEC  4U

#define EPT_MEMTYPE_WB  (UINT64_C(6) << 3)
#define EPT_LARGE       (UINT64_C(1) << 7)
#define EPT_SUPPRESS_VE (UINT64_C(1) << 63)
#define EPT_ADDR_MASK   UINT64_C(0x000ffffffffff000)

struct ept {
	hpa_t root;
	uint64_t fixed_bits;  /* ORed into every GPA before the walk */
	uint64_t table_count; /* pages of this EPT, root included; FRAME_SHARED */
};

/*
 * An empty EPT. The CPU walks the EPT for shared GPAs with the shared bit in place, so a
 * TD's owner passes TD_SHARED_BIT; 0 for a plain guest. STATUS_NO_MEMORY.
 */
MUST_CHECK enum status ept_init(struct ept *ept, uint64_t fixed_bits);

/*
 * Maps the page of `level` (4K, 2M, 1G) at `at` to `to`, write-back, with EPT_* `perms`.
 * Replaces whatever was there, frees no table that a CPU may still walk: replacing
 * or unmapping is followed by INVEPT on every CPU concerned. STATUS_EXISTS when
 * smaller pages are mapped below `at`; STATUS_BAD_ARG if misaligned; STATUS_NO_MEMORY.
 */
MUST_CHECK enum status ept_map(struct ept *ept, gpa_t at, hpa_t to, enum page_level level,
			       unsigned perms);

/* Makes [at, at+size), 4K multiples, MMIO. STATUS_NO_MEMORY, STATUS_BAD_ARG. */
MUST_CHECK enum status ept_map_mmio(struct ept *ept, gpa_t at, uint64_t size);

/*
 * Removes the page that covers `at` and tells what it was; the frame remains the caller's,
 * to be freed after INVEPT on every CPU that ran the guest. STATUS_NOT_FOUND.
 */
MUST_CHECK enum status ept_unmap(struct ept *ept, gpa_t at, hpa_t *was, enum page_level *level);

/* The present page that covers `at`: its first frame and level. False when none. */
bool ept_lookup(const struct ept *ept, gpa_t at, hpa_t *page, enum page_level *level);

/*
 * Frees every table, and of what they mapped the frames of FRAME_SHARED; others stay the
 * caller's. After INVEPT on every CPU that ran the guest, which runs no more.
 */
void ept_destroy(struct ept *ept);

/* INVEPT of all contexts on this CPU. Needs VMX operation. */
void vmx_invept_all(void);
