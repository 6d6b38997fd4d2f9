/* SPDX-License-Identifier: MIT */
/* Private memory that a TD gets: in advance and on its faults. */
#define LOG_TAG "tdx"

#include "core/log.h"
#include "mm/phys.h"
#include "tdx/td_private.h"

/* Where the frames of its neighbours say that the entry's own lies; 0 if they do not. */
static hpa_t frame_beside_neighbours(struct sept_slot slot, bool *has_neighbours)
{
	uint64_t size = level_size(slot.level);

	*has_neighbours = false;
	for (unsigned i = 1; i < SEPT_ENTRIES && !*has_neighbours; i++) {
		unsigned index = (slot.index - i) % SEPT_ENTRIES;
		mirror_entry_t e = {atomic_load(&slot.node->entry[index])};
		hpa_t base = hpa(mirror_frame_of(e).raw - index * size);

		*has_neighbours = mirror_is_leaf(e);
		if (*has_neighbours && base.raw % level_size(slot.level + 1) == 0)
			return hpa_add(base, slot.index * size);
	}
	return hpa(0);
}

/*
 * The frame of an entry that all pages of its table would need to be contiguous, and so fit to
 * be promoted; 0 if there is none. The first page of a table chooses where that is, if the
 * table will probably be filled: measured pages, and where all is private RAM.
 */
static hpa_t fitting_frame(struct td *td, struct sept_slot slot)
{
	enum page_level above = slot.level + 1;
	gpa_t region = gpa(align_down(slot.base.raw, level_size(above)));
	bool has_neighbours;
	hpa_t frame = frame_beside_neighbours(slot, &has_neighbours);

	if (has_neighbours ||
	    !((slot.level == LEVEL_4K && !td->is_finalized) ||
	      td_is_all_private(td, region, above)) ||
	    frame_find(above, &frame))
		return frame;
	return hpa_add(frame, slot.index * level_size(slot.level));
}

static enum status take_private(struct td *td, struct sept_slot slot, hpa_t *out)
{
	*out = fitting_frame(td, slot);
	if (out->raw && frame_alloc_at(*out, slot.level, FRAME_TD_PRIVATE) == STATUS_OK)
		return STATUS_OK;
	return td_frame_take(td, slot.level, FRAME_TD_PRIVATE, out);
}

/*
 * Makes the entry of `level` for `at` exist, with Secure EPT pages above it. STATUS_EXISTS: a
 * larger page is there.
 */
static enum status reach(struct td *td, gpa_t at, enum page_level level, struct sept_slot *slot)
{
	/* One round per level, and another look at each entry that somebody else had claimed.
	 */
	for (unsigned round = 0; round < 2 * (LEVEL_512G + 1U); round++) {
		mirror_entry_t e;
		enum status s;

		*slot = sept_find(&td->sept, at, level);
		if (slot->level == level)
			return STATUS_OK;
		e = td_sept_settle(*slot);
		if (mirror_is_leaf(e))
			return STATUS_EXISTS;
		if (mirror_is_busy(e))
			return STATUS_BUSY;
		s = mirror_is_table(e) ? td_finish_table(td, *slot)
				       : td_add_table(td, *slot, e);
		if (s && s != STATUS_BUSY)
			return s;
	}
	return STATUS_BUSY;
}

/* AUGs a page or, with the content of `source`, ADDs it. */
static tdx_status_t give(struct td *td, struct sept_slot slot, hpa_t frame, const void *source)
{
	return source ? tdh_mem_page_add(td, slot.base, frame, phys_of(source))
		      : tdh_mem_page_aug(td, slot.base, slot.level, frame);
}

enum status td_install(struct td *td, gpa_t at, enum page_level level, const void *source)
{
	struct sept_slot slot;
	tdx_status_t s;
	hpa_t frame;
	enum status st = reach(td, at, level, &slot);

	if (st)
		return st;
	if (mirror_state_of(td_sept_settle(slot)) != MIRROR_FREE)
		return STATUS_EXISTS;
	if (sept_claim(&td->sept, slot, MIRROR_FREE_ENTRY))
		return STATUS_BUSY;
	/* Only now: an unmap that began before the claim, or is over, is seen here; a later one
	 * sees the claim. Measured pages may lie outside of RAM. */
	st = source || td_is_all_private(td, slot.base, level) ? take_private(td, slot, &frame)
							       : STATUS_BUSY;
	if (st) {
		sept_commit(&td->sept, slot, MIRROR_FREE_ENTRY);
		return st;
	}
	s = give(td, slot, frame, source);
	if (tdx_is_error(s)) {
		if (source) /* the build ends here: the page is not worth a doubt */
			td_frame_quarantine(td, frame, PAGE_SIZE, "measured page");
		else
			frame_free(frame, level_size(level)); /* it was not consumed */
		return td_refused(td, slot, MIRROR_FREE_ENTRY, s, "page");
	}
	sept_commit(&td->sept, slot,
		    mirror_entry(source ? MIRROR_MAPPED : MIRROR_PENDING, frame));
	return STATUS_OK;
}

void td_log_scattered(struct td *td)
{
	uint64_t regions = atomic_load(&td->scattered);

	if (regions > 0)
		log_warn("TD %s: %llu regions of 2M are in 4K pages: host memory is fragmented",
			 td->name, (unsigned long long)regions);
}

