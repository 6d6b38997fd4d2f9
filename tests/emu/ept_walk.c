/* SPDX-License-Identifier: MIT */
#include "tests/emu/ept_walk.h"

#include "tests/emu/emu.h"

#define ENTRY_RWX         UINT64_C(7)
#define ENTRY_MEMTYPE(e)  ((e) >> 3 & 7)
#define ENTRY_LARGE       (UINT64_C(1) << 7)
#define ENTRY_SUPPRESS_VE (UINT64_C(1) << 63)
#define ENTRY_ADDR        UINT64_C(0x000ffffffffff000)

static bool is_valid_memtype(unsigned type)
{
	return type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
}

/* Reserved combinations of a present entry. */
static bool is_misconfigured(uint64_t entry, unsigned level, bool is_leaf)
{
	uint64_t low = ENTRY_ADDR & ((UINT64_C(1) << (12 + 9 * level)) - 1);

	if ((entry & EPT_WALK_R) == 0 && (entry & EPT_WALK_W) != 0)
		return true;
	if ((entry & ENTRY_ADDR) >> EMU_HPA_BITS != 0)
		return true;
	if (!is_leaf)
		return (entry & 0x78) != 0 || (level > 2 && (entry & ENTRY_LARGE) != 0);
	return !is_valid_memtype((unsigned)ENTRY_MEMTYPE(entry)) || (entry & low) != 0;
}

enum ept_result ept_walk(uint64_t root, unsigned levels, uint64_t gpa, struct ept_walk *walk)
{
	uint64_t table = root;

	*walk = (struct ept_walk){.perms = (unsigned)ENTRY_RWX, .level = levels - 1};
	for (;; walk->level--) {
		unsigned shift = 12 + 9 * walk->level;
		uint64_t entry = ((const volatile uint64_t *)table)[gpa >> shift & 511];
		bool is_leaf =
			walk->level == 0 || (walk->level < 3 && (entry & ENTRY_LARGE) != 0);

		walk->suppress_ve = (entry & ENTRY_SUPPRESS_VE) != 0;
		if ((entry & ENTRY_RWX) == 0)
			return EPT_WALK_NOT_PRESENT;
		if (is_misconfigured(entry, walk->level, is_leaf))
			return EPT_WALK_MISCONFIGURED;
		walk->perms &= (unsigned)(entry & ENTRY_RWX);
		if (is_leaf) {
			walk->hpa = entry & ENTRY_ADDR;
			return EPT_WALK_MAPPED;
		}
		table = entry & ENTRY_ADDR;
	}
}
