/* SPDX-License-Identifier: MIT */
#include "tdx/tdmr_plan.h"

#include <stddef.h>

#include "core/string.h"

#define LOW_MEMORY_END                                                                         \
	UINT64_C(0x100000) /* firmware's and the AP trampoline's; never convertible */

/* Holes between CMRs and PAMT pieces that can lie in one TDMR. */
#define MAX_AREAS (TDX_MAX_CMRS + 1 + TDMR_PLAN_MAX_PAMT_RANGES)

struct range {
	uint64_t start, end; /* empty if start >= end */
};

struct planner {
	const struct tdmr_plan_input *in;
	struct tdmr_plan *plan;
	/* CMRs with touching neighbours joined: the module sees them so. */
	struct range cmr[TDX_MAX_CMRS];
	unsigned cmr_count;
};

static struct range range_of(struct hpa_range r)
{
	return (struct range){r.base.raw, r.base.raw + r.size};
}

static struct range tdmr_range(const struct tdx_tdmr_info *t)
{
	return (struct range){t->base, t->base + t->size};
}

static struct range clip(struct range a, struct range b)
{
	return (struct range){a.start > b.start ? a.start : b.start,
			      a.end < b.end ? a.end : b.end};
}

static uint64_t size_of(struct range r) { return r.start < r.end ? r.end - r.start : 0; }

static void join_cmrs(struct planner *p)
{
	for (unsigned i = 0; i < p->in->cmr_count && i < TDX_MAX_CMRS; i++) {
		struct range r = range_of(p->in->cmrs[i]);

		if (p->cmr_count && p->cmr[p->cmr_count - 1].end == r.start)
			p->cmr[p->cmr_count - 1].end = r.end;
		else
			p->cmr[p->cmr_count++] = r;
	}
}

/* Bytes of memory that are in CMRs within `r`. */
static uint64_t convertible(const struct planner *p, struct range r)
{
	uint64_t sum = 0;

	if (r.start < LOW_MEMORY_END)
		r.start = LOW_MEMORY_END;
	for (unsigned i = 0; i < p->in->memory_count; i++) {
		struct range m = clip(range_of(p->in->memory[i]), r);

		for (unsigned c = 0; c < p->cmr_count && size_of(m); c++)
			sum += size_of(clip(m, p->cmr[c]));
	}
	return sum;
}

/* ---- Areas that a TDMR must reserve ---- */

/* Ascending, none touches another. */
struct areas {
	struct range range[MAX_AREAS];
	unsigned count;
};

/* Joins what the new one touches. */
static void areas_add(struct areas *a, struct range r)
{
	unsigned first = 0;
	unsigned next;

	while (first < a->count && a->range[first].end < r.start)
		first++;
	for (next = first; next < a->count && a->range[next].start <= r.end; next++) {
		if (a->range[next].start < r.start)
			r.start = a->range[next].start;
		if (a->range[next].end > r.end)
			r.end = a->range[next].end;
	}
	memmove(&a->range[first + 1], &a->range[next], (a->count - next) * sizeof(r));
	a->range[first] = r;
	a->count = first + 1 + (a->count - next);
}

static void areas_of_holes(const struct planner *p, struct range tdmr, struct areas *out)
{
	uint64_t at = tdmr.start;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < p->cmr_count; i++) {
		struct range c = p->cmr[i];

		if (size_of(clip(c, tdmr)) == 0)
			continue;
		if (c.start > at)
			areas_add(out, (struct range){at, c.start});
		at = c.end;
	}
	if (at < tdmr.end)
		areas_add(out, (struct range){at, tdmr.end});
}

static void areas_add_pamts(const struct planner *p, struct range tdmr, struct areas *out)
{
	for (unsigned i = 0; i < p->plan->pamt_count; i++) {
		struct range pamt = clip(range_of(p->plan->pamts[i]), tdmr);

		if (size_of(pamt))
			areas_add(out, pamt);
	}
}

/* Reserves the smallest pieces of memory between two areas until the list is short enough. */
static void areas_shorten(struct planner *p, struct areas *a)
{
	while (a->count > p->in->max_reserved) {
		struct range best = {0, UINT64_MAX};

		for (unsigned i = 0; i + 1 < a->count; i++) {
			struct range piece = {a->range[i].end, a->range[i + 1].start};

			if (size_of(piece) < size_of(best))
				best = piece;
		}
		p->plan->lost_bytes += convertible(p, best);
		areas_add(a, best);
	}
}

/* ---- Which GiBs become which TDMR ---- */

static void remove_tdmr(struct tdmr_plan *plan, unsigned i)
{
	plan->tdmr_count--;
	memmove(&plan->tdmrs[i], &plan->tdmrs[i + 1],
		(plan->tdmr_count - i) * sizeof(plan->tdmrs[0]));
}

