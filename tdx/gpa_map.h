/* SPDX-License-Identifier: MIT */
/*
 * Private or shared, for every 4K page of a guest, small. A word says all about an extent that
 * is alike but for one run of pages: the whole guest at first, with nothing else allocated, and
 * each GiB when the guest has more runs than one. A GiB with more runs has a bit for each of
 * its 2M ranges and a list of the odd pages, those that are not as most of their range, two
 * bytes each; a GiB with thousands of these is a bitmap. A GiB that becomes alike is one word
 * again.
 *
 * Lookups take no lock and may run during updates, which they do not delay; an update of
 * several GiB shows GiB by GiB. Objects that an update gives up are reused by this map and go
 * back to the heap with gpa_map_destroy() only: a reader that still holds one reads valid
 * memory and finds by the sequence count that it must repeat.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/spinlock.h"
#include "core/status.h"

enum gpa_kind { GPA_PRIVATE, GPA_SHARED };

#define GPA_MAP_TYPES 7 /* of objects, each of one size */

struct gpa_map {
	gpa_t end; /* of the guest, whole GiBs */
	/* A run word for the whole guest, or the address of a word per GiB, for good then. */
	atomic_uint_least64_t root;
	atomic_uint_least64_t sequence; /* odd while what lies below a GiB's word changes */
	struct spinlock lock;           /* serialises updates */
	/* Protected by lock. */
	uint64_t spare[GPA_MAP_TYPES]; /* objects, linked through their first word */
	uint64_t bytes_used, bytes_held;
};

/* All of [0, end) private; end is rounded up to 1 GiB, and at most 16 TiB of RAM and the hole
 * below 4 GiB, else STATUS_BAD_ARG. *map is zero before. Allocates nothing. */
MUST_CHECK enum status gpa_map_init(struct gpa_map *map, gpa_t end);
void gpa_map_destroy(struct gpa_map *map);

/*
 * Makes [at, at+size), 4K multiples, `kind`. All or nothing: STATUS_NO_MEMORY and
 * STATUS_BAD_ARG (misaligned, empty, beyond the end) leave the map as it was.
 */
MUST_CHECK enum status gpa_map_set(struct gpa_map *map, gpa_t at, uint64_t size,
				   enum gpa_kind kind);

/*
 * A word with bit 0 clear says it all: pages [first, first+count) are shared, all others of
 * its extent private. Page numbers are the guest's, modulo 2^31, so that a run may also wrap
 * around and leave a private run out. 31:1 first, 63:33 count. Zero is all private.
 */
static inline bool gpa_run_word(uint64_t word) { return !(word & 1); }
/* Counts half pages, as the word does: which half makes no difference between even bounds. */
static inline enum gpa_kind gpa_run_kind(uint64_t word, gpa_t at)
{
	return (enum gpa_kind)((uint32_t)(at.raw / (SIZE_4K / 2)) - (uint32_t)word < word >>
			       32);
}

/* gpa_map_kind() below the end where the root is no run word. */
enum gpa_kind gpa_map_kind_below(const struct gpa_map *map, gpa_t at);

/* What `at` is. Beyond the end: shared. Inline: most guests have one run only. */
static inline enum gpa_kind gpa_map_kind(const struct gpa_map *map, gpa_t at)
{
	uint64_t root = atomic_load_explicit(&map->root, memory_order_acquire);

	if (at.raw >= map->end.raw)
		return GPA_SHARED;
	return gpa_run_word(root) ? gpa_run_kind(root, at) : gpa_map_kind_below(map, at);
}

/* The same, and the largest level at which all around it is alike. Beyond the end: 4K. */
enum gpa_kind gpa_map_lookup(const struct gpa_map *map, gpa_t at, enum page_level *uniform);

/* First GPA above `at`, at most `limit`, whose kind differs from that of `at`. */
gpa_t gpa_map_run_end(const struct gpa_map *map, gpa_t at, gpa_t limit);

/* Bytes in use for the map's present contents, and bytes taken from the heap in all. */
uint64_t gpa_map_bytes_used(const struct gpa_map *map);
uint64_t gpa_map_bytes_held(const struct gpa_map *map);
