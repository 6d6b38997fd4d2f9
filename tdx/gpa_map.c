/* SPDX-License-Identifier: MIT */
#include "tdx/gpa_map.h"

#include <stddef.h>

#include "core/hw.h"
#include "core/string.h"
#include "mm/heap.h"

#define GIB_PAGES     (SIZE_1G / SIZE_4K)
#define RANGE_PAGES   (SIZE_2M / SIZE_4K)
#define GIB_RANGES    (SIZE_1G / SIZE_2M)
#define RANGE_WORDS   (GIB_RANGES / 64) /* a bit per range; also a bit per page of one */
#define PARTS         8U                /* of a GiB: their pages have 15-bit numbers */
#define PART_PAGES    (GIB_PAGES / PARTS)
#define PART_RANGES   (GIB_RANGES / PARTS)
#define GUEST_END_MAX ((UINT64_C(1) << 44) + 4 * SIZE_1G)

typedef atomic_uint_least64_t word_t;

/*
 * A GiB with several runs, not too torn. A 2M range whose bit is clear is private. One whose
 * bit is set is shared, unless it has odd pages in the list: the few that are not as the others
 * of their range. So most lookups need no more than the bit. The list ascends, a part's entries
 * behind those of the parts below. 15:1 page in the part, 0: the range's other pages are
 * shared.
 */
struct node {
	word_t bits[RANGE_WORDS];
	atomic_ushort end[PARTS];
	atomic_ushort odd[];
};

/* All that readers may look at; the sequence count tells them when it has changed. PUBLISH and
 * FOLLOW order the contents of an object before its address. */
#define READ(x)       atomic_load_explicit(&(x), memory_order_relaxed)
#define WRITE(x, v)   atomic_store_explicit(&(x), (v), memory_order_relaxed)
#define FOLLOW(x)     atomic_load_explicit(&(x), memory_order_acquire)
#define PUBLISH(x, v) atomic_store_explicit(&(x), (v), memory_order_release)

/* A lookup is a few loads and tests, most of whose results its caller does not want. */
#define INLINE static inline __attribute__((always_inline))

static uint64_t min64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t max64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* ---- Words ---- */

/* Run words: gpa_run_word(). */
#define RUN_PAGES UINT64_C(0x80000000)

/*
 * Other words are an object's address, twice its type and one. Every object begins with bits: a
 * bitmap has one for each page and nothing else, nodes one for each 2M range; RANGES is a node
 * with no odd page, those of higher types have room for more and more.
 */
#define BITMAP 0U
#define RANGES 1U

static unsigned type_of(uint64_t word) { return word / 2 % 8; }
static word_t *bits_of(uint64_t word) { return (word_t *)(uintptr_t)(word & ~UINT64_C(15)); }
static struct node *node_of(uint64_t word)
{
	return (struct node *)(uintptr_t)(word & ~UINT64_C(15));
}
static word_t *gibs_of(uint64_t root) { return bits_of(root); }

/* An extent in pages, and what is known of it: [first, end) from its beginning is not `around`.
 */
struct extent {
	uint64_t base, pages;
	uint64_t around, first, end;
};

static struct extent alike(uint64_t base, uint64_t pages, uint64_t kind)
{
	return (struct extent){.base = base, .pages = pages, .around = kind};
}

static bool is_alike(const struct extent *e) { return e->first == e->end; }

static struct extent extent_of(uint64_t word, uint64_t base, uint64_t pages)
{
	uint64_t first = ((uint32_t)word / 2 - base) % RUN_PAGES;
	uint64_t end = first + (word >> 33);
	struct extent e = alike(base, pages, end > RUN_PAGES);

	e.first = min64(e.around ? end - RUN_PAGES : first, pages);
	e.end = min64(e.around ? first : end, pages);
	if (e.first == 0 && e.end == pages)
		return alike(base, pages, !e.around);
	return e;
}

static uint64_t run_word(const struct extent *e)
{
	uint64_t first = e->around ? e->end : e->first;
	uint64_t count = e->around ? RUN_PAGES - (e->end - e->first) : e->end - e->first;

	if (is_alike(e)) {
		first = 0;
		count = e->around ? e->pages : 0;
	}
	return (e->base + first) % RUN_PAGES << 1 | count << 33;
}

static uint64_t alike_word(uint64_t base, uint64_t kind)
{
	struct extent e = alike(base, GIB_PAGES, kind);

	return run_word(&e);
}