/* The TDMR with least to offer goes, so that another can be planned. */
static void drop_smallest(struct planner *p)
{
	unsigned worst = 0;
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < p->plan->tdmr_count; i++) {
		uint64_t bytes = convertible(p, tdmr_range(&p->plan->tdmrs[i]));

		if (bytes < least) {
			least = bytes;
			worst = i;
		}
	}
	p->plan->lost_bytes += least;
	remove_tdmr(p->plan, worst);
}

/*
 * May the TDMR grow by the GiB that follows it? Up to three areas are left for PAMTs; a TDMR is
 * split while there are TDMRs left, later areas_shorten() must help.
 */
static bool may_grow(const struct planner *p, const struct tdx_tdmr_info *t)
{
	struct areas areas;

	areas_of_holes(p, (struct range){t->base, t->base + t->size + SIZE_1G}, &areas);
	return areas.count + 3 <= p->in->max_reserved ||
	       p->plan->tdmr_count == p->in->max_tdmrs;
}

static void add_gib(struct planner *p, uint64_t base)
{
	struct tdmr_plan *plan = p->plan;
	struct tdx_tdmr_info *last =
		plan->tdmr_count ? &plan->tdmrs[plan->tdmr_count - 1] : NULL;

	if ((last && base < last->base + last->size) ||
	    convertible(p, (struct range){base, base + SIZE_1G}) == 0)
		return;
	if (last && base == last->base + last->size && may_grow(p, last)) {
		last->size += SIZE_1G;
		return;
	}
	if (plan->tdmr_count == p->in->max_tdmrs)
		drop_smallest(p);
	plan->tdmrs[plan->tdmr_count++] = (struct tdx_tdmr_info){.base = base, .size = SIZE_1G};
}

static void choose_tdmrs(struct planner *p)
{
	for (unsigned c = 0; c < p->cmr_count; c++)
		for (uint64_t base = align_down(p->cmr[c].start, SIZE_1G); base < p->cmr[c].end;
		     base += SIZE_1G)
			add_gib(p, base);
}

static struct tdx_tdmr_info *largest(struct tdmr_plan *plan)
{
	struct tdx_tdmr_info *best = &plan->tdmrs[0];

	for (unsigned i = 1; i < plan->tdmr_count; i++)
		if (plan->tdmrs[i].size > best->size)
			best = &plan->tdmrs[i];
	return best;
}

/* Cuts the TDMR after `size` bytes; the rest becomes another, or is lost when there is none
 * left.
 */
static void cut_tdmr(struct planner *p, struct tdx_tdmr_info *t, uint64_t size)
{
	struct tdmr_plan *plan = p->plan;
	struct range rest = {t->base + size, t->base + t->size};

	if (plan->tdmr_count == p->in->max_tdmrs || size == 0) {
		plan->lost_bytes += convertible(p, rest);
	} else {
		memmove(t + 1, t, (size_t)(&plan->tdmrs[plan->tdmr_count] - t) * sizeof(*t));
		plan->tdmr_count++;
		t[1].base = rest.start;
		t[1].size = size_of(rest);
	}
	t->size = size;
}

/* Halves the largest again and again: as many CPUs as there are TDMRs can initialise them. */
static void split_tdmrs(struct planner *p)
{
	while (p->plan->tdmr_count < p->in->split_to &&
	       p->plan->tdmr_count < p->in->max_tdmrs) {
		struct tdx_tdmr_info *t = largest(p->plan);

		if (t->size < 2 * SIZE_1G)
			return;
		cut_tdmr(p, t, align_up(t->size / 2, SIZE_1G));
	}
}

/* ---- PAMTs ---- */

static uint64_t pamt_size(const struct planner *p, const struct tdx_tdmr_info *t,
			  enum page_level level)
{
	return align_up(t->size / level_size(level) * p->in->pamt_entry_size[level], PAGE_SIZE);
}

/* From the top, so that low memory stays for what needs it. */
static bool pamt_place(struct planner *p, uint64_t size, hpa_t *out)
{
	struct tdmr_plan *plan = p->plan;

	for (unsigned i = p->cmr_count; i-- > 0;) {
		struct range c = clip(p->cmr[i], (struct range){LOW_MEMORY_END, UINT64_MAX});

		if (size_of(c) >= size &&
		    p->in->place(p->in->ctx, size, hpa(c.start), hpa(c.end), out)) {
			plan->pamts[plan->pamt_count++] = (struct hpa_range){*out, size};
			plan->pamt_bytes += size;
			return true;
		}
	}
	return false;
}

