/* SPDX-License-Identifier: MIT */
#include "tdx/tdmr_plan.h"

#include "core/string.h"

#define LOW_MEMORY_END                                                                         \
	UINT64_C(0x100000) /* firmware's and the AP trampoline's; never convertible */

/* Holes between CMRs and PAMT pieces that can lie in one TDMR. */
#define MAX_AREAS (TDX_MAX_CMRS + 1 + TDMR_PLAN_MAX_PAMT_RANGES)

struct range {
	uint64_t start, end;
};

/* CMRs with touching neighbours joined: the module sees them so. */
struct cmrs {
	struct range range[TDX_MAX_CMRS];
	unsigned count;
};

static void join_cmrs(const struct tdmr_plan_input *in, struct cmrs *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < in->cmr_count && i < TDX_MAX_CMRS; i++) {
		struct range r = {in->cmrs[i].base.raw,
				  in->cmrs[i].base.raw + in->cmrs[i].size};

		if (out->count && out->range[out->count - 1].end == r.start)
			out->range[out->count - 1].end = r.end;
		else
			out->range[out->count++] = r;
	}
}

static uint64_t overlap(struct range a, struct range b)
{
	uint64_t start = a.start > b.start ? a.start : b.start;
	uint64_t end = a.end < b.end ? a.end : b.end;

	return start < end ? end - start : 0;
}

static struct range memory_range(const struct tdmr_plan_input *in, unsigned i)
{
	struct range r = {in->memory[i].base.raw, in->memory[i].base.raw + in->memory[i].size};

	if (r.start < LOW_MEMORY_END)
		r.start = r.end < LOW_MEMORY_END ? r.end : LOW_MEMORY_END;
	return r;
}

/* Bytes of memory that are in CMRs within `r`. */
static uint64_t convertible(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			    struct range r)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < in->memory_count; i++) {
		struct range m = memory_range(in, i);

		if (overlap(m, r) == 0)
			continue;
		if (m.start < r.start)
			m.start = r.start;
		if (m.end > r.end)
			m.end = r.end;
		for (unsigned c = 0; c < cmrs->count; c++)
			sum += overlap(m, cmrs->range[c]);
	}
	return sum;
}

/* ---- Areas that a TDMR must reserve ---- */

struct areas {
	struct range range[MAX_AREAS];
	unsigned count;
};

/* Keeps the list ascending; joins what touches. */
static void areas_add(struct areas *a, struct range r)
{
	unsigned i = a->count;

	while (i > 0 && a->range[i - 1].start > r.start)
		i--;
	if (i > 0 && a->range[i - 1].end >= r.start) {
		if (a->range[i - 1].end < r.end)
			a->range[i - 1].end = r.end;
		i--;
	} else {
		memmove(&a->range[i + 1], &a->range[i], (a->count - i) * sizeof(r));
		a->range[i] = r;
		a->count++;
	}
	while (i + 1 < a->count && a->range[i].end >= a->range[i + 1].start) {
		if (a->range[i].end < a->range[i + 1].end)
			a->range[i].end = a->range[i + 1].end;
		memmove(&a->range[i + 1], &a->range[i + 2], (a->count - i - 2) * sizeof(r));
		a->count--;
	}
}

static void areas_of_holes(const struct cmrs *cmrs, struct range tdmr, struct areas *out)
{
	uint64_t at = tdmr.start;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < cmrs->count; i++) {
		struct range c = cmrs->range[i];

		if (c.end <= at || c.start >= tdmr.end)
			continue;
		if (c.start > at)
			areas_add(out, (struct range){at, c.start});
		at = c.end;
	}
	if (at < tdmr.end)
		areas_add(out, (struct range){at, tdmr.end});
}

static void areas_add_pamts(const struct tdmr_plan *plan, struct range tdmr, struct areas *out)
{
	for (unsigned i = 0; i < plan->pamt_count; i++) {
		struct range p = {plan->pamts[i].base.raw,
				  plan->pamts[i].base.raw + plan->pamts[i].size};

		if (overlap(p, tdmr) == 0)
			continue;
		if (p.start < tdmr.start)
			p.start = tdmr.start;
		if (p.end > tdmr.end)
			p.end = tdmr.end;
		areas_add(out, p);
	}
}

