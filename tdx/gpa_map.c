/* SPDX-License-Identifier: MIT */
#include "tdx/gpa_map.h"

#include <stddef.h>

#include "core/hw.h"
#include "core/string.h"
#include "mm/heap.h"

#define RANGES_PER_GIB   512U /* of 2M */
#define PAGES_PER_RANGE  512U /* of 4K */
#define STATES_PER_WORD  32U  /* two bits each */
#define STATE_WORDS      (RANGES_PER_GIB / STATES_PER_WORD)
#define BITMAP_WORDS     (PAGES_PER_RANGE / 64U)
#define STATE_MIXED      UINT64_C(2)
#define STATE_MIXED_BITS UINT64_C(0xaaaaaaaaaaaaaaaa)
#define STATE_ALL_SHARED UINT64_C(0x5555555555555555)

/* One bit per 4K page of a mixed 2M range, 1 = shared. */
struct bitmap {
	_Atomic(uint64_t) word[BITMAP_WORDS];
};

struct bitmap_table {
	_Atomic(struct bitmap *) range[RANGES_PER_GIB];
};

/* A GiB that is not uniform: enum gpa_kind or STATE_MIXED for each 2M range. */
struct gpa_mixed_gib {
	_Atomic(uint64_t) state[STATE_WORDS];
	_Atomic(struct bitmap_table *) table; /* NULL while no range is mixed */
};

/* Readers race with updates by design; the sequence count tells them. */
#define READ(x)     atomic_load_explicit(&(x), memory_order_relaxed)
#define WRITE(x, v) atomic_store_explicit(&(x), (v), memory_order_relaxed)

/* Pointers to objects: a reader that gets one sees the object as it was made. */
#define FOLLOW(x)     atomic_load_explicit(&(x), memory_order_acquire)
#define PUBLISH(x, v) atomic_store_explicit(&(x), (v), memory_order_release)

/* ---- Spare objects ---- */

struct spare {
	_Atomic(struct spare *) next;
};

static void *spare_take(void **list)
{
	struct spare *s = *list;

	*list = READ(s->next);
	return s;
}

static void spare_put(void **list, void *object)
{
	struct spare *s = object;

	WRITE(s->next, *list);
	*list = s;
}

static bool spare_reserve(void **list, uint64_t *held, unsigned count, size_t size)
{
	unsigned have = 0;

	for (struct spare *s = *list; s && have < count; s = READ(s->next))
		have++;
	for (; have < count; have++) {
		void *object = heap_alloc(size);

		if (!object)
			return false;
		spare_put(list, object);
		++*held;
	}
	return true;
}

static void spare_free(void *list)
{
	for (struct spare *s = list; s;) {
		struct spare *next = READ(s->next);

		heap_free(s);
		s = next;
	}
}

/* ---- One 2M range ---- */

static uint64_t state_get(const struct gpa_mixed_gib *gib, unsigned range)
{
	return READ(gib->state[range / STATES_PER_WORD]) >> (2 * (range % STATES_PER_WORD)) & 3;
}

static void state_set(struct gpa_mixed_gib *gib, unsigned range, uint64_t state)
{
	unsigned shift = 2 * (range % STATES_PER_WORD);
	uint64_t word = READ(gib->state[range / STATES_PER_WORD]);

	WRITE(gib->state[range / STATES_PER_WORD],
	      (word & ~(UINT64_C(3) << shift)) | state << shift);
}

static void bitmap_release(struct gpa_map *map, struct gpa_mixed_gib *gib, unsigned range)
{
	struct bitmap_table *table = READ(gib->table);

	spare_put(&map->spare_bitmaps, READ(table->range[range]));
	WRITE(table->range[range], NULL);
	map->bitmaps_used--;
}

/* The range stops being uniform: a bitmap of its present kind. gpa_map_set() reserved the
 * objects. */
static struct bitmap *bitmap_create(struct gpa_map *map, struct gpa_mixed_gib *gib,
				    unsigned range)
{
	uint64_t fill = state_get(gib, range) == GPA_SHARED ? ~UINT64_C(0) : 0;
	struct bitmap_table *table = READ(gib->table);
	struct bitmap *bitmap = spare_take(&map->spare_bitmaps);

	map->bitmaps_used++;
	for (unsigned i = 0; i < BITMAP_WORDS; i++)
		WRITE(bitmap->word[i], fill);
	if (!table) {
		table = spare_take(&map->spare_tables);
		map->tables_used++;
		for (unsigned i = 0; i < RANGES_PER_GIB; i++)
			WRITE(table->range[i], NULL);
		PUBLISH(gib->table, table);
	}
	PUBLISH(table->range[range], bitmap);
	state_set(gib, range, STATE_MIXED);
	return bitmap;
}

