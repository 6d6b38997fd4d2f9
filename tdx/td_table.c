/* SPDX-License-Identifier: MIT */
/* Secure EPT pages that go: empty ones for good, and full ones when a large page takes their
 * place. */
#define LOG_TAG "tdx"

#include "tdx/td_private.h"

/* The guest accepts without telling, and in ascending order: the last page says it for all. */
static enum status check_accepted(struct td *td, struct sept_slot slot, unsigned last_pending)
{
	enum page_level small = slot.level - 1;
	struct seamcall_regs out;

	if (last_pending == SEPT_ENTRIES)
		return STATUS_OK;
	if (tdx_is_error(tdh_mem_sept_rd(
		    td, gpa_add(slot.base, last_pending * level_size(small)), small, &out)))
		return STATUS_BUSY;
	return sept_rdx_state(out.rdx) == SEPT_MAPPED ? STATUS_OK : STATUS_BUSY;
}

static enum status check_whole(struct td *td, struct sept_slot slot)
{
	mirror_entry_t leaf;
	unsigned last_pending;

	if (!td_is_all_private(td, slot.base, slot.level) ||
	    !sept_is_whole(slot, &leaf, &last_pending))
		return STATUS_NOT_FOUND;
	return check_accepted(td, slot, last_pending);
}

static enum status check_empty(struct td *td, struct sept_slot slot)
{
	(void)td;
	return sept_is_empty(slot) ? STATUS_OK : STATUS_EXISTS;
}

typedef enum status (*slot_fn)(struct td *td, struct sept_slot slot);

/* BLOCKs a table if `check` agrees. Nobody changes an entry below a claimed or blocked one. */
static enum status block_table(struct td *td, struct sept_slot slot, mirror_entry_t e,
			       slot_fn check)
{
	enum status s;

	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	s = check(td, slot);
	if (!s)
		return td_block_claimed(td, slot, e);
	sept_commit(&td->sept, slot, e);
	return s;
}

/*
 * PROMOTE. If the module wants it otherwise (a page is not accepted yet), or stays busy or
 * interrupted: as a table the range is accessible again, and that is what counts.
 */
static enum status promote_claimed(struct td *td, struct sept_slot slot, mirror_entry_t e)
{
	struct td_returned *record = td_returned_alloc();
	mirror_entry_t leaf;
	unsigned last_pending;
	tdx_status_t s;

	if (!record || !sept_is_whole(slot, &leaf, &last_pending)) {
		td_returned_free(record);
		return td_unblock_claimed(td, slot, e);
	}
	s = tdh_mem_page_promote(td, slot.base, slot.level);
	if (!tdx_is_error(s)) {
		sept_commit_leaf(&td->sept, slot, leaf);
		td_returned_put(td, record, slot, e);
		return STATUS_OK;
	}
	td_returned_free(record);
	if (tdx_code(s) == TDX_EPT_INVALID_PROMOTE_CONDITIONS || tdx_is_transient(s))
		return td_unblock_claimed(td, slot, e);
	return td_refused(td, slot, e, s, "promotion");
}

enum status td_finish_table(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);
	enum status s;

	if (!mirror_is_table(e) || !mirror_is_blocked(e))
		return mirror_is_busy(e) ? STATUS_BUSY : STATUS_OK;
	s = td_track(td);
	if (s)
		return s;
	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	return sept_is_empty(slot) ? td_remove_claimed(td, slot, e)
				   : promote_claimed(td, slot, e);
}

enum status td_remove_table(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);
	enum status s = STATUS_OK;

	if (mirror_is_open_table(e))
		s = block_table(td, slot, e, check_empty);
	return s ? s : td_finish_table(td, slot);
}

/* ---- All of a range ---- */

bool td_is_all_private(const struct td *td, gpa_t region, enum page_level level)
{
	enum page_level uniform;

	return td_is_private(td, region, &uniform) && uniform >= level &&
	       td_is_ram(td, region, level_size(level)) &&
	       !td_is_unmapping(td, region, level_size(level));
}

static enum status block_if_unused(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = sept_read(slot);
	enum status s = STATUS_OK;

	if (mirror_is_open_table(e) && !mirror_is_busy(e) &&
	    td_is_all_private(td, slot.base, LEVEL_2M))
		s = block_table(td, slot, e, check_empty);
	return s == STATUS_EXISTS ? STATUS_OK : s;
}

/* Calls `step` for the table of every 2M that the range touches. */
static enum status each_table(struct td *td, gpa_t at, uint64_t size, slot_fn step)
{
	uint64_t end = at.raw + size;
	enum status s = STATUS_OK;

	for (uint64_t r = align_down(at.raw, SIZE_2M); r < end && !s; r += SIZE_2M) {
		struct sept_slot slot = sept_find(&td->sept, gpa(r), LEVEL_2M);

		if (slot.level == LEVEL_2M && mirror_is_table(td_sept_settle(slot)))
			s = step(td, slot);
	}
	return s;
}

enum status td_drop_tables(struct td *td, gpa_t at, uint64_t size)
{
	enum status s;

	if (td->is_dead || !td->is_finalized)
		return STATUS_BAD_STATE;
	s = each_table(td, at, size, block_if_unused);
	return s ? s : each_table(td, at, size, td_finish_table);
}

/* ---- Promotion ---- */

enum status td_promote_begin(struct td *td, gpa_t region, enum page_level level)
{
	struct sept_slot slot;
	mirror_entry_t e;
	enum status s;

	if (td->is_dead || !td->is_finalized)
		return STATUS_BAD_STATE;
	slot = sept_find(&td->sept, region, level);
	e = td_sept_settle(slot);
	if (mirror_is_busy(e))
		return STATUS_BUSY;
	if (slot.level != level || !mirror_is_table(e))
		return STATUS_NOT_FOUND;
	s = mirror_is_blocked(e) ? STATUS_OK : block_table(td, slot, e, check_whole);
	if (s)
		return s;
	s = td_track(td);
	/* vCPUs of the epoch before still run: commit tracks once they were kicked. */
	return s == STATUS_BUSY ? STATUS_OK : s;
}

enum status td_promote_commit(struct td *td, gpa_t region, enum page_level level)
{
	struct sept_slot slot;
	enum status s;

	if (td->is_dead)
		return STATUS_BAD_STATE;
	slot = sept_find(&td->sept, region, level);
	s = slot.level == level ? td_finish_table(td, slot) : STATUS_NOT_FOUND;
	if (s)
		return s;
	return mirror_is_leaf(sept_read(slot)) ? STATUS_OK : STATUS_NOT_FOUND;
}