/* Makes [from, to) of *e `kind`, if one run is enough to say what comes out. */
static bool extent_set(struct extent *e, uint64_t from, uint64_t to, uint64_t kind)
{
	if (is_alike(e) && kind != e->around) {
		e->first = from;
		e->end = to;
	} else if (kind == e->around) { /* takes from the run */
		if (from <= e->first)
			e->first = max64(e->first, min64(to, e->end));
		else if (to >= e->end)
			e->end = min64(from, e->end);
		else
			return false;
	} else if (from <= e->end && to >= e->first) { /* adds to the run */
		e->first = min64(from, e->first);
		e->end = max64(to, e->end);
	} else if (e->first == 0 && to == e->pages) { /* what is left between is the run */
		*e = (struct extent){e->base, e->pages, kind, e->end, from};
	} else if (from == 0 && e->end == e->pages) {
		*e = (struct extent){e->base, e->pages, kind, to, e->first};
	} else {
		return false;
	}
	if (e->first == 0 && e->end == e->pages)
		*e = alike(e->base, e->pages, kind);
	return true;
}

/* ---- Bits ---- */

INLINE bool bit_get(const word_t *words, uint64_t n)
{
	return READ(words[n / 64]) >> n % 64 & 1;
}

static void bits_set(word_t *words, uint64_t from, uint64_t to, bool value)
{
	for (uint64_t end; from < to; from = end) {
		word_t *word = &words[from / 64];
		uint64_t mask = ~UINT64_C(0) << from % 64;

		end = align_down(from, 64) + 64;
		if (to < end)
			mask &= ~UINT64_C(0) >> (end - to);
		WRITE(*word, value ? READ(*word) | mask : READ(*word) & ~mask);
	}
}

static void bit_flip(word_t *words, uint64_t n)
{
	WRITE(words[n / 64], READ(words[n / 64]) ^ UINT64_C(1) << n % 64);
}

static bool bits_are(const word_t *words, uint64_t count, bool value)
{
	for (uint64_t i = 0; i < count / 64; i++)
		if (READ(words[i]) != -(uint64_t)value)
			return false;
	return true;
}

/* ---- Objects ---- */

static size_t object_size(unsigned type)
{
	if (type == BITMAP)
		return GIB_PAGES / 8;
	return type == RANGES ? sizeof(struct node) : (size_t)64 << type;
}

static uint64_t node_room(unsigned type)
{
	return (object_size(type) - sizeof(struct node)) / sizeof(uint16_t);
}

/* Of the smallest node with room for `count` odd pages, if there is one. */
static unsigned type_for(uint64_t count)
{
	for (unsigned type = RANGES; type < GPA_MAP_TYPES; type++)
		if (count <= node_room(type))
			return type;
	return BITMAP;
}

/*
 * The word of an object, or 0 without memory. Objects stay readable until the map goes, so
 * spare ones add up; but the heap is asked only when none of the type is spare, and no GiB
 * ever has two of a type. So a GiB costs one of each at most: 80 + 256 + ... + 4096 + 32768
 * bytes, which is less than 2 bits per page.
 */
static uint64_t object_take(struct gpa_map *map, unsigned type)
{
	word_t *object = bits_of(map->spare[type]);

	if (object) {
		map->spare[type] = READ(*object);
	} else {
		object = heap_alloc(object_size(type));
		if (!object)
			return 0;
		map->bytes_held += object_size(type);
	}
	map->bytes_used += object_size(type);
	return (uintptr_t)object | (uint64_t)type << 1 | 1;
}

/* Of a word that is not a run word. Readers may still look: the link, written as they read, is
 * where the bits were, so that a node's ends stay within it. */
static void object_put(struct gpa_map *map, uint64_t word)
{
	WRITE(*bits_of(word), map->spare[type_of(word)]);
	map->spare[type_of(word)] = word;
	map->bytes_used -= object_size(type_of(word));
}

/* ---- Nodes ---- */

static uint64_t node_count(const struct node *node) { return READ(node->end[PARTS - 1]); }

/* Where the entries of the part that `page` is in begin, and where they end. */
INLINE uint64_t part_begin(const struct node *node, uint64_t page)
{
	return page < PART_PAGES ? 0 : READ(node->end[page / PART_PAGES - 1]);
}

INLINE uint64_t part_end(const struct node *node, uint64_t page)
{
	return READ(node->end[page / PART_PAGES]);
}