static bool bitmap_is_uniform(const struct bitmap *bitmap, enum gpa_kind kind)
{
	uint64_t want = kind == GPA_SHARED ? ~UINT64_C(0) : 0;

	for (unsigned i = 0; i < BITMAP_WORDS; i++)
		if (READ(bitmap->word[i]) != want)
			return false;
	return true;
}

/* Pages [first, end) of a range, not all of it. */
static void range_set_pages(struct gpa_map *map, struct gpa_mixed_gib *gib, unsigned range,
			    unsigned first, unsigned end, enum gpa_kind kind)
{
	struct bitmap *bitmap;

	if (state_get(gib, range) == (uint64_t)kind)
		return;
	if (state_get(gib, range) == STATE_MIXED)
		bitmap = READ(READ(gib->table)->range[range]);
	else
		bitmap = bitmap_create(map, gib, range);
	for (unsigned w = first / 64; w <= (end - 1) / 64; w++) {
		uint64_t mask = ~UINT64_C(0);

		if (w == first / 64)
			mask &= ~UINT64_C(0) << first % 64;
		if (w == (end - 1) / 64)
			mask &= ~UINT64_C(0) >> (63 - (end - 1) % 64);
		if (kind == GPA_SHARED)
			WRITE(bitmap->word[w], READ(bitmap->word[w]) | mask);
		else
			WRITE(bitmap->word[w], READ(bitmap->word[w]) & ~mask);
	}
	if (bitmap_is_uniform(bitmap, kind)) {
		bitmap_release(map, gib, range);
		state_set(gib, range, kind);
	}
}

/* Whole ranges [first, end). */
static void ranges_set(struct gpa_map *map, struct gpa_mixed_gib *gib, unsigned first,
		       unsigned end, enum gpa_kind kind)
{
	uint64_t pattern = kind == GPA_SHARED ? STATE_ALL_SHARED : 0;

	if (READ(gib->table))
		for (unsigned r = first; r < end; r++)
			if (state_get(gib, r) == STATE_MIXED)
				bitmap_release(map, gib, r);
	for (unsigned w = first / STATES_PER_WORD; w * STATES_PER_WORD < end; w++) {
		unsigned low = w * STATES_PER_WORD;
		unsigned from = first > low ? first - low : 0;
		unsigned to = end - low < STATES_PER_WORD ? end - low : STATES_PER_WORD;
		uint64_t mask = ~UINT64_C(0) << 2 * from & ~UINT64_C(0) >> (64 - 2 * to);

		WRITE(gib->state[w], (READ(gib->state[w]) & ~mask) | (pattern & mask));
	}
}

/* ---- One GiB ---- */

static bool is_uniform(uintptr_t gib) { return gib <= GPA_SHARED; }

static struct gpa_mixed_gib *mixed(uintptr_t gib) { return (struct gpa_mixed_gib *)gib; }

static void gib_release(struct gpa_map *map, uint64_t index, enum gpa_kind kind)
{
	struct gpa_mixed_gib *gib = mixed(READ(map->gibs[index]));

	WRITE(map->gibs[index], (uintptr_t)kind);
	ranges_set(map, gib, 0, RANGES_PER_GIB, kind);
	if (READ(gib->table)) {
		spare_put(&map->spare_tables, READ(gib->table));
		WRITE(gib->table, NULL);
		map->tables_used--;
	}
	spare_put(&map->spare_gibs, gib);
	map->gibs_used--;
}

static struct gpa_mixed_gib *gib_split(struct gpa_map *map, uint64_t index)
{
	uint64_t fill = READ(map->gibs[index]) == GPA_SHARED ? STATE_ALL_SHARED : 0;
	struct gpa_mixed_gib *gib = spare_take(&map->spare_gibs);

	map->gibs_used++;
	for (unsigned i = 0; i < STATE_WORDS; i++)
		WRITE(gib->state[i], fill);
	WRITE(gib->table, NULL);
	PUBLISH(map->gibs[index], (uintptr_t)gib);
	return gib;
}

