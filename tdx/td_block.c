/* SPDX-License-Identifier: MIT */
/* BLOCK, TRACK, and what a blocked page can become. */
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

	/* The second look is at what the promotion made of it. */
	for (unsigned look = 0; look < 2 && !s; look++) {
		*slot = sept_find(&td->sept, at, LEVEL_4K);
		*e = td_sept_settle(*slot);
		if (mirror_is_busy(*e))
			return STATUS_BUSY;
		if (mirror_state_of(*e) != MIRROR_TABLE_MERGING)
			return sept_is_current(&td->sept, *slot) ? STATUS_OK : STATUS_BUSY;
		s = td_promote_finish(td, *slot);
	}
	return s ? s : STATUS_BUSY;
}

static bool is_blocked(mirror_entry_t e)
{
	return mirror_state_of(e) == MIRROR_BLOCKED ||
	       mirror_state_of(e) == MIRROR_PENDING_BLOCKED;
}

static mirror_entry_t blocked(mirror_entry_t e)
{
	return mirror_entry(mirror_state_of(e) == MIRROR_MAPPED ? MIRROR_BLOCKED
								: MIRROR_PENDING_BLOCKED,
			    mirror_frame_of(e));
}

static mirror_entry_t unblocked(mirror_entry_t e)
{
	return mirror_entry(mirror_state_of(e) == MIRROR_BLOCKED ? MIRROR_MAPPED
								 : MIRROR_PENDING,
			    mirror_frame_of(e));
}

enum status td_refused(struct td *td, struct sept_slot slot, mirror_entry_t e, tdx_status_t s,
		       const char *what)
{
	sept_commit(&td->sept, slot, e);
	return tdx_code(s) == TDX_TLB_TRACKING_NOT_DONE ? STATUS_BUSY : td_fail(td, s, what);
}

enum status td_block_claimed(struct td *td, struct sept_slot slot, mirror_entry_t e,
			     mirror_entry_t to)
{
	tdx_status_t s = tdh_mem_range_block(td, slot.base, slot.level);

	if (tdx_is_error(s))
		return td_refused(td, slot, e, s, "block");
	atomic_store(&td->must_track, true);
	sept_commit(&td->sept, slot, to);
	return STATUS_OK;
}

enum status td_unblock_claimed(struct td *td, struct sept_slot slot, mirror_entry_t e,
			       mirror_entry_t to)
{
	tdx_status_t s = tdh_mem_range_unblock(td, slot.base, slot.level);

	if (tdx_is_error(s))
		return td_refused(td, slot, e, s, "unblock");
	sept_commit(&td->sept, slot, to);
	return STATUS_OK;
}

enum status td_block(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);

	if (!mirror_is_leaf(e) || is_blocked(e))
		return STATUS_OK;
	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	return td_block_claimed(td, slot, e, blocked(e));
}

enum status td_unblock(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);

	if (!is_blocked(e))
		return mirror_is_busy(e) ? STATUS_BUSY : STATUS_OK;
	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	return td_unblock_claimed(td, slot, e, unblocked(e));
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

enum status td_demote_blocked(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);
	struct sept_node *node;
	enum status st;
	tdx_status_t s;
	hpa_t page;

	if (!is_blocked(e))
		return mirror_is_busy(e) ? STATUS_BUSY : STATUS_OK;
	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	node = sept_node_alloc(slot);
	st = node ? td_frame_take(LEVEL_4K, FRAME_SEPT, &page) : STATUS_NO_MEMORY;
	if (st) {
		sept_node_free(slot, node);
		sept_commit(&td->sept, slot, e);
		return st;
	}
	s = tdh_mem_page_demote(td, slot.base, slot.level, page);
	if (tdx_is_error(s)) {
		frame_free(page, PAGE_SIZE); /* a refused page is not consumed */
		sept_node_free(slot, node);
		return td_refused(td, slot, e, s, "demote");
	}
	sept_node_fill(&td->sept, node, slot.level - 1, mirror_state_of(unblocked(e)),
		       mirror_frame_of(e));
	sept_commit_table(&td->sept, slot, page, node);
	return STATUS_OK;
}

