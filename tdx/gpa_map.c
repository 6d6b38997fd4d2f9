/* SPDX-License-Identifier: MIT */
#include "tdx/gpa_map.h"

#include <stddef.h>

#include "core/hw.h"
#include "core/string.h"
#include "mm/heap.h"

#define PAGES_PER_GIB    (SIZE_1G / SIZE_4K)
#define PAGES_PER_RANGE  (SIZE_2M / SIZE_4K)
#define RANGES_PER_GIB   (SIZE_1G / SIZE_2M)
#define STATES_PER_WORD  32U /* two bits each */
#define STATE_WORDS      (RANGES_PER_GIB / STATES_PER_WORD)
#define BITMAP_WORDS     (PAGES_PER_RANGE / 64U)
#define STATE_MIXED      UINT64_C(2)
#define STATE_MIXED_BITS UINT64_C(0xaaaaaaaaaaaaaaaa)
#define STATE_ALL_SHARED UINT64_C(0x5555555555555555)
#define GUEST_END_MAX    (UINT64_C(1) << 44)

/* One bit per 4K page of a 2M range, 1 = shared. */
struct bitmap {
	atomic_uint_least64_t word[BITMAP_WORDS];
};

/* For each mixed range a run word or the address of a bitmap. */
struct table {
	atomic_uint_least64_t range[RANGES_PER_GIB];
};

/* A GiB with several runs: enum gpa_kind or STATE_MIXED for each 2M range. */
struct gib {
	atomic_uint_least64_t state[STATE_WORDS];
	atomic_uint_least64_t table; /* 0 while no range is mixed */
};

/*
 * Readers race with updates by design; the sequence count tells them. PUBLISH and FOLLOW
 * order the contents of an object before its address.
 */
#define READ(x)       atomic_load_explicit(&(x), memory_order_relaxed)
#define WRITE(x, v)   atomic_store_explicit(&(x), (v), memory_order_relaxed)
#define FOLLOW(x)     atomic_load_explicit(&(x), memory_order_acquire)
#define PUBLISH(x, v) atomic_store_explicit(&(x), (uintptr_t)(v), memory_order_release)

/* ---- Run words ---- */

/*
 * Pages [first, first+count) of an extent are not `around`, all others are:
 * bit 0 is 1 (an address has 0), 31:1 first, 32 around, 63:33 count, 0 = all alike.
 */
#define RUN_WORD     UINT64_C(1)
#define RUN_PAGE_MAX (UINT64_C(1) << 31)

struct run {
	uint64_t around, first, end;
};

static bool is_run_word(uint64_t word) { return word & RUN_WORD; }

static uint64_t alike_word(uint64_t kind) { return RUN_WORD | kind << 32; }

static bool is_alike_word(uint64_t word) { return word >> 33 == 0; }

static uint64_t word_around(uint64_t word) { return word >> 32 & 1; }

static uint64_t word_first(uint64_t word) { return (uint32_t)word >> 1; }

static uint64_t word_count(uint64_t word) { return word >> 33; }

static inline struct run run_of(uint64_t word)
{
	return (struct run){.around = word_around(word),
			    .first = word_first(word),
			    .end = word_first(word) + word_count(word)};
}

static enum gpa_kind word_kind(uint64_t word, uint64_t page)
{
	return (enum gpa_kind)(word_around(word) ^
			       (page - word_first(word) < word_count(word)));
}

/* False when the run lies too far above the beginning of a guest of more than 8 TiB. */
static bool run_encode(struct run run, uint64_t pages, uint64_t *word)
{
	if (run.first == run.end)
		*word = alike_word(run.around);
	else if (run.first == 0 && run.end == pages)
		*word = alike_word(!run.around);
	else if (run.end >= RUN_PAGE_MAX)
		return false;
	else
		*word = alike_word(run.around) | run.first << 1 | (run.end - run.first) << 33;
	return true;
}

static uint64_t min64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t max64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/*
 * Makes [from, to) of an extent of `pages` pages `kind`, if one run is enough to say what
 * comes out; false leaves *word alone.
 */