/* Reserves the smallest pieces of memory between two areas until the list is short enough. */
static uint64_t areas_shorten(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			      struct areas *a)
{
	uint64_t lost = 0;

	while (a->count > in->max_reserved) {
		unsigned best = 0;
		struct range piece;

		for (unsigned i = 1; i + 1 < a->count; i++)
			if (a->range[i + 1].start - a->range[i].end <
			    a->range[best + 1].start - a->range[best].end)
				best = i;
		piece = (struct range){a->range[best].end, a->range[best + 1].start};
		lost += convertible(in, cmrs, piece);
		areas_add(a, piece);
	}
	return lost;
}

/* ---- Which GiBs become which TDMR ---- */

static bool is_wanted(const struct tdmr_plan_input *in, const struct cmrs *cmrs, uint64_t gib,
		      uint64_t first)
{
	struct range r = {gib * SIZE_1G, (gib + 1) * SIZE_1G};

	return gib >= first && convertible(in, cmrs, r) > 0;
}

/* The lowest GiB that must be covered so that `pool` bytes are, counted from the top. */
static uint64_t first_wanted(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			     uint64_t end)
{
	uint64_t sum = 0;
	uint64_t gib = end;

	if (in->pool == 0)
		return 0;
	while (gib > 0 && sum < in->pool) {
		gib--;
		sum += convertible(in, cmrs,
				   (struct range){gib * SIZE_1G, (gib + 1) * SIZE_1G});
	}
	return gib;
}

/* The TDMR with least to offer goes, so that another can be planned. */
static void drop_smallest(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			  struct tdmr_plan *plan)
{
	unsigned worst = 0;
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < plan->tdmr_count; i++) {
		const struct tdx_tdmr_info *t = &plan->tdmrs[i];
		uint64_t bytes =
			convertible(in, cmrs, (struct range){t->base, t->base + t->size});

		if (bytes < least) {
			least = bytes;
			worst = i;
		}
	}
	plan->lost_bytes += least;
	plan->tdmr_count--;
	memmove(&plan->tdmrs[worst], &plan->tdmrs[worst + 1],
		(plan->tdmr_count - worst) * sizeof(plan->tdmrs[0]));
}

/*
 * May the TDMR grow by the GiB that follows it? Up to three areas are left for PAMTs; a TDMR is
 * split while there are TDMRs left, later areas_shorten() must help.
 */
static bool may_grow(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
		     const struct tdmr_plan *plan, const struct tdx_tdmr_info *t)
{
	struct areas areas;

	areas_of_holes(cmrs, (struct range){t->base, t->base + t->size + SIZE_1G}, &areas);
	return areas.count + 3 <= in->max_reserved || plan->tdmr_count == in->max_tdmrs;
}