/* Gives up what uniformity makes superfluous. */
static void gib_merge(struct gpa_map *map, uint64_t index)
{
	struct gpa_mixed_gib *gib = mixed(READ(map->gibs[index]));
	bool all_private = true;
	bool all_shared = true;
	uint64_t any_mixed = 0;

	for (unsigned i = 0; i < STATE_WORDS; i++) {
		uint64_t word = READ(gib->state[i]);

		all_private &= word == 0;
		all_shared &= word == STATE_ALL_SHARED;
		any_mixed |= word & STATE_MIXED_BITS;
	}
	if (all_private || all_shared) {
		gib_release(map, index, all_shared ? GPA_SHARED : GPA_PRIVATE);
	} else if (!any_mixed && READ(gib->table)) {
		spare_put(&map->spare_tables, READ(gib->table));
		WRITE(gib->table, NULL);
		map->tables_used--;
	}
}

/* [from, to) are byte offsets into the GiB. */
static void gib_set(struct gpa_map *map, uint64_t index, uint64_t from, uint64_t to,
		    enum gpa_kind kind)
{
	uintptr_t old = READ(map->gibs[index]);
	struct gpa_mixed_gib *gib;
	unsigned first = (unsigned)(align_up(from, SIZE_2M) / SIZE_2M);
	unsigned end = (unsigned)(to / SIZE_2M);
	unsigned first_page = (unsigned)(from % SIZE_2M / SIZE_4K);
	unsigned end_page = (unsigned)(to % SIZE_2M / SIZE_4K);

	if (old == (uintptr_t)kind)
		return;
	if (from == 0 && to == SIZE_1G) {
		if (is_uniform(old))
			WRITE(map->gibs[index], (uintptr_t)kind);
		else
			gib_release(map, index, kind);
		return;
	}
	gib = is_uniform(old) ? gib_split(map, index) : mixed(old);
	if (first > end) { /* inside one 2M range */
		range_set_pages(map, gib, end, first_page, end_page, kind);
	} else {
		if (first_page)
			range_set_pages(map, gib, first - 1, first_page, PAGES_PER_RANGE, kind);
		if (first < end)
			ranges_set(map, gib, first, end, kind);
		if (end_page)
			range_set_pages(map, gib, end, 0, end_page, kind);
	}
	gib_merge(map, index);
}

/* ---- The map ---- */

enum status gpa_map_init(struct gpa_map *map, gpa_t end)
{
	map->gib_count = align_up(end.raw, SIZE_1G) / SIZE_1G;
	map->gibs = heap_alloc(map->gib_count * sizeof(*map->gibs));
	return map->gibs ? STATUS_OK : STATUS_NO_MEMORY;
}

void gpa_map_destroy(struct gpa_map *map)
{
	for (uint64_t i = 0; i < map->gib_count && map->gibs; i++)
		if (!is_uniform(READ(map->gibs[i])))
			gib_release(map, i, GPA_PRIVATE);
	spare_free(map->spare_bitmaps);
	spare_free(map->spare_tables);
	spare_free(map->spare_gibs);
	heap_free(map->gibs);
	memset(map, 0, sizeof(*map));
}

/* What an edge of a range needs when it cuts through something uniform of another kind. */
struct needs {
	unsigned gibs, tables, bitmaps;
};

static void edge_needs(const struct gpa_map *map, uint64_t edge, enum gpa_kind kind,
		       struct needs *needs)
{
	uintptr_t gib;

	if (edge % SIZE_1G == 0)
		return;
	gib = READ(map->gibs[edge / SIZE_1G]);
	if (gib == (uintptr_t)kind)
		return;
	if (is_uniform(gib)) {
		needs->gibs++;
	} else {
		uint64_t state = state_get(mixed(gib), (unsigned)(edge % SIZE_1G / SIZE_2M));

		if (state == (uint64_t)kind || state == STATE_MIXED)
			return;
	}
	if (edge % SIZE_2M == 0)
		return;
	needs->bitmaps++;
	needs->tables += is_uniform(gib) || !READ(mixed(gib)->table);
}

static bool reserve(struct gpa_map *map, uint64_t at, uint64_t end, enum gpa_kind kind)
	REQUIRES(map->lock)
{
	struct needs needs = {0};

	edge_needs(map, at, kind, &needs);
	edge_needs(map, end, kind, &needs);
	return spare_reserve(&map->spare_gibs, &map->gibs_held, needs.gibs,
			     sizeof(struct gpa_mixed_gib)) &&
	       spare_reserve(&map->spare_tables, &map->tables_held, needs.tables,
			     sizeof(struct bitmap_table)) &&
	       spare_reserve(&map->spare_bitmaps, &map->bitmaps_held, needs.bitmaps,
			     sizeof(struct bitmap));
}

