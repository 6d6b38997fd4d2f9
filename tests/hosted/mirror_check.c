/* SPDX-License-Identifier: MIT */
#include "tests/hosted/mirror_check.h"

#include <stdio.h>

#include "mm/frame.h"
#include "tdx/tdh.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"

static bool state_agrees(mirror_entry_t mirror, unsigned module)
{
	bool is_blocked = mirror_is_blocked(mirror);
	unsigned mapped = is_blocked ? SEPT_BLOCKED : SEPT_MAPPED;

	switch (mirror_state_of(mirror)) {
	case MIRROR_FREE:
		return module == SEPT_FREE && !is_blocked;
	case MIRROR_TABLE:
		return module == (is_blocked ? SEPT_NL_BLOCKED : SEPT_NL_MAPPED);
	case MIRROR_MAPPED:
		return module == mapped;
	case MIRROR_PENDING:
		return module == mapped ||
		       module == (is_blocked ? SEPT_PENDING_BLOCKED : SEPT_PENDING);
	}
	return false;
}

static void check_frame(gpa_t at, enum page_level level, mirror_entry_t e, uint64_t entry)
{
	hpa_t frame = mirror_frame_of(e);
	bool is_table = mirror_is_table(e);

	if (!is_table && (entry & MIRROR_FRAME_MASK) != frame.raw)
		test_fail(__FILE__, __LINE__,
			  "gpa %#llx level %u: mirror frame %#llx, module %#llx",
			  (unsigned long long)at.raw, level, (unsigned long long)frame.raw,
			  (unsigned long long)entry);
	if (frame_owner_of(frame) != (is_table ? FRAME_SEPT : FRAME_TD_PRIVATE) ||
	    !hosted_is_owned(frame.raw))
		test_fail(__FILE__, __LINE__,
			  "gpa %#llx: frame %#llx is %s, %sowned by the module",
			  (unsigned long long)at.raw, (unsigned long long)frame.raw,
			  frame_owner_name(frame_owner_of(frame)),
			  hosted_is_owned(frame.raw) ? "" : "not ");
}

static void check_below(struct td *td, struct sept_node *node, enum page_level level,
			gpa_t base)
{
	for (unsigned i = 0; i < SEPT_ENTRIES; i++) {
		struct sept_slot slot = {.node = node, .index = i, .level = level};
		gpa_t at = gpa_add(base, i * level_size(level));
		mirror_entry_t e = sept_read(slot);
		struct seamcall_regs out;
		tdx_status_t s;

		if (at.raw >= UINT64_C(1) << 47)
			return;
		s = tdh_mem_sept_rd(td, at, level, &out);
		if (tdx_is_error(s) || (out.rdx & 7) != level ||
		    !state_agrees(e, sept_rdx_state(out.rdx)))
			test_fail(__FILE__, __LINE__,
				  "gpa %#llx level %u: mirror %s, module %#llx (status %#llx)",
				  (unsigned long long)at.raw, level,
				  mirror_state_name(mirror_state_of(e)),
				  (unsigned long long)out.rdx, (unsigned long long)s.raw);
		if (mirror_state_of(e) != MIRROR_FREE)
			check_frame(at, level, e, out.rcx);
		if (level > LEVEL_4K && mirror_is_open_table(e))
			check_below(td, sept_child(slot), level - 1, at);
	}
}

void mirror_check(struct td *td) { check_below(td, td->sept.root, LEVEL_512G, gpa(0)); }