INLINE uint16_t entry_of(uint64_t page, bool rest)
{
	return (uint16_t)(page % PART_PAGES * 2 + rest);
}

/* How many entries are below `page`. Whatever an update does meanwhile, this is no more than
 * there is room for, as all ends are at any time. */
INLINE uint64_t node_find(const struct node *node, uint64_t page)
{
	uint64_t low = part_begin(node, page);
	uint64_t high = part_end(node, page);

	for (uint64_t count = high > low ? high - low : 0; count > 0;) {
		uint64_t half = (count + 1) / 2;
		bool is_below = READ(node->odd[low + half - 1]) < entry_of(page, false);

		low += half & -(uint64_t)is_below; /* a branch would be a guess */
		count -= half;
	}
	return low;
}

/* Whether an entry is of the same range as `page`, of whose part it is. */
INLINE bool is_near(uint16_t entry, uint64_t page)
{
	return entry / (2 * RANGE_PAGES) == page % PART_PAGES / RANGE_PAGES;
}

/* What a node says around a page. */
struct spot {
	uint64_t at;   /* how many entries are below the page */
	uint64_t next; /* the first odd page of its range from it on, or the range's end */
	bool is_torn;  /* the range has odd pages */
	bool rest;     /* its other pages are shared */
};

INLINE struct spot node_look(const struct node *node, uint64_t page)
{
	struct spot s = {.at = node_find(node, page),
			 .next = align_down(page, RANGE_PAGES) + RANGE_PAGES,
			 .rest = bit_get(node->bits, page / RANGE_PAGES)};

	if (s.at > part_begin(node, page) && is_near(READ(node->odd[s.at - 1]), page)) {
		s.is_torn = true;
		s.rest = READ(node->odd[s.at - 1]) & 1;
	}
	if (s.at < part_end(node, page) && is_near(READ(node->odd[s.at]), page)) {
		s.is_torn = true;
		s.rest = READ(node->odd[s.at]) & 1;
		s.next = align_down(page, PART_PAGES) + READ(node->odd[s.at]) / 2;
	}
	return s;
}

/* A 2M range, as an update leaves it, if that is its first or last: its odd pages, which are
 * entries [begin, end) so far, are these `count`. */
struct edge {
	word_t odd[RANGE_WORDS];
	uint64_t begin, end, count;
	bool kind;
};

/* The kind of a range is that of most of its pages: a whole one has no odd page. */
static void edge_flip(struct edge *e)
{
	e->kind = !e->kind;
	e->count = RANGE_PAGES - e->count;
	for (unsigned i = 0; i < RANGE_WORDS; i++)
		WRITE(e->odd[i], ~READ(e->odd[i]));
}

/* The range with what of [from, to) is in it made `kind`. */
static void edge_read(struct edge *e, const struct node *node, uint64_t range, uint64_t from,
		      uint64_t to, bool kind)
{
	uint64_t base = range * RANGE_PAGES;
	uint64_t high = part_end(node, base);

	from = max64(from, base) - base;
	to = min64(to, base + RANGE_PAGES) - base;
	for (unsigned i = 0; i < RANGE_WORDS; i++)
		WRITE(e->odd[i], 0);
	e->begin = node_find(node, base);
	e->count = 0;
	e->kind = bit_get(node->bits, range);
	for (e->end = e->begin; e->end < high; e->end++) {
		uint16_t entry = READ(node->odd[e->end]);
		uint64_t page = entry / 2 % RANGE_PAGES;

		if (!is_near(entry, base))
			break;
		e->kind = entry & 1;
		bit_flip(e->odd, page);
		e->count += page < from || page >= to;
	}
	bits_set(e->odd, from, to, kind != e->kind);
	if (kind != e->kind)
		e->count += to - from;
	if (e->count > RANGE_PAGES / 2)
		edge_flip(e);
}

/* Its entries, from `at` on, and its bit. */
static void edge_write(struct node *node, uint64_t at, uint64_t range, const struct edge *e)
{
	bits_set(node->bits, range, range + 1, e->kind || e->count > 0);
	for (uint64_t w = 0; e->count > 0 && w < RANGE_WORDS; w++)
		for (uint64_t odd = READ(e->odd[w]); odd; odd &= odd - 1)
			WRITE(node->odd[at++], entry_of(range * RANGE_PAGES + w * 64 +
								(uint64_t)__builtin_ctzll(odd),
							e->kind));
}

