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

typedef enum status (*leaf_fn)(struct td *td, struct sept_slot slot);

/* Calls `step` for the leaf that `edge` cuts through, if any. */
static enum status at_edge(struct td *td, gpa_t edge, leaf_fn step)
{
	struct sept_slot slot;
	mirror_entry_t e;
	enum status s = td_sept_locate(td, edge, &slot, &e);

	if (s || slot.base.raw == edge.raw || !mirror_is_leaf(e))
		return s;
	return step(td, slot);
}

static enum status at_edges(struct td *td, gpa_t at, gpa_t end, leaf_fn step)
{
	enum status s = at_edge(td, at, step);

	return s ? s : at_edge(td, end, step);
}

/* 1G to 2M, then 2M to 4K; both edges cost one TRACK each. */
static enum status demote_edges(struct td *td, gpa_t at, gpa_t end)
{
	enum status s = STATUS_OK;

	for (enum page_level level = LEVEL_1G; level > LEVEL_4K && !s; level--) {
		s = at_edges(td, at, end, td_block);
		if (!s)
			s = td_track(td);
		if (!s)
			s = at_edges(td, at, end, td_demote_blocked);
	}
	return s;
}

/* Calls `step` for every leaf of the range. */
static enum status each_leaf(struct td *td, gpa_t at, gpa_t end, leaf_fn step)
{
	while (at.raw < end.raw) {
		struct sept_slot slot;
		mirror_entry_t e;
		enum status s = td_sept_locate(td, at, &slot, &e);

		if (!s && mirror_is_leaf(e))
			s = step(td, slot);
		if (s)
			return s;
		at = gpa_add(slot.base, level_size(slot.level));
	}
	return STATUS_OK;
}

/* Is a part of the page outside the range? Whole it must not go then. */
static bool is_cut(const struct td *td, struct sept_slot slot)
{
	uint64_t base = atomic_load(&td->unmap_base);

	return slot.base.raw < base ||
	       slot.base.raw + level_size(slot.level) > base + atomic_load(&td->unmap_size);
}

/* A fault beside the range may have unblocked a page before it was split. */
static enum status block_leaf(struct td *td, struct sept_slot slot)
{
	return is_cut(td, slot) ? STATUS_BUSY : td_block(td, slot);
}

/* BUSY keeps what was done for the repetition; a lack of memory undoes it. */
static enum status undo_without_memory(struct td *td, enum status s)
{
	return s == STATUS_NO_MEMORY && td_unmap_private_cancel(td) ? STATUS_BUSY : s;
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
	s = demote_edges(td, at, end);
	if (!s)
		s = each_leaf(td, at, end, block_leaf);
	if (!s)
		s = td_track(td);
	return undo_without_memory(td, s);
}

/* Without memory the records of frames that wait are used once more, after their write-back: a
 * removal that has begun can go on. */
static enum status remove_leaf(struct td *td, struct sept_slot slot)
{
	enum status s = is_cut(td, slot) ? STATUS_BUSY : td_remove_blocked(td, slot);

	while (s == STATUS_NO_MEMORY && !(s = td_returned_collect(td)))
		s = td_remove_blocked(td, slot);
	return s;
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
		s = each_leaf(td, at, gpa_add(at, size), block_leaf);
	if (!s)
		s = td_track(td);
	if (!s)
		s = each_leaf(td, at, gpa_add(at, size), remove_leaf);
	if (!s)
		unmap_release(td);
	return undo_without_memory(td, s);
}

static bool is_private(const struct td *td, gpa_t at, gpa_t end)
{
	return gpa_map_kind(&td->map, at) == GPA_PRIVATE &&
	       gpa_map_run_end(&td->map, at, end).raw == end.raw;
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
	/* It may lack memory, so not where commit has not got that far. */
	if (!s && !is_private(td, at, gpa_add(at, size)))
		s = gpa_map_set(&td->map, at, size, GPA_PRIVATE);
	if (!s)
		unmap_release(td);
	return s;
}

enum status td_mark_private(struct td *td, gpa_t at, uint64_t size)
{
	if (!td_is_ram(td, at, size))
		return STATUS_BAD_ARG;
	if (td_is_unmapping(td, at, size))
		return STATUS_BUSY;
	return gpa_map_set(&td->map, at, size, GPA_PRIVATE);
}