static bool word_set(uint64_t *word, uint64_t pages, uint64_t from, uint64_t to, uint64_t kind)
{
	struct run run = run_of(*word);

	if (run.first == run.end || (from == 0 && to == pages)) {
		if (kind == run.around || (from == 0 && to == pages))
			run = (struct run){.around = kind};
		else
			run = (struct run){run.around, from, to};
	} else if (kind == run.around) { /* takes from the run */
		if (to <= run.first || from >= run.end)
			return true;
		if (from <= run.first)
			run.first = min64(to, run.end);
		else if (to >= run.end)
			run.end = from;
		else
			return false;
	} else if (from <= run.end && to >= run.first) { /* adds to the run */
		run.first = min64(from, run.first);
		run.end = max64(to, run.end);
	} else if (run.first == 0 && to == pages) { /* what is left between is the run */
		run = (struct run){kind, run.end, from};
	} else if (from == 0 && run.end == pages) {
		run = (struct run){kind, to, run.first};
	} else {
		return false;
	}
	return run_encode(run, pages, word);
}

/* The word for pages [at, at+pages) of the extent of which `word` speaks. */
static uint64_t word_part(uint64_t word, uint64_t at, uint64_t pages)
{
	struct run run = run_of(word);
	uint64_t part = alike_word(run.around);

	run.first = max64(run.first, at);
	run.end = min64(run.end, at + pages);
	if (run.first < run.end)
		(void)word_set(&part, pages, run.first - at, run.end - at, !run.around);
	return part;
}

/* ---- Spare objects ---- */

static atomic_uint_least64_t *link_of(uint64_t object)
{
	return (atomic_uint_least64_t *)(uintptr_t)object;
}

static void *spare_take(uint64_t *list)
{
	uint64_t object = *list;

	*list = READ(*link_of(object));
	return (void *)(uintptr_t)object;
}

/* Readers may still look at the object: its link is written as they read. */
static void spare_put(uint64_t *list, uint64_t object)
{
	WRITE(*link_of(object), *list);
	*list = object;
}

static bool spare_reserve(uint64_t *list, uint64_t *held, unsigned count, size_t size)
{
	unsigned have = 0;

	for (uint64_t s = *list; s && have < count; s = READ(*link_of(s)))
		have++;
	for (; have < count; have++) {
		void *object = heap_alloc(size);

		if (!object)
			return false;
		spare_put(list, (uintptr_t)object);
		++*held;
	}
	return true;
}

static void spare_free(uint64_t list)
{
	while (list)
		heap_free(spare_take(&list));
}

/* ---- One 2M range of a GiB with several runs ---- */

static struct gib *gib_at(uint64_t word) { return (struct gib *)(uintptr_t)word; }

static struct table *table_of(const struct gib *gib)
{
	return (struct table *)(uintptr_t)FOLLOW(gib->table);
}

static struct bitmap *bitmap_at(uint64_t word) { return (struct bitmap *)(uintptr_t)word; }

static uint64_t state_get(const struct gib *gib, uint64_t range)
{
	return READ(gib->state[range / STATES_PER_WORD]) >> (2 * (range % STATES_PER_WORD)) & 3;
}

static void state_set(struct gib *gib, uint64_t range, uint64_t state)
{
	uint64_t shift = 2 * (range % STATES_PER_WORD);
	uint64_t word = READ(gib->state[range / STATES_PER_WORD]);

	WRITE(gib->state[range / STATES_PER_WORD],
	      (word & ~(UINT64_C(3) << shift)) | state << shift);
}

/* A run word or the address of a bitmap. */
static uint64_t range_word(const struct gib *gib, uint64_t range)
{
	uint64_t state = state_get(gib, range);

	return state == STATE_MIXED ? READ(table_of(gib)->range[range]) : alike_word(state);
}

/* gpa_map_set() reserved the objects for this and for bitmap_create(). */
static void range_put(struct gpa_map *map, struct gib *gib, uint64_t range, uint64_t word)
{
	struct table *table = table_of(gib);

	if (is_run_word(word) && is_alike_word(word)) {
		state_set(gib, range, word_around(word));
		return;
	}
	if (!table) {
		table = spare_take(&map->spare_tables);
		map->tables_used++;
		PUBLISH(gib->table, table);
	}
	PUBLISH(table->range[range], word);
	state_set(gib, range, STATE_MIXED);
}

