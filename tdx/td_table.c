/* SPDX-License-Identifier: MIT */
/* 512 small pages become a large one again: 2M of 4K, 1G of 2M. */
#define LOG_TAG "tdx"

#include "core/hw.h"
#include "core/log.h"
#include "tdx/td_private.h"

static mirror_entry_t table_of(mirror_entry_t e)
{
	return mirror_entry(MIRROR_TABLE, mirror_frame_of(e));
}

/* The guest accepts without telling, and in ascending order: the last page says it for all. */
static enum status check_accepted(struct td *td, struct sept_slot slot, unsigned last_pending)
{
	enum page_level small = slot.level - 1;
	struct sept_details details;
	tdx_status_t s;

	if (last_pending == SEPT_ENTRIES)
		return STATUS_OK;
	s = tdh_mem_sept_rd(td, gpa_add(slot.base, last_pending * level_size(small)), small,
			    &details);
	if (tdx_is_error(s))
		return STATUS_BUSY;
	return sept_rdx_state(details.level_state) == SEPT_MAPPED ? STATUS_OK : STATUS_BUSY;
}

/* Nobody changes an entry below a claimed or a blocked one. */
static enum status block_whole(struct td *td, struct sept_slot slot, mirror_entry_t e)
{
	enum status s = STATUS_NOT_FOUND;
	mirror_entry_t leaf;
	unsigned last_pending;

	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	if (td_is_all_private(td, slot.base, slot.level) &&
	    sept_is_whole(slot, &leaf, &last_pending))
		s = check_accepted(td, slot, last_pending);
	if (s) {
		sept_commit(&td->sept, slot, e);
		return s;
	}
	return td_block_claimed(td, slot, e,
				mirror_entry(MIRROR_TABLE_MERGING, mirror_frame_of(e)));
}

enum status td_promote_begin(struct td *td, gpa_t region, enum page_level level)
{
	enum status s = STATUS_NOT_FOUND;
	struct sept_slot slot;
	mirror_entry_t e;

	if (td->is_dead || !td->is_finalized)
		return STATUS_BAD_STATE;
	slot = sept_find(&td->sept, region, level);
	e = td_sept_settle(slot);
	if (mirror_is_busy(e))
		return STATUS_BUSY;
	if (slot.level == level && mirror_state_of(e) == MIRROR_TABLE)
		s = block_whole(td, slot, e);
	else if (slot.level == level && mirror_state_of(e) == MIRROR_TABLE_MERGING)
		s = STATUS_OK;
	if (s)
		return s;
	s = td_track(td);
	/* vCPUs of the epoch before still run: commit tracks once they were kicked. */
	return s == STATUS_BUSY ? STATUS_OK : s;
}

/*
 * The module wants it otherwise (a page is not accepted yet), or stays busy or interrupted: as
 * a table the range is accessible again, and that is what counts.
 */
static enum status give_up(struct td *td, struct sept_slot slot, mirror_entry_t e,
			   tdx_status_t s)
{
	if (tdx_code(s) == TDX_EPT_INVALID_PROMOTE_CONDITIONS || tdx_is_transient(s))
		return td_unblock_claimed(td, slot, e, table_of(e));
	return td_refused(td, slot, e, s, "promotion");
}

enum status td_promote_finish(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);
	struct td_returned *record;
	mirror_entry_t leaf;
	unsigned last_pending;
	enum status st;
	tdx_status_t s;

	if (mirror_state_of(e) != MIRROR_TABLE_MERGING)
		return mirror_is_busy(e) ? STATUS_BUSY : STATUS_OK;
	st = td_track(td);
	if (st)
		return st;
	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	record = td_returned_alloc();
	if (!record || !sept_is_whole(slot, &leaf, &last_pending)) {
		td_returned_free(record);
		return td_unblock_claimed(td, slot, e, table_of(e));
	}
	s = tdh_mem_page_promote(td, slot.base, slot.level);
	if (tdx_is_error(s)) {
		td_returned_free(record);
		return give_up(td, slot, e, s);
	}
	sept_commit_leaf(&td->sept, slot, leaf);
	td_returned_put_table(td, record, mirror_frame_of(e));
	return STATUS_OK;
}

enum status td_promote_commit(struct td *td, gpa_t region, enum page_level level)
{
	struct sept_slot slot;
	enum status s;

	if (td->is_dead)
		return STATUS_BAD_STATE;
	slot = sept_find(&td->sept, region, level);
	s = slot.level == level ? td_promote_finish(td, slot) : STATUS_NOT_FOUND;
	if (s)
		return s;
	return mirror_is_leaf(sept_read(slot)) ? STATUS_OK : STATUS_NOT_FOUND;
}