/* ---- Secure EPT pages without entries ---- */

static enum status block_table(struct td *td, struct sept_slot slot, mirror_entry_t e)
{
	if (sept_claim(&td->sept, slot, e))
		return STATUS_BUSY;
	if (!sept_is_empty(slot)) {
		sept_commit(&td->sept, slot, e);
		return STATUS_EXISTS;
	}
	return td_block_claimed(td, slot, e,
				mirror_entry(MIRROR_TABLE_BLOCKED, mirror_frame_of(e)));
}

void td_returned_put_table(struct td *td, struct td_returned *r, hpa_t page)
{
	/* Until its lines are written back it is memory of the TD like any other. */
	frame_set_owner(page, PAGE_SIZE, FRAME_TD_PRIVATE);
	td_returned_put(td, r, page, PAGE_SIZE);
}

static enum status remove_blocked_table(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);
	struct td_returned *record;
	tdx_status_t s;

	if (mirror_state_of(e) != MIRROR_TABLE_BLOCKED)
		return mirror_is_busy(e) ? STATUS_BUSY : STATUS_OK;
	record = td_returned_alloc();
	if (!record)
		return STATUS_NO_MEMORY;
	if (sept_claim(&td->sept, slot, e)) {
		td_returned_free(record);
		return STATUS_BUSY;
	}
	s = tdh_mem_sept_remove(td, slot.base, slot.level);
	if (tdx_is_error(s)) {
		td_returned_free(record);
		return td_refused(td, slot, e, s, "removal of a Secure EPT page");
	}
	sept_commit(&td->sept, slot, mirror_entry(MIRROR_FREE, hpa(0)));
	td_returned_put_table(td, record, mirror_frame_of(e));
	return STATUS_OK;
}

bool td_is_all_private(const struct td *td, gpa_t region, enum page_level level)
{
	enum page_level uniform;

	return td_is_private(td, region, &uniform) && uniform >= level &&
	       td_is_ram(td, region, level_size(level)) &&
	       !td_is_unmapping(td, region, level_size(level));
}

/* Calls `step` for the table of every 2M that the range touches; STATUS_EXISTS is no failure.
 */
static enum status each_table(struct td *td, gpa_t at, uint64_t size,
			      enum status (*step)(struct td *td, struct sept_slot slot))
{
	uint64_t end = at.raw + size;

	for (uint64_t r = align_down(at.raw, SIZE_2M); r < end; r += SIZE_2M) {
		struct sept_slot slot = sept_find(&td->sept, gpa(r), LEVEL_2M);
		enum status s = STATUS_OK;

		if (slot.level == LEVEL_2M && mirror_is_table(td_sept_settle(slot)))
			s = step(td, slot);
		if (s && s != STATUS_EXISTS)
			return s;
	}
	return STATUS_OK;
}

static enum status block_if_unused(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = sept_read(slot);

	if (mirror_state_of(e) != MIRROR_TABLE || mirror_is_busy(e) ||
	    !td_is_all_private(td, slot.base, LEVEL_2M))
		return STATUS_OK;
	return block_table(td, slot, e);
}

enum status td_drop_tables(struct td *td, gpa_t at, uint64_t size)
{
	enum status s;

	if (td->is_dead || !td->is_finalized)
		return STATUS_BAD_STATE;
	s = each_table(td, at, size, block_if_unused);
	if (!s)
		s = td_track(td);
	return s ? s : each_table(td, at, size, remove_blocked_table);
}

enum status td_remove_table(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = td_sept_settle(slot);
	enum status s;

	if (mirror_is_busy(e))
		return STATUS_BUSY;
	if (mirror_state_of(e) == MIRROR_TABLE) {
		s = block_table(td, slot, e);
		if (s)
			return s;
	}
	s = td_track(td);
	return s ? s : remove_blocked_table(td, slot);
}