static void bitmap_release(struct gpa_map *map, uint64_t bitmap)
{
	spare_put(&map->spare_bitmaps, bitmap);
	map->bitmaps_used--;
}

static void bitmap_set(struct bitmap *bitmap, uint64_t from, uint64_t to, uint64_t kind)
{
	for (uint64_t w = from / 64; w <= (to - 1) / 64; w++) {
		uint64_t mask = ~UINT64_C(0);

		if (w == from / 64)
			mask &= ~UINT64_C(0) << from % 64;
		if (w == (to - 1) / 64)
			mask &= ~UINT64_C(0) >> (63 - (to - 1) % 64);
		if (kind == GPA_SHARED)
			WRITE(bitmap->word[w], READ(bitmap->word[w]) | mask);
		else
			WRITE(bitmap->word[w], READ(bitmap->word[w]) & ~mask);
	}
}

static struct bitmap *bitmap_create(struct gpa_map *map, uint64_t word)
{
	struct bitmap *bitmap = spare_take(&map->spare_bitmaps);
	struct run run = run_of(word);

	map->bitmaps_used++;
	bitmap_set(bitmap, 0, PAGES_PER_RANGE, run.around);
	if (run.first < run.end)
		bitmap_set(bitmap, run.first, run.end, !run.around);
	return bitmap;
}

static bool bitmap_is_alike(const struct bitmap *bitmap, uint64_t kind)
{
	uint64_t want = kind == GPA_SHARED ? ~UINT64_C(0) : 0;

	for (unsigned i = 0; i < BITMAP_WORDS; i++)
		if (READ(bitmap->word[i]) != want)
			return false;
	return true;
}

/* Pages [from, to) of a range, not all of it. */
static void range_set(struct gpa_map *map, struct gib *gib, uint64_t range, uint64_t from,
		      uint64_t to, uint64_t kind)
{
	uint64_t word = range_word(gib, range);
	struct bitmap *bitmap;

	if (is_run_word(word)) {
		if (word_set(&word, PAGES_PER_RANGE, from, to, kind)) {
			range_put(map, gib, range, word);
			return;
		}
		bitmap = bitmap_create(map, word);
		bitmap_set(bitmap, from, to, kind);
		range_put(map, gib, range, (uintptr_t)bitmap);
		return;
	}
	bitmap_set(bitmap_at(word), from, to, kind);
	if (bitmap_is_alike(bitmap_at(word), kind)) {
		bitmap_release(map, word);
		state_set(gib, range, kind);
	}
}

/* ---- A GiB with several runs ---- */

static void release_mixed(struct gpa_map *map, struct table *table, uint64_t w, uint64_t mixed)
{
	for (; mixed; mixed &= mixed - 1) {
		uint64_t range = w * STATES_PER_WORD + (uint64_t)__builtin_ctzll(mixed) / 2;
		uint64_t word = READ(table->range[range]);

		if (!is_run_word(word))
			bitmap_release(map, word);
	}
}

static void states_set(struct gpa_map *map, struct gib *gib, uint64_t w, uint64_t mask,
		       uint64_t pattern)
{
	uint64_t old = READ(gib->state[w]);

	if (old & mask & STATE_MIXED_BITS)
		release_mixed(map, table_of(gib), w, old & mask & STATE_MIXED_BITS);
	WRITE(gib->state[w], (old & ~mask) | (pattern & mask));
}

/* Whole ranges [first, end), at least one. */
static void ranges_set(struct gpa_map *map, struct gib *gib, uint64_t first, uint64_t end,
		       uint64_t kind)
{
	uint64_t pattern = kind == GPA_SHARED ? STATE_ALL_SHARED : 0;
	uint64_t w = first / STATES_PER_WORD;
	uint64_t last = (end - 1) / STATES_PER_WORD;
	uint64_t mask = ~UINT64_C(0) << 2 * (first % STATES_PER_WORD);

	for (; w < last; w++, mask = ~UINT64_C(0))
		states_set(map, gib, w, mask, pattern);
	states_set(map, gib, last,
		   mask & ~UINT64_C(0) >> (62 - 2 * ((end - 1) % STATES_PER_WORD)), pattern);
}