/* Entries [from, count) move to `to`. */
static void list_move(struct node *node, uint64_t to, uint64_t from, uint64_t count)
{
	if (to < from)
		for (uint64_t i = from; i < count; i++)
			WRITE(node->odd[to++], READ(node->odd[i]));
	else if (to > from)
		for (uint64_t i = count; i-- > from;)
			WRITE(node->odd[to + i - from], READ(node->odd[i]));
}

/* After ranges [first, last] got `more` entries in all, the last range's now from `middle` on.
 */
static void ends_set(struct node *node, uint64_t first, uint64_t last, uint64_t middle,
		     uint64_t more)
{
	for (uint64_t i = first / PART_RANGES; i < last / PART_RANGES; i++)
		WRITE(node->end[i], (uint16_t)middle);
	for (uint64_t i = 0; i < PARTS; i++)
		WRITE(node->end[i], (uint16_t)(READ(node->end[i]) +
					       (more & -(uint64_t)(i >= last / PART_RANGES))));
}

/* The same as node_set() for one page, which is not its range's 257th odd one. */
static void node_set_page(struct node *node, uint64_t page, bool kind)
{
	struct spot s = node_look(node, page);
	bool was_odd = s.next == page;
	bool is_odd = kind != s.rest;

	if (is_odd == was_odd)
		return;
	list_move(node, s.at + is_odd, s.at + was_odd, node_count(node));
	if (is_odd)
		WRITE(node->odd[s.at], entry_of(page, s.rest));
	for (uint64_t i = page / PART_PAGES; i < PARTS; i++)
		WRITE(node->end[i], (uint16_t)(READ(node->end[i]) + is_odd - was_odd));
	bits_set(node->bits, page / RANGE_PAGES, page / RANGE_PAGES + 1,
		 s.rest || node_look(node, page).is_torn);
}

/* Pages [from, to) of the GiB become `kind`. There is room for pages_odd() more. */
static void node_set(struct node *node, uint64_t from, uint64_t to, bool kind)
{
	uint64_t first = from / RANGE_PAGES;
	uint64_t last = (to - 1) / RANGE_PAGES;
	uint64_t middle, old_end, end;
	struct edge head, tail;

	if (node_count(node) == 0 && (from | to) % RANGE_PAGES == 0) {
		bits_set(node->bits, first, last + 1, kind);
		return;
	}
	if (to - from == 1 && part_end(node, from) - part_begin(node, from) < RANGE_PAGES / 2) {
		node_set_page(node, from, kind);
		return;
	}
	edge_read(&head, node, first, from, to, kind);
	if (first < last)
		edge_read(&tail, node, last, from, to, kind);
	middle = head.begin + head.count;
	old_end = first < last ? tail.end : head.end;
	end = first < last ? middle + tail.count : middle;
	list_move(node, end, old_end, node_count(node));
	edge_write(node, head.begin, first, &head);
	if (first < last) {
		bits_set(node->bits, first + 1, last, kind);
		edge_write(node, middle, last, &tail);
	}
	ends_set(node, first, last, middle, end - old_end);
}

/* How many odd pages [from, to) can add: at each end no more than lie up to the next 2M
 * boundary, on its better side. */
static uint64_t pages_odd(uint64_t from, uint64_t to)
{
	return min64(to - from, min64(from % RANGE_PAGES, -from % RANGE_PAGES) +
					min64(to % RANGE_PAGES, -to % RANGE_PAGES));
}

/* How many odd pages lie in [from, to). */
static uint64_t pages_listed(const struct node *node, uint64_t from, uint64_t to)
{
	uint64_t end = to < GIB_PAGES ? node_find(node, to) : node_count(node);

	return end - node_find(node, from);
}

/* ---- A GiB with several runs ---- */

/* A new node says what `old` did: a run word, or a node with less room. */
static void node_fill(struct node *node, uint64_t old, uint64_t base)
{
	struct extent e = extent_of(old, base, GIB_PAGES);
	const struct node *from = gpa_run_word(old) ? NULL : node_of(old);

	for (unsigned i = 0; i < PARTS; i++)
		WRITE(node->end[i], from ? READ(from->end[i]) : 0);
	for (unsigned i = 0; i < RANGE_WORDS; i++)
		WRITE(node->bits[i], from ? READ(from->bits[i]) : -e.around);
	for (uint64_t i = 0; i < node_count(node); i++)
		WRITE(node->odd[i], READ(from->odd[i]));
	if (gpa_run_word(old) && !is_alike(&e))
		node_set(node, e.first, e.end, !e.around);
}

