/* SPDX-License-Identifier: MIT */
/* Private memory that a TD gets: in advance and on its faults. */
#define LOG_TAG "tdx"

#include "core/log.h"
#include "guest-abi/ghci.h"
#include "tdx/td_private.h"

static const mirror_entry_t free_entry = {MIRROR_FREE};

/* A frame for the module; memory that waits for its write-back is called in before giving up.
 */
static enum status take_frame(struct td *td, enum page_level level, enum frame_owner owner,
			      hpa_t *out)
{
	enum status s = td_frame_take(level, owner, out);

	if (s != STATUS_NO_MEMORY || atomic_load(&td->returned_bytes) == 0)
		return s;
	s = td_returned_collect(td);
	return s ? s : td_frame_take(level, owner, out);
}

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

enum status td_take_private(struct td *td, struct sept_slot slot, hpa_t *out)
{
	*out = fitting_frame(td, slot);
	if (out->raw && frame_alloc_at(*out, slot.level, FRAME_TD_PRIVATE) == STATUS_OK)
		return STATUS_OK;
	return take_frame(td, slot.level, FRAME_TD_PRIVATE, out);
}

/* Puts a Secure EPT page below a free entry. */
static enum status add_table(struct td *td, struct sept_slot slot)
{
	struct sept_node *node;
	enum status st;
	tdx_status_t s;
	hpa_t page;

	if (sept_claim(&td->sept, slot, free_entry))
		return STATUS_BUSY;
	node = sept_node_alloc(slot);
	st = node ? take_frame(td, LEVEL_4K, FRAME_SEPT, &page) : STATUS_NO_MEMORY;
	if (st) {
		sept_node_free(slot, node);
		sept_commit(&td->sept, slot, free_entry);
		return st;
	}
	s = tdh_mem_sept_add(td, slot.base, slot.level, page);
	if (tdx_is_error(s)) {
		frame_free(page, PAGE_SIZE); /* a refused page is not consumed */
		sept_node_free(slot, node);
		sept_commit(&td->sept, slot, free_entry);
		return td_fail(td, s, "Secure EPT page");
	}
	sept_commit_table(&td->sept, slot, page, node);
	return STATUS_OK;
}

enum status td_sept_reach(struct td *td, gpa_t at, enum page_level level,
			  struct sept_slot *slot)
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
		s = STATUS_OK;
		if (mirror_state_of(e) == MIRROR_FREE)
			s = add_table(td, *slot);
		else if (mirror_state_of(e) == MIRROR_TABLE_BLOCKED)
			s = td_remove_table(td, *slot);
		else if (mirror_state_of(e) == MIRROR_TABLE_MERGING)
			s = td_promote_finish(td, *slot);
		if (s && s != STATUS_BUSY)
			return s;
	}
	return STATUS_BUSY;
}

/* AUGs one page of `level`. STATUS_EXISTS: something is there. STATUS_NO_MEMORY: no such frame.
 */
static enum status install(struct td *td, gpa_t at, enum page_level level)
{
	struct sept_slot slot;
	tdx_status_t s;
	hpa_t frame;
	enum status st = td_sept_reach(td, at, level, &slot);

	if (st)
		return st;
	if (mirror_state_of(td_sept_settle(slot)) != MIRROR_FREE)
		return STATUS_EXISTS;
	if (sept_claim(&td->sept, slot, free_entry))
		return STATUS_BUSY;
	/* Only now: an unmap that began before the claim is seen here, a later one sees the
	 * claim. */
	st = td_is_unmapping(td, slot.base, level_size(level))
		     ? STATUS_BUSY
		     : td_take_private(td, slot, &frame);
	if (st) {
		sept_commit(&td->sept, slot, free_entry);
		return st;
	}
	s = tdh_mem_page_aug(td, slot.base, level, frame);
	if (tdx_is_error(s)) {
		frame_free(frame, level_size(level)); /* a refused page is not consumed */
		sept_commit(&td->sept, slot, free_entry);
		return td_fail(td, s, "page");
	}
	sept_commit(&td->sept, slot, mirror_entry(MIRROR_PENDING, frame));
	return STATUS_OK;
}

/* The largest page at `at` that RAM, the map, `room` and an unmap under way allow. */
static enum page_level best_level(const struct td *td, gpa_t at, uint64_t room)
{
	gpa_t base = gpa(align_down(at.raw, SIZE_2M));
	enum page_level uniform;

	(void)gpa_map_lookup(&td->map, at, &uniform);
	if (uniform >= LEVEL_2M && gpa_aligned(at, SIZE_2M) && room >= SIZE_2M &&
	    td_is_ram(td, base, SIZE_2M) && !td_is_unmapping(td, base, SIZE_2M))
		return LEVEL_2M;
	return LEVEL_4K;
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
		s = install(td, at, LEVEL_2M);
	if (s == STATUS_NO_MEMORY)
		count_scattered(td);
	return s;
}