/* Pages [from, to) of a GiB with several runs. */
static void pages_set(struct gpa_map *map, struct gib *gib, uint64_t from, uint64_t to,
		      uint64_t kind)
{
	uint64_t first = (from + PAGES_PER_RANGE - 1) / PAGES_PER_RANGE;
	uint64_t end = to / PAGES_PER_RANGE;
	uint64_t head = from % PAGES_PER_RANGE;
	uint64_t tail = to % PAGES_PER_RANGE;

	if (first > end) { /* inside one range */
		range_set(map, gib, end, head, tail, kind);
		return;
	}
	if (head)
		range_set(map, gib, first - 1, head, PAGES_PER_RANGE, kind);
	if (first < end)
		ranges_set(map, gib, first, end, kind);
	if (tail)
		range_set(map, gib, end, 0, tail, kind);
}

static void table_release(struct gpa_map *map, struct gib *gib)
{
	spare_put(&map->spare_tables, READ(gib->table));
	WRITE(gib->table, 0);
	map->tables_used--;
}

static void gib_release(struct gpa_map *map, atomic_uint_least64_t *slot, uint64_t kind)
{
	uint64_t word = READ(*slot);
	struct gib *gib = gib_at(word);

	WRITE(*slot, alike_word(kind));
	if (READ(gib->table)) {
		ranges_set(map, gib, 0, RANGES_PER_GIB, kind);
		table_release(map, gib);
	}
	spare_put(&map->spare_gibs, word);
	map->gibs_used--;
}

static struct gib *gib_split(struct gpa_map *map, uint64_t word)
{
	struct run run = run_of(word);
	struct gib *gib = spare_take(&map->spare_gibs);

	map->gibs_used++;
	WRITE(gib->table, 0);
	for (unsigned i = 0; i < STATE_WORDS; i++)
		WRITE(gib->state[i], run.around == GPA_SHARED ? STATE_ALL_SHARED : 0);
	if (run.first < run.end)
		pages_set(map, gib, run.first, run.end, !run.around);
	return gib;
}

/* How many state words from the first on are `pattern` in `bits`. */
static unsigned states_alike(const struct gib *gib, uint64_t bits, uint64_t pattern)
{
	unsigned i = 0;

	while (i < STATE_WORDS && (READ(gib->state[i]) & bits) == pattern)
		i++;
	return i;
}

/* Gives up what has become alike, after an update to `kind`. */
static void gib_merge(struct gpa_map *map, atomic_uint_least64_t *slot, uint64_t kind)
{
	struct gib *gib = gib_at(READ(*slot));
	uint64_t pattern = kind == GPA_SHARED ? STATE_ALL_SHARED : 0;

	if (states_alike(gib, ~UINT64_C(0), pattern) == STATE_WORDS)
		gib_release(map, slot, kind);
	else if (READ(gib->table) && states_alike(gib, STATE_MIXED_BITS, 0) == STATE_WORDS)
		table_release(map, gib);
}

static void update_begin(struct gpa_map *map)
{
	WRITE(map->sequence, READ(map->sequence) + 1);
	atomic_thread_fence(memory_order_release);
}

static void update_end(struct gpa_map *map)
{
	atomic_store_explicit(&map->sequence, READ(map->sequence) + 1, memory_order_release);
}

/* Pages [from, to) of the GiB. A change of its word alone is one store: readers see it whole.
 */
static void gib_set(struct gpa_map *map, atomic_uint_least64_t *slot, uint64_t from,
		    uint64_t to, uint64_t kind)
{
	uint64_t word = READ(*slot);
	struct gib *gib;

	if (is_run_word(word) && word_set(&word, PAGES_PER_GIB, from, to, kind)) {
		WRITE(*slot, word);
		return;
	}
	update_begin(map);
	if (!is_run_word(word) && from == 0 && to == PAGES_PER_GIB) {
		gib_release(map, slot, kind);
	} else {
		gib = is_run_word(word) ? gib_split(map, word) : gib_at(word);
		pages_set(map, gib, from, to, kind);
		PUBLISH(*slot, gib);
		gib_merge(map, slot, kind);
	}
	update_end(map);
}