/* A new bitmap says what a node did. */
static void bitmap_fill(word_t *bitmap, const struct node *node)
{
	for (uint64_t r = 0; r < GIB_RANGES; r++) {
		struct edge e;

		edge_read(&e, node, r, r * RANGE_PAGES, r * RANGE_PAGES, 0);
		for (unsigned i = 0; i < RANGE_WORDS; i++)
			WRITE(*bitmap++, READ(e.odd[i]) ^ -(uint64_t)e.kind);
	}
}

/*
 * *word, of the GiB that begins at page `base`, becomes one that can say what comes out when
 * [from, to) is made `kind`: a run word that does, the object that there is, or a new one for
 * gib_commit() to fill. False without memory.
 */
static bool gib_prepare(struct gpa_map *map, uint64_t *word, uint64_t base, uint64_t from,
			uint64_t to, uint64_t kind)
{
	uint64_t count = pages_odd(from, to);

	if (from == 0 && to == GIB_PAGES) {
		*word = alike_word(base, kind);
		return true;
	}
	if (gpa_run_word(*word)) {
		struct extent e = extent_of(*word, base, GIB_PAGES);

		if (extent_set(&e, from, to, kind)) {
			*word = run_word(&e);
			return true;
		}
		count += pages_odd(e.first, e.end);
	} else {
		uint64_t room = node_room(type_of(*word));

		if (type_of(*word) == BITMAP)
			return true;
		count += node_count(node_of(*word));
		if (count > room)
			count -= pages_listed(node_of(*word), from, to);
		if (count <= room)
			return true;
	}
	*word = object_take(map, type_for(count));
	return *word != 0;
}

static void update_begin(struct gpa_map *map)
{
	WRITE(map->sequence, READ(map->sequence) + 1);
	atomic_thread_fence(memory_order_release);
}

static void update_end(struct gpa_map *map) { PUBLISH(map->sequence, READ(map->sequence) + 1); }

/* Pages [from, to) of an object become `kind`. True when all are now. */
static bool object_set(uint64_t word, uint64_t from, uint64_t to, uint64_t kind)
{
	struct node *node = node_of(word);

	if (type_of(word) == BITMAP) {
		bits_set(bits_of(word), from, to, kind);
		return bits_are(bits_of(word), GIB_PAGES, kind);
	}
	node_set(node, from, to, kind);
	return node_count(node) == 0 && bits_are(node->bits, GIB_RANGES, kind);
}

/* The same in GiB `index`, with the word from gib_prepare(). A change of a run word is one
 * store: readers see it whole. */
static void gib_commit(struct gpa_map *map, uint64_t index, uint64_t word, uint64_t from,
		       uint64_t to, uint64_t kind)
{
	word_t *slot = &gibs_of(READ(map->root))[index];
	uint64_t old = READ(*slot);
	uint64_t base = index * GIB_PAGES;

	if (gpa_run_word(old) && gpa_run_word(word)) {
		WRITE(*slot, word);
		return;
	}
	update_begin(map);
	if (!gpa_run_word(word)) {
		if (word != old && type_of(word) == BITMAP)
			bitmap_fill(bits_of(word), node_of(old));
		else if (word != old)
			node_fill(node_of(word), old, base);
		if (object_set(word, from, to, kind)) {
			if (word != old)
				object_put(map, word);
			word = alike_word(base, kind);
		}
	}
	PUBLISH(*slot, word);
	if (!gpa_run_word(old) && word != old)
		object_put(map, old);
	update_end(map);
}

/* ---- The map ---- */

static uint64_t gib_count(const struct gpa_map *map) { return map->end.raw / SIZE_1G; }
static uint64_t page_count(const struct gpa_map *map) { return map->end.raw / SIZE_4K; }

/* A word per GiB instead of the one for all; they say the same. */
static bool root_split(struct gpa_map *map) REQUIRES(map->lock)
{
	uint64_t root = READ(map->root);
	size_t size = gib_count(map) * sizeof(word_t);
	word_t *gibs;

	if (!gpa_run_word(root))
		return true;
	gibs = heap_alloc(size);
	if (!gibs)
		return false;
	map->bytes_used += size;
	map->bytes_held += size;
	for (uint64_t i = 0; i < gib_count(map); i++)
		WRITE(gibs[i], root);
	PUBLISH(map->root, (uintptr_t)gibs | 1);
	return true;
}

