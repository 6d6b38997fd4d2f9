/* SPDX-License-Identifier: MIT */
/* Private memory that a TD gives up: private -> shared, in two halves with a kick of its vCPUs
 * in between. */
#define LOG_TAG "tdx"

#include "tdx/td_private.h"

/* One range at a time per TD. STATUS_OK also when this very range is under way already. */
static enum status unmap_claim(struct td *td, gpa_t at, uint64_t size)
{
	enum status s = STATUS_OK;

	spin_lock(&td->unmap_lock);
	if (atomic_load(&td->unmap_size) == 0) {
		atomic_store(&td->unmap_base, at.raw);
		atomic_store(&td->unmap_size, size);
	} else if (atomic_load(&td->unmap_base) != at.raw ||
		   atomic_load(&td->unmap_size) != size) {
		s = STATUS_BUSY;
	}
	spin_unlock(&td->unmap_lock);
	return s;
}

static bool unmap_is_claimed(const struct td *td, gpa_t at, uint64_t size)
{
	return atomic_load(&td->unmap_size) == size && atomic_load(&td->unmap_base) == at.raw;
}

static void unmap_release(struct td *td) { atomic_store(&td->unmap_size, 0); }

/* The leaf that `edge` cuts through, if any. */
static bool cut_leaf(struct td *td, uint64_t edge, struct sept_slot *slot)
{
	*slot = sept_find(&td->sept, gpa(edge), LEVEL_4K);
	return slot->base.raw != edge && mirror_is_leaf(td_sept_settle(*slot));
}

/* Both edges cost one TRACK. */
static enum status demote_edges(struct td *td, gpa_t at, uint64_t end)
{
	const uint64_t edges[] = {at.raw, end};
	struct sept_slot slot;
	enum status s = STATUS_OK;

	for (unsigned i = 0; i < 2 && !s; i++)
		if (cut_leaf(td, edges[i], &slot))
			s = td_block(td, slot);
	if (!s)
		s = td_track(td);
	for (unsigned i = 0; i < 2 && !s; i++)
		if (cut_leaf(td, edges[i], &slot))
			s = td_demote_blocked(td, slot);
	/* A fault beside the range may have unblocked a page first: whole it must not go. */
	for (unsigned i = 0; i < 2 && !s; i++)
		if (cut_leaf(td, edges[i], &slot))
			s = STATUS_BUSY;
	return s;
}

/* Calls `step` for every leaf of the range. */
static enum status each_leaf(struct td *td, gpa_t at, gpa_t end,
			     enum status (*step)(struct td *td, struct sept_slot slot))
{
	while (at.raw < end.raw) {
		struct sept_slot slot = sept_find(&td->sept, at, LEVEL_4K);
		mirror_entry_t e = td_sept_settle(slot);
		enum status s = STATUS_OK;

		if (mirror_is_busy(e))
			return STATUS_BUSY;
		if (mirror_is_leaf(e))
			s = step(td, slot);
		if (s)
			return s;
		at = gpa_add(slot.base, level_size(slot.level));
	}
	return STATUS_OK;
}

enum status td_unmap_private_begin(struct td *td, gpa_t at, uint64_t size)
{
	gpa_t end = gpa_add(at, size);
	enum status s;

	if (td->is_dead)
		return STATUS_BAD_STATE;
	if (size == 0 || !gpa_aligned(at, SIZE_4K) || size % SIZE_4K ||
	    !td_is_ram(td, at, size))
		return STATUS_BAD_ARG;
	s = unmap_claim(td, at, size);
	if (s)
		return s;
	s = demote_edges(td, at, end.raw);
	if (!s)
		s = each_leaf(td, at, end, td_block);
	if (!s)
		s = td_track(td);
	/* BUSY keeps what was done for the repetition; no memory for a demotion undoes it. */
	if (s == STATUS_NO_MEMORY && td_unmap_private_cancel(td))
		return STATUS_BUSY;
	return s;
}

static enum status remove_leaf(struct td *td, struct sept_slot slot)
{
	struct tdx_retry retry = {0};
	mirror_entry_t e = sept_read(slot);
	struct td_returned *record;
	tdx_status_t s;

	if (mirror_state_of(e) != MIRROR_BLOCKED &&
	    mirror_state_of(e) != MIRROR_PENDING_BLOCKED)
		return STATUS_BUSY;
	record = td_returned_alloc();
	if (!record)
		return STATUS_NO_MEMORY;
	if (sept_claim(slot, e)) {
		td_returned_free(record);
		return STATUS_BUSY;
	}
	do {
		s = tdh_mem_page_remove(td->tdr, slot.base, slot.level);
	} while (td_retry(td, &retry, s));
	if (tdx_is_error(s)) {
		td_returned_free(record);
		sept_commit(&td->sept, slot, e);
		return tdx_code(s) == TDX_TLB_TRACKING_NOT_DONE ? STATUS_BUSY
								: td_fail(td, s, "remove");
	}
	sept_commit(&td->sept, slot, mirror_entry(MIRROR_FREE, hpa(0)));
	td_returned_put(td, record, mirror_frame_of(e), level_size(slot.level));
	return STATUS_OK;
}

enum status td_unmap_private_commit(struct td *td, gpa_t at, uint64_t size)
{
	enum status s;

	if (td->is_dead)
		return STATUS_BAD_STATE;
	if (!unmap_is_claimed(td, at, size))
		return STATUS_BAD_ARG;
	/* The map first: it may lack memory, and then nothing has changed. */
	s = gpa_map_set(&td->map, at, size, GPA_SHARED);
	/* A fault that was under way at begin may have undone a block since: once more. */
	if (!s)
		s = each_leaf(td, at, gpa_add(at, size), td_block);
	if (!s)
		s = td_track(td);
	if (!s)
		s = each_leaf(td, at, gpa_add(at, size), remove_leaf);
	if (!s)
		unmap_release(td);
	return s;
}

enum status td_unmap_private_cancel(struct td *td)
{
	gpa_t at = gpa(atomic_load(&td->unmap_base));
	uint64_t size = atomic_load(&td->unmap_size);
	enum status s;

	if (size == 0)
		return STATUS_OK;
	s = td_track(td);
	if (!s)
		s = each_leaf(td, at, gpa_add(at, size), td_unblock);
	if (!s)
		s = gpa_map_set(&td->map, at, size, GPA_PRIVATE);
	if (!s)
		unmap_release(td);
	return s;
}

enum status td_mark_private(struct td *td, gpa_t at, uint64_t size)
{
	if (!td_is_ram(td, at, size))
		return STATUS_BAD_ARG;
	if (atomic_load(&td->unmap_size) && at.raw < td->unmap_base + td->unmap_size &&
	    td->unmap_base < at.raw + size)
		return STATUS_BUSY;
	return gpa_map_set(&td->map, at, size, GPA_PRIVATE);
}