/* ---- What an update may need ---- */

struct needs {
	unsigned gibs, tables, bitmaps;
};

/* Pages [from, to) of a 2M range. True when it needs a table to be in. */
static bool range_needs(uint64_t word, uint64_t from, uint64_t to, uint64_t kind,
			struct needs *needs)
{
	if (!is_run_word(word))
		return true;
	if (!word_set(&word, PAGES_PER_RANGE, from, to, kind)) {
		needs->bitmaps++;
		return true;
	}
	return !is_alike_word(word);
}

/* Range `range` as it is under a GiB's word. */
static uint64_t range_word_under(uint64_t word, uint64_t range)
{
	if (is_run_word(word))
		return word_part(word, range * PAGES_PER_RANGE, PAGES_PER_RANGE);
	return range_word(gib_at(word), range);
}

/* Pages [from, to) of a GiB. */
static void gib_needs(uint64_t word, uint64_t from, uint64_t to, uint64_t kind,
		      struct needs *needs)
{
	uint64_t head = from / PAGES_PER_RANGE;
	uint64_t tail = to / PAGES_PER_RANGE;
	uint64_t result = word;
	bool table = false;

	if (from == 0 && to == PAGES_PER_GIB)
		return;
	if (is_run_word(word)) {
		struct run run = run_of(word);

		if (word_set(&result, PAGES_PER_GIB, from, to, kind))
			return;
		needs->gibs++;
		table = (run.first | run.end) % PAGES_PER_RANGE != 0;
	}
	if (from % PAGES_PER_RANGE)
		table |= range_needs(range_word_under(word, head), from % PAGES_PER_RANGE,
				     min64(to - head * PAGES_PER_RANGE, PAGES_PER_RANGE), kind,
				     needs);
	if (to % PAGES_PER_RANGE && (head != tail || from % PAGES_PER_RANGE == 0))
		table |= range_needs(range_word_under(word, tail), 0, to % PAGES_PER_RANGE,
				     kind, needs);
	needs->tables += table && (is_run_word(word) || !READ(gib_at(word)->table));
}

/* ---- The map ---- */

static uint64_t gib_count(const struct gpa_map *map) { return map->pages / PAGES_PER_GIB; }

/* The words of the GiBs, when there is one for each. */
static atomic_uint_least64_t *gib_words(uint64_t root)
{
	return (atomic_uint_least64_t *)(uintptr_t)root;
}

static uint64_t gib_word(uint64_t root, uint64_t index)
{
	if (is_run_word(root))
		return word_part(root, index * PAGES_PER_GIB, PAGES_PER_GIB);
	return READ(gib_words(root)[index]);
}

/* A word per GiB instead of the one for all; they say the same. */
static bool root_split(struct gpa_map *map) REQUIRES(map->lock)
{
	uint64_t root = READ(map->root);
	atomic_uint_least64_t *words = heap_alloc(gib_count(map) * sizeof(*words));

	if (!words)
		return false;
	for (uint64_t i = 0; i < gib_count(map); i++)
		WRITE(words[i], gib_word(root, i));
	PUBLISH(map->root, words);
	return true;
}

/* The root last: it would stay split if anything else failed. */
static bool reserve(struct gpa_map *map, uint64_t from, uint64_t to, uint64_t kind)
	REQUIRES(map->lock)
{
	uint64_t root = READ(map->root);
	uint64_t first = from / PAGES_PER_GIB;
	uint64_t last = (to - 1) / PAGES_PER_GIB;
	struct needs needs = {0};

	gib_needs(gib_word(root, first), from % PAGES_PER_GIB,
		  min64(to - first * PAGES_PER_GIB, PAGES_PER_GIB), kind, &needs);
	if (last != first)
		gib_needs(gib_word(root, last), 0, to - last * PAGES_PER_GIB, kind, &needs);
	if (!(needs.gibs | needs.tables | needs.bitmaps) && !is_run_word(root))
		return true;
	return spare_reserve(&map->spare_gibs, &map->gibs_held, needs.gibs,
			     sizeof(struct gib)) &&
	       spare_reserve(&map->spare_tables, &map->tables_held, needs.tables,
			     sizeof(struct table)) &&
	       spare_reserve(&map->spare_bitmaps, &map->bitmaps_held, needs.bitmaps,
			     sizeof(struct bitmap)) &&
	       (!is_run_word(root) || root_split(map));
}