static uint64_t gib_word(uint64_t root, uint64_t index)
{
	return gpa_run_word(root) ? root : READ(gibs_of(root)[index]);
}

/* One run says it all: true, and done. A run of a guest of 8 TiB and more does not fit. */
static bool root_set(struct gpa_map *map, uint64_t from, uint64_t to, uint64_t kind)
	REQUIRES(map->lock)
{
	struct extent e = extent_of(READ(map->root), 0, page_count(map));

	if (!extent_set(&e, from, to, kind) ||
	    (page_count(map) >= RUN_PAGES && !(is_alike(&e) && e.around == GPA_PRIVATE)))
		return false;
	WRITE(map->root, run_word(&e));
	return true;
}

/* Gives back what gib_prepare() took for GiB `index`. */
static void gib_unprepare(struct gpa_map *map, uint64_t word, uint64_t index)
{
	if (!gpa_run_word(word) && word != gib_word(READ(map->root), index))
		object_put(map, word);
}

/* The root last: it would stay split if anything else failed. */
static enum status set_locked(struct gpa_map *map, uint64_t from, uint64_t to, uint64_t kind)
	REQUIRES(map->lock)
{
	uint64_t root = READ(map->root);
	uint64_t first = from / GIB_PAGES;
	uint64_t last = (to - 1) / GIB_PAGES;
	uint64_t head_end = min64(to - first * GIB_PAGES, GIB_PAGES);
	uint64_t tail_end = to - last * GIB_PAGES;
	uint64_t head, tail;

	if (gpa_run_word(root) && root_set(map, from, to, kind))
		return STATUS_OK;
	from %= GIB_PAGES;
	head = gib_word(root, first);
	tail = gib_word(root, last);
	if (!gib_prepare(map, &head, first * GIB_PAGES, from, head_end, kind))
		return STATUS_NO_MEMORY;
	if ((first < last && !gib_prepare(map, &tail, last * GIB_PAGES, 0, tail_end, kind)) ||
	    !root_split(map)) {
		gib_unprepare(map, head, first);
		gib_unprepare(map, tail, last);
		return STATUS_NO_MEMORY;
	}
	gib_commit(map, first, head, from, head_end, kind);
	for (uint64_t i = first + 1; i < last; i++)
		gib_commit(map, i, alike_word(i * GIB_PAGES, kind), 0, GIB_PAGES, kind);
	if (first < last)
		gib_commit(map, last, tail, 0, tail_end, kind);
	return STATUS_OK;
}

enum status gpa_map_set(struct gpa_map *map, gpa_t at, uint64_t size, enum gpa_kind kind)
{
	uint64_t end = at.raw + size;
	enum status s;

	if ((at.raw | size) % SIZE_4K || size == 0 || end < at.raw || end > map->end.raw)
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
	map->end = gpa(align_up(end.raw, SIZE_1G));
	return STATUS_OK;
}

void gpa_map_destroy(struct gpa_map *map)
{
	uint64_t root = READ(map->root);

	for (uint64_t i = 0; !gpa_run_word(root) && i < gib_count(map); i++)
		if (!gpa_run_word(gib_word(root, i)))
			object_put(map, gib_word(root, i));
	if (!gpa_run_word(root))
		heap_free(gibs_of(root), gib_count(map) * sizeof(word_t));
	for (unsigned type = 0; type < GPA_MAP_TYPES; type++)
		while (map->spare[type])
			heap_free(bits_of(object_take(map, type)), object_size(type));
	memset(map, 0, sizeof(*map));
}

/* ---- Lookups ---- */

/* What is known around a page after one look. */
struct look {
	enum gpa_kind kind;
	enum page_level level; /* at which all around is alike */
	uint64_t end;          /* alike up to here at least, from the page on */
};

/* How far, in pages and at least 1, the nearer boundary of a run lies above `page`. */
INLINE uint64_t run_distance(uint64_t word, uint64_t page)
{
	uint32_t from = (uint32_t)(2 * page) + 2;
	uint32_t first = (uint32_t)word - from;
	uint32_t end = (uint32_t)word + (uint32_t)(word >> 32) - from;

	return min64(first, end) / 2 + 1;
}

