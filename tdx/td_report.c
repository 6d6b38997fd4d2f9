/* SPDX-License-Identifier: MIT */
#include "tdx/td_report.h"

#include <stddef.h>

#include "guest-abi/tdboot.h"

/* Entries of 2M or more that one call looks at. */
#define REGIONS_PER_CALL 4096U

const char *td_small_reason_text(enum td_small_reason reason)
{
	static const char *const texts[] = {
		[TD_SMALL_MEASURED] = "measured", [TD_SMALL_SHARED] = "partly shared",
		[TD_SMALL_CHANGING] = "changing", [TD_SMALL_ABSENT] = "partly absent",
		[TD_SMALL_SPLIT] = "split at 4K", [TD_SMALL_FRAMES] = "frames of several 2M",
	};

	return texts[reason];
}

/* ---- Secure EPT ---- */

/* What the entries below one 2M entry have in common. */
struct survey {
	uint64_t pages;
	bool is_measured, is_changing, is_one_frame;
};

static struct survey survey_pages(struct sept_slot region)
{
	struct survey v = {.is_one_frame = true};
	struct sept_slot slot = {.node = sept_child(region), .level = LEVEL_4K};
	hpa_t first = hpa(0);

	for (; slot.node != NULL && slot.index < SEPT_ENTRIES; slot.index++) {
		mirror_entry_t e = sept_read(slot);
		hpa_t frame = mirror_frame_of(e);

		v.is_changing |= mirror_is_busy(e);
		if (!mirror_is_leaf(e))
			continue;
		if (v.pages++ == 0)
			first = hpa(frame.raw - slot.index * SIZE_4K);
		v.is_measured |= mirror_state_of(e) == MIRROR_MAPPED && !mirror_is_blocked(e);
		v.is_changing |= mirror_is_blocked(e);
		v.is_one_frame &= frame.raw == first.raw + slot.index * SIZE_4K;
	}
	v.is_one_frame &= hpa_aligned(first, SIZE_2M);
	return v;
}

/* The first that holds: what cannot be otherwise comes before what could. */
static enum td_small_reason reason_of(const struct td *td, gpa_t at, const struct survey *v)
{
	enum page_level uniform;

	(void)gpa_map_lookup(&td->map, at, &uniform);
	if (v->is_measured)
		return TD_SMALL_MEASURED;
	if (v->is_changing)
		return TD_SMALL_CHANGING;
	if (uniform < LEVEL_2M)
		return TD_SMALL_SHARED;
	if (v->pages < SEPT_ENTRIES)
		return TD_SMALL_ABSENT;
	return v->is_one_frame ? TD_SMALL_SPLIT : TD_SMALL_FRAMES;
}

/* Adds the 4K pages of an entry to the run; false when they begin another one. */
static bool add_region(const struct td *td, struct sept_slot region, struct td_small_run *run)
{
	struct survey v = survey_pages(region);
	enum td_small_reason reason = reason_of(td, region.base, &v);

	if (v.pages == 0)
		return run->pages == 0;
	if (run->pages == 0)
		*run = (struct td_small_run){.from = region.base, .reason = reason};
	else if (reason != run->reason)
		return false;
	run->to = gpa_add(region.base, SIZE_2M);
	run->pages += v.pages;
	return true;
}

bool td_next_small_run(const struct td *td, gpa_t *at, struct td_small_run *run)
{
	gpa_t end = td->params.ram_high_end;

	run->pages = 0;
	for (unsigned i = 0; i < REGIONS_PER_CALL && at->raw < end.raw; i++) {
		struct sept_slot slot = sept_find(&td->sept, *at, LEVEL_2M);
		bool is_small = slot.level == LEVEL_2M && mirror_is_table(sept_read(slot));

		if (is_small ? !add_region(td, slot, run) : run->pages > 0)
			return true;
		*at = gpa_add(slot.base, level_size(slot.level));
	}
	return run->pages > 0;
}

/* ---- GPA map ---- */

bool td_next_gpa_run(const struct td *td, gpa_t at, struct td_gpa_run *run)
{
	gpa_t end = td->params.ram_low_end;

	if (at.raw >= end.raw) {
		end = td->params.ram_high_end;
		at = gpa(at.raw > TD_HIGH_RAM_BASE ? at.raw : TD_HIGH_RAM_BASE);
	}
	if (at.raw >= end.raw)
		return false;
	run->from = at;
	run->to = gpa_map_run_end(&td->map, at, end);
	run->kind = gpa_map_kind(&td->map, at);
	return true;
}