enum status gpa_map_set(struct gpa_map *map, gpa_t at, uint64_t size, enum gpa_kind kind)
{
	uint64_t end = at.raw + size;
	uint64_t sequence;

	if (at.raw % SIZE_4K || size % SIZE_4K || size == 0 || end < at.raw ||
	    end > map->gib_count * SIZE_1G)
		return STATUS_BAD_ARG;
	spin_lock(&map->lock);
	if (!reserve(map, at.raw, end, kind)) {
		spin_unlock(&map->lock);
		return STATUS_NO_MEMORY;
	}
	sequence = READ(map->sequence);
	WRITE(map->sequence, sequence + 1);
	atomic_thread_fence(memory_order_release);
	for (uint64_t from = at.raw; from < end; from = align_down(from, SIZE_1G) + SIZE_1G) {
		uint64_t base = align_down(from, SIZE_1G);
		uint64_t to = end - base < SIZE_1G ? end - base : SIZE_1G;

		gib_set(map, base / SIZE_1G, from - base, to, kind);
	}
	atomic_store_explicit(&map->sequence, sequence + 2, memory_order_release);
	spin_unlock(&map->lock);
	return STATUS_OK;
}

/* One look, possibly at something half changed: every object stays readable, the caller checks.
 */
static enum gpa_kind look(const struct gpa_map *map, gpa_t at, enum page_level *uniform)
{
	uintptr_t gib = FOLLOW(map->gibs[at.raw / SIZE_1G]);
	unsigned range = (unsigned)(at.raw % SIZE_1G / SIZE_2M);
	unsigned page = (unsigned)(at.raw % SIZE_2M / SIZE_4K);
	struct bitmap_table *table;
	struct bitmap *bitmap;
	uint64_t state;

	*uniform = LEVEL_1G;
	if (is_uniform(gib))
		return (enum gpa_kind)gib;
	*uniform = LEVEL_2M;
	state = state_get(mixed(gib), range);
	if (!(state & STATE_MIXED))
		return (enum gpa_kind)state;
	*uniform = LEVEL_4K;
	table = FOLLOW(mixed(gib)->table);
	bitmap = table ? FOLLOW(table->range[range]) : NULL;
	if (!bitmap)
		return GPA_PRIVATE;
	return READ(bitmap->word[page / 64]) >> page % 64 & 1 ? GPA_SHARED : GPA_PRIVATE;
}

enum gpa_kind gpa_map_lookup(const struct gpa_map *map, gpa_t at, enum page_level *uniform)
{
	enum gpa_kind kind;
	uint64_t before;
	uint64_t after;

	*uniform = LEVEL_4K;
	if (at.raw / SIZE_1G >= map->gib_count)
		return GPA_SHARED;
	for (;;) {
		before = atomic_load_explicit(&map->sequence, memory_order_acquire);
		kind = look(map, at, uniform);
		atomic_thread_fence(memory_order_acquire);
		after = READ(map->sequence);
		if (before == after && before % 2 == 0)
			return kind;
		hw_pause();
	}
}

gpa_t gpa_map_run_end(const struct gpa_map *map, gpa_t at, gpa_t limit)
{
	enum page_level level;
	enum gpa_kind kind = gpa_map_lookup(map, at, &level);

	while (at.raw < limit.raw) {
		enum gpa_kind here = gpa_map_lookup(map, at, &level);

		if (here != kind)
			return at;
		at.raw = align_down(at.raw, level_size(level)) + level_size(level);
	}
	return limit;
}

static uint64_t bytes(const struct gpa_map *map, uint64_t gibs, uint64_t tables,
		      uint64_t bitmaps)
{
	return map->gib_count * sizeof(*map->gibs) + gibs * sizeof(struct gpa_mixed_gib) +
	       tables * sizeof(struct bitmap_table) + bitmaps * sizeof(struct bitmap);
}

uint64_t gpa_map_bytes_used(const struct gpa_map *map)
{
	return bytes(map, map->gibs_used, map->tables_used, map->bitmaps_used);
}

uint64_t gpa_map_bytes_held(const struct gpa_map *map)
{
	return bytes(map, map->gibs_held, map->tables_held, map->bitmaps_held);
}