/* `limit`: end of the word's extent. */
INLINE void look_at_run(uint64_t word, uint64_t page, uint64_t limit, struct look *l)
{
	l->kind = gpa_run_kind(word, gpa(page * SIZE_4K));
	l->end = min64(page + run_distance(word, page), limit);
	l->level = LEVEL_1G;
	if (run_distance(word, align_down(page, RANGE_PAGES)) < RANGE_PAGES)
		l->level = LEVEL_4K;
	else if (run_distance(word, align_down(page, GIB_PAGES)) < GIB_PAGES)
		l->level = LEVEL_2M;
}

/* `end` no further than the word: the caller steps on. */
INLINE void look_at_bitmap(const word_t *words, uint64_t page, struct look *l)
{
	uint64_t rest = READ(words[page / 64 % (GIB_PAGES / 64)]) >> page % 64;
	const word_t *range = &words[page / RANGE_PAGES % GIB_RANGES * RANGE_WORDS];

	l->kind = (enum gpa_kind)(rest & 1);
	rest ^= -(rest & 1);
	l->end = align_down(page, 64) + 64;
	if (rest)
		l->end = min64(l->end, page + (uint64_t)__builtin_ctzll(rest));
	if (!bits_are(range, RANGE_PAGES, l->kind))
		l->level = LEVEL_4K;
}

INLINE void look_at_node(const struct node *node, uint64_t page, struct look *l)
{
	uint64_t inner = page % GIB_PAGES;
	bool kind = bit_get(node->bits, inner / RANGE_PAGES);

	if (node_count(node) > 0 && kind) {
		struct spot s = node_look(node, inner);

		kind = s.rest ^ (s.next == inner);
		if (s.is_torn)
			l->level = LEVEL_4K;
		l->end = page + max64(s.next - inner, 1);
	}
	l->kind = (enum gpa_kind)kind;
}

/* One look at page `page` of the guest, possibly at something half changed: then false. */
INLINE bool try_look(const struct gpa_map *map, uint64_t page, struct look *l)
{
	uint64_t before = FOLLOW(map->sequence);
	uint64_t root = FOLLOW(map->root);
	uint64_t word = gpa_run_word(root) ? root : FOLLOW(gibs_of(root)[page / GIB_PAGES]);

	if (gpa_run_word(word)) {
		uint64_t end = gpa_run_word(root) ? page_count(map)
						  : align_down(page, GIB_PAGES) + GIB_PAGES;

		look_at_run(word, page, end, l);
		return true;
	}
	l->level = LEVEL_2M;
	l->end = align_down(page, RANGE_PAGES) + RANGE_PAGES;
	if (type_of(word) == BITMAP)
		look_at_bitmap(bits_of(word), page, l);
	else
		look_at_node(node_of(word), page, l);
	atomic_thread_fence(memory_order_acquire);
	return READ(map->sequence) == (before & ~UINT64_C(1));
}

/* The first look nearly always succeeds. */
static OUT_OF_LINE struct look look_again(const struct gpa_map *map, uint64_t page)
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

/* The bit says it, unless its range has odd pages. */
enum gpa_kind gpa_map_kind_below(const struct gpa_map *map, gpa_t at)
{
	uint64_t page = at.raw / SIZE_4K;
	uint64_t before = FOLLOW(map->sequence);
	uint64_t word = FOLLOW(gibs_of(READ(map->root))[page / GIB_PAGES]);
	bool per_page = type_of(word) == BITMAP;
	bool kind;

	if (gpa_run_word(word))
		return gpa_run_kind(word, at);
	kind = bit_get(bits_of(word), page % GIB_PAGES / (per_page ? 1 : RANGE_PAGES));
	if (type_of(word) > RANGES && kind)
		return look_again(map, page).kind;
	atomic_thread_fence(memory_order_acquire);
	if (READ(map->sequence) != (before & ~UINT64_C(1)))
		return look_again(map, page).kind;
	return (enum gpa_kind)kind;
}

enum gpa_kind gpa_map_lookup(const struct gpa_map *map, gpa_t at, enum page_level *uniform)
{
	uint64_t page = at.raw / SIZE_4K;
	struct look l = {.kind = GPA_SHARED};

	if (page < page_count(map))
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

		if (page < page_count(map))
			l = look(map, page);
		if (l.kind != kind)
			return gpa(page * SIZE_4K);
		page = l.end;
	}
	return limit;
}

uint64_t gpa_map_bytes_used(const struct gpa_map *map) { return map->bytes_used; }
uint64_t gpa_map_bytes_held(const struct gpa_map *map) { return map->bytes_held; }
