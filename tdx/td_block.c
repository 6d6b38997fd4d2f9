/* SPDX-License-Identifier: MIT */
/* BLOCK, TRACK, and what a blocked entry can become. */
#define LOG_TAG "tdx"

#include "core/hw.h"
#include "tdx/td_private.h"

/* A claim lasts one SEAMCALL: long enough for it, short enough for a fault. */
#define SETTLE_PAUSES 10000

mirror_entry_t td_sept_settle(struct sept_slot slot)
{
	mirror_entry_t e = sept_read(slot);

	for (unsigned i = 0; mirror_is_busy(e) && i < SETTLE_PAUSES; i++) {
		hw_pause();
		e = sept_read(slot);
	}
	return e;
}

enum status td_sept_locate(struct td *td, gpa_t at, struct sept_slot *slot, mirror_entry_t *e)
{
	enum status s = STATUS_OK;

	/* The second look is at what became of a blocked table. */
	for (unsigned look = 0; look < 2 && !s; look++) {
		*slot = sept_find(&td->sept, at, LEVEL_4K);
		*e = td_sept_settle(*slot);
		if (mirror_is_busy(*e))
			return STATUS_BUSY;
		if (!mirror_is_table(*e))
			return sept_is_current(&td->sept, *slot) ? STATUS_OK : STATUS_BUSY;
		s = td_finish_table(td, *slot);
	}
	return s ? s : STATUS_BUSY;
}

enum status td_refused(struct td *td, struct sept_slot slot, mirror_entry_t e, tdx_status_t s,
		       const char *what)
{
	sept_commit(&td->sept, slot, e);
	return tdx_code(s) == TDX_TLB_TRACKING_NOT_DONE ? STATUS_BUSY : td_fail(td, s, what);
}

enum status td_block_claimed(struct td *td, struct sept_slot slot, mirror_entry_t e)
{
	tdx_status_t s = tdh_mem_range_block(td, slot.base, slot.level);

	if (tdx_is_error(s))
		return td_refused(td, slot, e, s, "block");
	atomic_store(&td->must_track, true);
	sept_commit(&td->sept, slot, (mirror_entry_t){e.raw | MIRROR_BLOCKED});
	return STATUS_OK;
}

enum status td_unblock_claimed(struct td *td, struct sept_slot slot, mirror_entry_t e)
{
	tdx_status_t s = tdh_mem_range_unblock(td, slot.base, slot.level);

	if (tdx_is_error(s))
		return td_refused(td, slot, e, s, "unblock");
	sept_commit(&td->sept, slot, (mirror_entry_t){e.raw & ~MIRROR_BLOCKED});
	return STATUS_OK;
}

enum status td_block(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);

	if (!mirror_is_leaf(e) || mirror_is_blocked(e))
		return STATUS_OK;
	return sept_claim(&td->sept, slot, e) ? STATUS_BUSY : td_block_claimed(td, slot, e);
}

enum status td_unblock(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);

	if (!mirror_is_leaf(e) || !mirror_is_blocked(e))
		return mirror_is_busy(e) ? STATUS_BUSY : STATUS_OK;
	return sept_claim(&td->sept, slot, e) ? STATUS_BUSY : td_unblock_claimed(td, slot, e);
}

/*
 * A BLOCK that finished before the exchange is served by this TRACK or by the one
 * that took the flag; if that one is still under way, what needs it says NOT_DONE and
 * is repeated. So nothing here needs a lock.
 */
enum status td_track(struct td *td)
{
	tdx_status_t s;

	if (!atomic_exchange(&td->must_track, false))
		return STATUS_OK;
	s = tdh_mem_track(td);
	if (!tdx_is_error(s))
		return STATUS_OK;
	atomic_store(&td->must_track, true);
	if (tdx_code(s) == TDX_PREVIOUS_TLB_EPOCH_BUSY)
		return STATUS_BUSY;
	return td_fail(td, s, "track");
}

enum status td_add_table(struct td *td, struct sept_slot slot, mirror_entry_t e)
{
	bool is_leaf = mirror_is_leaf(e);
	enum status st;
	tdx_status_t s;
	hpa_t page;

	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	st = sept_need_child(slot);
	if (!st)
		st = td_frame_take(td, LEVEL_4K, FRAME_SEPT, &page);
	if (st) {
		sept_commit(&td->sept, slot, e);
		return st;
	}
	s = is_leaf ? tdh_mem_page_demote(td, slot.base, slot.level, page)
		    : tdh_mem_sept_add(td, slot.base, slot.level, page);
	if (tdx_is_error(s)) {
		frame_free(page, PAGE_SIZE); /* a refused page is not consumed */
		return td_refused(td, slot, e, s, is_leaf ? "demote" : "Secure EPT page");
	}
	if (is_leaf)
		sept_fill_child(&td->sept, slot, (mirror_entry_t){e.raw & ~MIRROR_BLOCKED});
	sept_commit(&td->sept, slot, mirror_entry(MIRROR_TABLE, page));
	return STATUS_OK;
}

enum status td_demote_blocked(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);

	if (!mirror_is_leaf(e) || !mirror_is_blocked(e))
		return mirror_is_busy(e) ? STATUS_BUSY : STATUS_OK;
	return td_add_table(td, slot, e);
}

enum status td_remove_claimed(struct td *td, struct sept_slot slot, mirror_entry_t e)
{
	struct td_returned *record = td_returned_alloc();
	tdx_status_t s;

	if (!record) {
		sept_commit(&td->sept, slot, e);
		return STATUS_NO_MEMORY;
	}
	s = mirror_is_leaf(e) ? tdh_mem_page_remove(td, slot.base, slot.level)
			      : tdh_mem_sept_remove(td, slot.base, slot.level);
	if (tdx_is_error(s)) {
		td_returned_free(record);
		return td_refused(td, slot, e, s, "removal");
	}
	sept_commit(&td->sept, slot, MIRROR_FREE_ENTRY);
	td_returned_put(td, record, slot, e);
	return STATUS_OK;
}

enum status td_remove_blocked(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = sept_read(slot);

	if (!mirror_is_leaf(e) || !mirror_is_blocked(e) || sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	return td_remove_claimed(td, slot, e);
}