/* One step of populate: the next page, 2M if possible. *step is how far it went. */
static enum status populate_step(struct td *td, gpa_t at, uint64_t room, uint64_t *step)
{
	enum page_level level = best_level(td, at, room);
	enum status s;

	*step = level_size(level);
	s = level == LEVEL_2M ? install_2m(td, at) : install(td, at, level);
	if (level == LEVEL_4K)
		return s == STATUS_EXISTS ? STATUS_OK : s;
	if (s == STATUS_EXISTS) {
		struct sept_slot slot = sept_find(&td->sept, at, LEVEL_2M);

		if (mirror_is_leaf(sept_read(slot)))
			return STATUS_OK;
	} else if (s != STATUS_NO_MEMORY) {
		return s;
	}
	/* A table is there already, or no free 2M frame: page by page. */
	*step = SIZE_4K;
	s = install(td, at, LEVEL_4K);
	return s == STATUS_EXISTS ? STATUS_OK : s;
}

enum status td_populate(struct td *td, gpa_t at, uint64_t size)
{
	uint64_t end = at.raw + size;

	if (td->is_dead)
		return STATUS_BAD_STATE;
	if (!gpa_aligned(at, SIZE_4K) || size % SIZE_4K || !td_is_ram(td, at, size))
		return STATUS_BAD_ARG;
	while (at.raw < end) {
		enum page_level uniform;
		uint64_t step = SIZE_4K;
		enum status s;

		if (gpa_map_lookup(&td->map, at, &uniform) == GPA_SHARED) {
			at = gpa_map_run_end(&td->map, at, gpa(end));
			continue;
		}
		s = populate_step(td, at, end - at.raw, &step);
		if (s)
			return s;
		at = gpa_add(at, step);
	}
	return STATUS_OK;
}

/* What is 1G was accepted before it became so. */
static bool must_split(struct sept_slot slot, enum page_level limit)
{
	return slot.level == LEVEL_2M && slot.level > limit;
}

/* The guest accepts 4K where a 2M page is pending: it gets 512 of 4K. */
static enum status split_pending(struct td *td, struct sept_slot slot)
{
	enum status s = td_block(td, slot);

	if (!s)
		s = td_track(td);
	return s ? s : td_demote_blocked(td, slot);
}

/* A block that nobody will finish (its unmap is over): the page becomes accessible again. */
static enum status finish_block(struct td *td, struct sept_slot slot, enum page_level limit)
{
	enum status s = td_track(td);

	if (s)
		return s;
	return must_split(slot, limit) ? td_demote_blocked(td, slot) : td_unblock(td, slot);
}

/* 2M around the fault where that is legal, wanted and there is a frame; else the one page. */
static enum status install_missing(struct td *td, gpa_t at, enum page_level limit)
{
	gpa_t region = gpa(align_down(at.raw, SIZE_2M));
	enum status s = STATUS_NO_MEMORY;

	if (limit >= LEVEL_2M && best_level(td, region, SIZE_2M) == LEVEL_2M)
		s = install_2m(td, region);
	if (s == STATUS_NO_MEMORY || s == STATUS_EXISTS)
		s = install(td, at, LEVEL_4K);
	return s == STATUS_EXISTS ? STATUS_OK : s;
}

enum status td_resolve_fault(struct td *td, gpa_t at, enum page_level limit)
{
	struct sept_slot slot;
	mirror_entry_t e;
	enum page_level uniform;
	enum status s;

	if (td->is_dead)
		return STATUS_BAD_STATE;
	at = gpa(align_down(at.raw, SIZE_4K));
	if (!td_is_ram(td, at, SIZE_4K))
		return STATUS_BAD_ARG;
	if (td_is_unmapping(td, at, SIZE_4K))
		return STATUS_BUSY;
	if (gpa_map_lookup(&td->map, at, &uniform) == GPA_SHARED)
		return STATUS_BAD_ARG;
	s = td_sept_locate(td, at, &slot, &e);
	if (s)
		return s;
	switch (mirror_state_of(e)) {
	case MIRROR_BLOCKED:
	case MIRROR_PENDING_BLOCKED:
		return finish_block(td, slot, limit);
	case MIRROR_PENDING:
		return must_split(slot, limit) ? split_pending(td, slot) : STATUS_OK;
	case MIRROR_MAPPED:
		return STATUS_OK;
	case MIRROR_FREE:
	case MIRROR_TABLE:
	case MIRROR_TABLE_BLOCKED:
	case MIRROR_TABLE_MERGING:
		break;
	}
	return install_missing(td, at, limit);
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
		format(buf, size, "%s, %s %s frame 0x%llx%s", kind, level_name[slot.level],
		       mirror_state_name(mirror_state_of(e)),
		       (unsigned long long)mirror_frame_of(e).raw,
		       mirror_is_busy(e) ? ", changing" : "");
	else
		format(buf, size, "%s, no page (%s entry %s)", kind, level_name[slot.level],
		       mirror_state_name(mirror_state_of(e)));
}