static void choose_tdmrs(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			 struct tdmr_plan *plan)
{
	uint64_t end = align_up(cmrs->range[cmrs->count - 1].end, SIZE_1G) / SIZE_1G;
	uint64_t first = first_wanted(in, cmrs, end);

	for (unsigned c = 0; c < cmrs->count; c++) {
		uint64_t gib = cmrs->range[c].start / SIZE_1G;
		uint64_t last = (cmrs->range[c].end - 1) / SIZE_1G;

		for (; gib <= last; gib++) {
			struct tdx_tdmr_info *t = NULL;

			if (plan->tdmr_count)
				t = &plan->tdmrs[plan->tdmr_count - 1];
			if ((t && gib * SIZE_1G < t->base + t->size) ||
			    !is_wanted(in, cmrs, gib, first))
				continue;
			if (t && t->base + t->size == gib * SIZE_1G &&
			    may_grow(in, cmrs, plan, t)) {
				t->size += SIZE_1G;
				continue;
			}
			if (plan->tdmr_count == in->max_tdmrs)
				drop_smallest(in, cmrs, plan);
			plan->tdmrs[plan->tdmr_count++] =
				(struct tdx_tdmr_info){.base = gib * SIZE_1G, .size = SIZE_1G};
		}
	}
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
static void cut_tdmr(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
		     struct tdmr_plan *plan, struct tdx_tdmr_info *t, uint64_t size)
{
	struct range rest = {t->base + size, t->base + t->size};

	if (plan->tdmr_count == in->max_tdmrs || size == 0) {
		plan->lost_bytes += convertible(in, cmrs, rest);
	} else {
		memmove(t + 1, t, (size_t)(&plan->tdmrs[plan->tdmr_count] - t) * sizeof(*t));
		plan->tdmr_count++;
		t[1].base = rest.start;
		t[1].size = rest.end - rest.start;
	}
	t->size = size;
}

/* Halves the largest again and again: as many CPUs as there are TDMRs can initialise them. */
static void split_tdmrs(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			struct tdmr_plan *plan)
{
	while (plan->tdmr_count < in->split_to && plan->tdmr_count < in->max_tdmrs) {
		struct tdx_tdmr_info *t = largest(plan);

		if (t->size < 2 * SIZE_1G)
			return;
		cut_tdmr(in, cmrs, plan, t, align_up(t->size / 2, SIZE_1G));
	}
}

/* ---- PAMTs ---- */

static uint64_t pamt_size(const struct tdmr_plan_input *in, uint64_t tdmr_size,
			  enum page_level level)
{
	return align_up(tdmr_size / level_size(level) * in->pamt_entry_size[level], PAGE_SIZE);
}

static uint64_t pamt_size_all(const struct tdmr_plan_input *in, uint64_t tdmr_size)
{
	return pamt_size(in, tdmr_size, LEVEL_4K) + pamt_size(in, tdmr_size, LEVEL_2M) +
	       pamt_size(in, tdmr_size, LEVEL_1G);
}

static void pamt_set(const struct tdmr_plan_input *in, struct tdx_tdmr_info *t,
		     enum page_level level, uint64_t base)
{
	uint64_t size = pamt_size(in, t->size, level);

	switch (level) {
	case LEVEL_4K:
		t->pamt_4k_base = base;
		t->pamt_4k_size = size;
		break;
	case LEVEL_2M:
		t->pamt_2m_base = base;
		t->pamt_2m_size = size;
		break;
	case LEVEL_1G:
		t->pamt_1g_base = base;
		t->pamt_1g_size = size;
		break;
	case LEVEL_512G:
		break;
	}
}

/* Gives a TDMR its three PAMTs, one after the other from `base`; returns the end. */
static uint64_t pamt_set_all(const struct tdmr_plan_input *in, struct tdx_tdmr_info *t,
			     uint64_t base)
{
	for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++) {
		pamt_set(in, t, l, base);
		base += pamt_size(in, t->size, l);
	}
	return base;
}

/* From the top, so that low memory stays for what needs it. */
static bool pamt_place(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
		       struct tdmr_plan *plan, uint64_t size, hpa_t *out)
{
	for (unsigned i = cmrs->count; i-- > 0;) {
		struct range c = cmrs->range[i];

		if (c.start < LOW_MEMORY_END)
			c.start = LOW_MEMORY_END;
		if (c.start < c.end && c.end - c.start >= size &&
		    in->place(in->ctx, size, hpa(c.start), hpa(c.end), out)) {
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
		const struct hpa_range *p = &plan->pamts[--plan->pamt_count];

		plan->pamt_bytes -= p->size;
		in->unplace(in->ctx, p->base, p->size);
	}
}

/* One piece for a TDMR's three PAMTs, or three pieces. */
static bool pamt_place_tdmr(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			    struct tdmr_plan *plan, struct tdx_tdmr_info *t)
{
	unsigned before = plan->pamt_count;
	hpa_t at;

	if (pamt_place(in, cmrs, plan, pamt_size_all(in, t->size), &at)) {
		(void)pamt_set_all(in, t, at.raw);
		return true;
	}
	for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++) {
		if (!pamt_place(in, cmrs, plan, pamt_size(in, t->size, l), &at)) {
			pamt_unplace_from(in, plan, before);
			return false;
		}
		pamt_set(in, t, l, at.raw);
	}
	return true;
}