static enum status set_locked(struct gpa_map *map, uint64_t from, uint64_t to, uint64_t kind)
	REQUIRES(map->lock)
{
	uint64_t root = READ(map->root);

	if (is_run_word(root) && word_set(&root, map->pages, from, to, kind)) {
		WRITE(map->root, root);
		return STATUS_OK;
	}
	if (!reserve(map, from, to, kind))
		return STATUS_NO_MEMORY;
	root = READ(map->root);
	while (from < to) {
		uint64_t index = from / PAGES_PER_GIB;
		uint64_t base = index * PAGES_PER_GIB;
		uint64_t end = min64(to, base + PAGES_PER_GIB);

		gib_set(map, &gib_words(root)[index], from - base, end - base, kind);
		from = end;
	}
	return STATUS_OK;
}

enum status gpa_map_set(struct gpa_map *map, gpa_t at, uint64_t size, enum gpa_kind kind)
{
	uint64_t end = at.raw + size;
	enum status s;

	if ((at.raw | size) % SIZE_4K || size == 0 || end < at.raw ||
	    end / SIZE_4K > map->pages)
		return STATUS_BAD_ARG;
	spin_lock(&map->lock);
	s = set_locked(map, at.raw / SIZE_4K, end / SIZE_4K, kind);
	spin_unlock(&map->lock);
	return s;
}

enum status gpa_map_init(struct gpa_map *map, gpa_t end)
{
	if (end.raw > GUEST_END_MAX)
		return STATUS_BAD_ARG;
	map->pages = align_up(end.raw, SIZE_1G) / SIZE_4K;
	WRITE(map->root, alike_word(GPA_PRIVATE));
	return STATUS_OK;
}

void gpa_map_destroy(struct gpa_map *map)
{
	uint64_t root = READ(map->root);

	if (!is_run_word(root)) {
		for (uint64_t i = 0; i < gib_count(map); i++)
			if (!is_run_word(READ(gib_words(root)[i])))
				gib_release(map, &gib_words(root)[i], GPA_PRIVATE);
		heap_free(gib_words(root));
	}
	spare_free(map->spare_bitmaps);
	spare_free(map->spare_tables);
	spare_free(map->spare_gibs);
	memset(map, 0, sizeof(*map));
}

/* ---- Lookups ---- */

/* A lookup is a few loads and tests, most of whose results its caller does not want. */
#define INLINE static inline __attribute__((always_inline))

/* What is known around a page after one look. */
struct look {
	enum gpa_kind kind;
	enum page_level level; /* at which all around is alike */
	uint64_t end;          /* alike up to here at least; 0 = no later than the next page */
};

/* Whether a boundary lies inside the aligned `span` pages around `page`. */
INLINE bool cuts(uint64_t boundary, uint64_t page, uint64_t span)
{
	return boundary - align_down(page, span) - 1 < span - 1;
}

/* `base` is the page at which the extent of `pages` pages begins. */
INLINE struct look look_at_word(uint64_t word, uint64_t page, uint64_t base, uint64_t pages)
{
	struct run run = run_of(word);
	struct look l = {.kind = word_kind(word, page - base), .level = LEVEL_1G};

	page -= base;
	if (!is_alike_word(word)) {
		if (cuts(run.first, page, PAGES_PER_RANGE) ||
		    cuts(run.end, page, PAGES_PER_RANGE))
			l.level = LEVEL_4K;
		else if (cuts(run.first, page, PAGES_PER_GIB) ||
			 cuts(run.end, page, PAGES_PER_GIB))
			l.level = LEVEL_2M;
	}
	l.end = base + (page < run.first ? run.first : page < run.end ? run.end : pages);
	return l;
}