static void pamt_unplace_from(const struct tdmr_plan_input *in, struct tdmr_plan *plan,
			      unsigned first)
{
	while (plan->pamt_count > first) {
		const struct hpa_range *pamt = &plan->pamts[--plan->pamt_count];

		plan->pamt_bytes -= pamt->size;
		in->unplace(in->ctx, pamt->base, pamt->size);
	}
}

/* The PAMTs of `count` TDMRs from `t` on, in one piece. */
static bool pamt_place_together(struct planner *p, struct tdx_tdmr_info *t, unsigned count)
{
	uint64_t total = 0;
	hpa_t at;

	for (unsigned i = 0; i < count; i++)
		for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++)
			total += pamt_size(p, &t[i], l);
	if (!pamt_place(p, total, &at))
		return false;
	for (unsigned i = 0; i < count; i++)
		for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++) {
			uint64_t size = pamt_size(p, &t[i], l);

			*tdx_pamt(&t[i], l) = (struct tdx_pamt){at.raw, size};
			at = hpa_add(at, size);
		}
	return true;
}

/* One piece for a TDMR's three PAMTs, or three pieces. */
static bool pamt_place_tdmr(struct planner *p, struct tdx_tdmr_info *t)
{
	unsigned before = p->plan->pamt_count;
	hpa_t at;

	if (pamt_place_together(p, t, 1))
		return true;
	for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++) {
		uint64_t size = pamt_size(p, t, l);

		if (!pamt_place(p, size, &at)) {
			pamt_unplace_from(p->in, p->plan, before);
			return false;
		}
		*tdx_pamt(t, l) = (struct tdx_pamt){at.raw, size};
	}
	return true;
}

/* Cuts TDMR `i` until its PAMTs find a place; false when nothing of it is left. */
static bool pamt_fit_tdmr(struct planner *p, unsigned i)
{
	struct tdx_tdmr_info *t = &p->plan->tdmrs[i];

	while (t->size > 0) {
		if (pamt_place_tdmr(p, t))
			return true;
		cut_tdmr(p, t, align_down(t->size / 2, SIZE_1G));
	}
	remove_tdmr(p->plan, i);
	return false;
}

/* All PAMTs in one piece cost one reserved area; else a place for each TDMR. */
static void place_pamts(struct planner *p)
{
	if (pamt_place_together(p, p->plan->tdmrs, p->plan->tdmr_count))
		return;
	for (unsigned i = 0; i < p->plan->tdmr_count;)
		if (pamt_fit_tdmr(p, i))
			i++;
}

/* ---- The plan ---- */

static void reserve(struct planner *p, struct tdx_tdmr_info *t)
{
	struct areas areas;

	areas_of_holes(p, tdmr_range(t), &areas);
	areas_add_pamts(p, tdmr_range(t), &areas);
	areas_shorten(p, &areas);
	for (unsigned i = 0; i < areas.count; i++)
		t->reserved[i] = (struct tdx_reserved_area){areas.range[i].start - t->base,
							    size_of(areas.range[i])};
}

enum status tdmr_plan(const struct tdmr_plan_input *in, struct tdmr_plan *out)
{
	struct planner p = {.in = in, .plan = out};

	memset(out, 0, sizeof(*out));
	join_cmrs(&p);
	choose_tdmrs(&p);
	if (out->tdmr_count) {
		split_tdmrs(&p);
		place_pamts(&p);
	}
	for (unsigned i = 0; i < out->tdmr_count; i++) {
		reserve(&p, &out->tdmrs[i]);
		out->tdmr_bytes += out->tdmrs[i].size;
	}
	return out->tdmr_count ? STATUS_OK : STATUS_NOT_FOUND;
}

void tdmr_plan_release(const struct tdmr_plan_input *in, struct tdmr_plan *plan)
{
	pamt_unplace_from(in, plan, 0);
	plan->tdmr_count = 0;
}

bool tdmr_next_usable(const struct tdx_tdmr_info *t, uint64_t *at, uint64_t end,
		      struct hpa_range *out)
{
	struct range usable = clip((struct range){*at, end}, tdmr_range(t));

	for (unsigned r = 0; r < TDX_MAX_RESERVED && t->reserved[r].size; r++) {
		struct range area = {t->base + t->reserved[r].offset,
				     t->base + t->reserved[r].offset + t->reserved[r].size};

		if (area.start > usable.start) {
			usable.end = area.start < usable.end ? area.start : usable.end;
			break;
		}
		if (area.end > usable.start)
			usable.start = area.end;
	}
	*out = (struct hpa_range){hpa(usable.start), size_of(usable)};
	*at = usable.end;
	return out->size > 0;
}