/* Cuts TDMR `i` until its PAMTs find a place; false when nothing of it is left. */
static bool pamt_fit_tdmr(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			  struct tdmr_plan *plan, unsigned i)
{
	struct tdx_tdmr_info *t = &plan->tdmrs[i];

	while (t->size > 0) {
		if (pamt_place_tdmr(in, cmrs, plan, t))
			return true;
		cut_tdmr(in, cmrs, plan, t, align_down(t->size / 2, SIZE_1G));
	}
	plan->tdmr_count--;
	memmove(t, t + 1, (plan->tdmr_count - i) * sizeof(*t));
	return false;
}

/* All PAMTs in one piece cost one reserved area; else a place for each TDMR. */
static void place_pamts(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
			struct tdmr_plan *plan)
{
	uint64_t total = 0;
	hpa_t at;

	for (unsigned i = 0; i < plan->tdmr_count; i++)
		total += pamt_size_all(in, plan->tdmrs[i].size);
	if (pamt_place(in, cmrs, plan, total, &at)) {
		uint64_t next = at.raw;

		for (unsigned i = 0; i < plan->tdmr_count; i++)
			next = pamt_set_all(in, &plan->tdmrs[i], next);
		return;
	}
	for (unsigned i = 0; i < plan->tdmr_count;)
		if (pamt_fit_tdmr(in, cmrs, plan, i))
			i++;
}

/* ---- The plan ---- */

static void reserve(const struct tdmr_plan_input *in, const struct cmrs *cmrs,
		    struct tdmr_plan *plan, struct tdx_tdmr_info *t)
{
	struct range tdmr = {t->base, t->base + t->size};
	struct areas areas;

	areas_of_holes(cmrs, tdmr, &areas);
	areas_add_pamts(plan, tdmr, &areas);
	plan->lost_bytes += areas_shorten(in, cmrs, &areas);
	for (unsigned i = 0; i < areas.count; i++)
		t->reserved[i] =
			(struct tdx_reserved_area){areas.range[i].start - t->base,
						   areas.range[i].end - areas.range[i].start};
}

enum status tdmr_plan(const struct tdmr_plan_input *in, struct tdmr_plan *out)
{
	struct cmrs cmrs;

	memset(out, 0, sizeof(*out));
	join_cmrs(in, &cmrs);
	if (cmrs.count == 0)
		return STATUS_NOT_FOUND;
	choose_tdmrs(in, &cmrs, out);
	if (out->tdmr_count) {
		split_tdmrs(in, &cmrs, out);
		place_pamts(in, &cmrs, out);
	}
	for (unsigned i = 0; i < out->tdmr_count; i++) {
		reserve(in, &cmrs, out, &out->tdmrs[i]);
		out->tdmr_bytes += out->tdmrs[i].size;
	}
	return out->tdmr_count ? STATUS_OK : STATUS_NOT_FOUND;
}

void tdmr_plan_release(const struct tdmr_plan_input *in, struct tdmr_plan *plan)
{
	pamt_unplace_from(in, plan, 0);
	plan->tdmr_count = 0;
}

static void emit_overlap(struct range a, struct hpa_range window,
			 void (*emit)(void *ctx, hpa_t base, uint64_t size), void *ctx)
{
	struct range w = {window.base.raw, window.base.raw + window.size};

	if (overlap(a, w))
		emit(ctx, hpa(a.start > w.start ? a.start : w.start), overlap(a, w));
}

void tdmr_each_usable(const struct tdx_tdmr_info *t, struct hpa_range window,
		      void (*emit)(void *ctx, hpa_t base, uint64_t size), void *ctx)
{
	uint64_t at = t->base;

	for (unsigned r = 0; r < TDX_MAX_RESERVED && t->reserved[r].size; r++) {
		uint64_t start = t->base + t->reserved[r].offset;

		emit_overlap((struct range){at, start}, window, emit, ctx);
		at = start + t->reserved[r].size;
	}
	emit_overlap((struct range){at, t->base + t->size}, window, emit, ctx);
}

void tdmr_plan_each_usable(const struct tdmr_plan *plan,
			   void (*emit)(void *ctx, hpa_t base, uint64_t size), void *ctx)
{
	for (unsigned i = 0; i < plan->tdmr_count; i++) {
		const struct tdx_tdmr_info *t = &plan->tdmrs[i];

		tdmr_each_usable(t, (struct hpa_range){hpa(t->base), t->size}, emit, ctx);
	}
}