/* Possibly at something half changed: every object stays readable, the caller checks. */
INLINE struct look look_into_gib(const struct gib *gib, uint64_t page)
{
	uint64_t range = page % PAGES_PER_GIB / PAGES_PER_RANGE;
	uint64_t state = state_get(gib, range);
	uint64_t inner = page % PAGES_PER_RANGE;
	const struct table *table;
	uint64_t word;

	if (!(state & STATE_MIXED))
		return (struct look){(enum gpa_kind)state, LEVEL_2M,
				     page - inner + PAGES_PER_RANGE};
	table = table_of(gib);
	word = table ? FOLLOW(table->range[range]) : 0;
	if (!word)
		return (struct look){0};
	if (is_run_word(word))
		return (struct look){
			word_kind(word, inner), LEVEL_4K,
			look_at_word(word, page, page - inner, PAGES_PER_RANGE).end};
	word = READ(bitmap_at(word)->word[inner / 64]) >> inner % 64;
	return (struct look){(enum gpa_kind)(word & 1), LEVEL_4K, page + 1};
}

/* One look at page `page` of the guest; false when an update came in between. */
INLINE bool try_look(const struct gpa_map *map, uint64_t page, struct look *l)
{
	uint64_t before = atomic_load_explicit(&map->sequence, memory_order_acquire);
	uint64_t word = FOLLOW(map->root);

	if (is_run_word(word)) {
		*l = look_at_word(word, page, 0, map->pages);
		return true;
	}
	word = FOLLOW(gib_words(word)[page / PAGES_PER_GIB]);
	if (is_run_word(word)) {
		*l = look_at_word(word, page, align_down(page, PAGES_PER_GIB), PAGES_PER_GIB);
		return true;
	}
	*l = look_into_gib(gib_at(word), page);
	atomic_thread_fence(memory_order_acquire);
	return READ(map->sequence) == (before & ~UINT64_C(1));
}

/* Out of line: the first look nearly always succeeds and needs no stack then. */
static __attribute__((noinline)) struct look look_again(const struct gpa_map *map,
							uint64_t page)
{
	struct look l;

	while (!try_look(map, page, &l))
		hw_pause();
	return l;
}

INLINE struct look look(const struct gpa_map *map, uint64_t page)
{
	struct look l;

	return try_look(map, page, &l) ? l : look_again(map, page);
}

enum gpa_kind gpa_map_kind(const struct gpa_map *map, gpa_t at)
{
	uint64_t page = at.raw / SIZE_4K;

	return page < map->pages ? look(map, page).kind : GPA_SHARED;
}

enum gpa_kind gpa_map_lookup(const struct gpa_map *map, gpa_t at, enum page_level *uniform)
{
	uint64_t page = at.raw / SIZE_4K;
	struct look l = {.kind = GPA_SHARED};

	if (page < map->pages)
		l = look(map, page);
	*uniform = l.level;
	return l.kind;
}

gpa_t gpa_map_run_end(const struct gpa_map *map, gpa_t at, gpa_t limit)
{
	enum gpa_kind kind = gpa_map_kind(map, at);
	uint64_t page = at.raw / SIZE_4K;

	while (page * SIZE_4K < limit.raw) {
		struct look l = {GPA_SHARED, LEVEL_4K, limit.raw / SIZE_4K + 1};

		if (page < map->pages)
			l = look(map, page);
		if (l.kind != kind)
			return gpa(page * SIZE_4K);
		page = l.end;
	}
	return limit;
}

static uint64_t bytes(const struct gpa_map *map, uint64_t gibs, uint64_t tables,
		      uint64_t bitmaps)
{
	uint64_t words = is_run_word(READ(map->root)) ? 0 : gib_count(map);

	return words * sizeof(uint64_t) + gibs * sizeof(struct gib) +
	       tables * sizeof(struct table) + bitmaps * sizeof(struct bitmap);
}

uint64_t gpa_map_bytes_used(const struct gpa_map *map)
{
	return bytes(map, map->gibs_used, map->tables_used, map->bitmaps_used);
}

uint64_t gpa_map_bytes_held(const struct gpa_map *map)
{
	return bytes(map, map->gibs_held, map->tables_held, map->bitmaps_held);
}