/* Those of the build are logged at its end; else the first one. */
static void count_scattered(struct td *td)
{
	if (atomic_fetch_add(&td->scattered, 1) == 0 && td->is_finalized)
		td_log_scattered(td);
}

/*
 * 2M at `at`; a table without pages, which conversions leave, makes room. STATUS_EXISTS and
 * STATUS_NO_MEMORY as install().
 */
static enum status install_2m(struct td *td, gpa_t at)
{
	struct sept_slot slot = sept_find(&td->sept, at, LEVEL_2M);
	enum status s = STATUS_OK;

	if (slot.level == LEVEL_2M && mirror_is_table(sept_read(slot)))
		s = td_remove_table(td, slot);
	if (!s)
		s = td_install(td, at, LEVEL_2M, NULL);
	if (s == STATUS_NO_MEMORY)
		count_scattered(td);
	return s;
}

/*
 * A page at `at`: 2M around it if `limit` says so and all of that is private RAM, else 4K, for
 * want of a frame or beside 4K pages. STATUS_OK also if there is one already.
 */
static enum status install_best(struct td *td, gpa_t at, enum page_level limit)
{
	gpa_t region = gpa(align_down(at.raw, SIZE_2M));
	enum status s = STATUS_NO_MEMORY;

	if (limit >= LEVEL_2M && td_is_all_private(td, region, LEVEL_2M))
		s = install_2m(td, region);
	if (s == STATUS_NO_MEMORY || s == STATUS_EXISTS)
		s = td_install(td, at, LEVEL_4K, NULL);
	return s == STATUS_EXISTS ? STATUS_OK : s;
}

enum status td_populate(struct td *td, gpa_t at, uint64_t size)
{
	gpa_t end = gpa_add(at, size);

	if (td->is_dead)
		return STATUS_BAD_STATE;
	if (!gpa_aligned(at, SIZE_4K) || size % SIZE_4K || !td_is_ram(td, at, size))
		return STATUS_BAD_ARG;
	while (at.raw < end.raw) {
		bool fits = gpa_aligned(at, SIZE_2M) && end.raw - at.raw >= SIZE_2M;
		struct sept_slot slot;
		enum status s;

		if (gpa_map_kind(&td->map, at) == GPA_SHARED) {
			at = gpa_map_run_end(&td->map, at, end);
			continue;
		}
		s = install_best(td, at, fits ? LEVEL_2M : LEVEL_4K);
		if (s)
			return s;
		slot = sept_find(&td->sept, at, LEVEL_4K);
		at = mirror_is_leaf(sept_read(slot))
			     ? gpa_add(slot.base, level_size(slot.level))
			     : gpa_add(at, SIZE_4K);
	}
	return STATUS_OK;
}

enum status td_resolve_fault(struct td *td, gpa_t at, enum page_level limit)
{
	struct sept_slot slot;
	bool must_split;
	mirror_entry_t e;
	enum status s;

	if (td->is_dead)
		return STATUS_BAD_STATE;
	at = gpa(align_down(at.raw, SIZE_4K));
	if (!td_is_ram(td, at, SIZE_4K))
		return STATUS_BAD_ARG;
	if (td_is_unmapping(td, at, SIZE_4K))
		return STATUS_BUSY;
	if (gpa_map_kind(&td->map, at) == GPA_SHARED)
		return STATUS_BAD_ARG;
	s = td_sept_locate(td, at, &slot, &e);
	if (s)
		return s;
	if (!mirror_is_leaf(e))
		return install_best(td, at, limit);
	/* The guest accepts 4K of 2M: it gets 512 of 4K. What is 1G was accepted before. */
	must_split = slot.level == LEVEL_2M && limit < LEVEL_2M;
	if (!mirror_is_blocked(e) && !(must_split && mirror_state_of(e) == MIRROR_PENDING))
		return STATUS_OK;
	s = td_block(td, slot);
	if (!s)
		s = td_track(td);
	if (s)
		return s;
	/* A block that nobody will finish (its unmap is over): the page is accessible again. */
	return must_split ? td_demote_blocked(td, slot) : td_unblock(td, slot);
}

bool td_is_private(const struct td *td, gpa_t at, enum page_level *uniform)
{
	return gpa_map_lookup(&td->map, at, uniform) == GPA_PRIVATE;
}

void td_describe_gpa(struct td *td, gpa_t at, char *buf, size_t size)
{
	static const char *const level_name[] = {"4K", "2M", "1G", "512G"};
	struct sept_slot slot = sept_find(&td->sept, at, LEVEL_4K);
	mirror_entry_t e = sept_read(slot);
	enum page_level uniform;
	const char *kind = td_is_private(td, at, &uniform) ? "private" : "shared";

	if (mirror_is_leaf(e))
		format(buf, size, "%s, %s %s%s frame 0x%llx%s", kind, level_name[slot.level],
		       mirror_state_name(mirror_state_of(e)),
		       mirror_is_blocked(e) ? ", blocked," : "",
		       (unsigned long long)mirror_frame_of(e).raw,
		       mirror_is_busy(e) ? ", changing" : "");
	else
		format(buf, size, "%s, no page (%s entry %s%s)", kind, level_name[slot.level],
		       mirror_state_name(mirror_state_of(e)),
		       mirror_is_blocked(e) ? ", blocked" : "");
}
