/* SPDX-License-Identifier: MIT */
/* Ours, and what it asks of the kernel. */
#include <immintrin.h>
#include <stdlib.h>

#include "core/hw.h"
#include "mm/heap.h"
#include "tdx/gpa_map.h"
#include "tests/bench/gpamap.h"

void *heap_alloc(size_t size) { return calloc(1, size); }
void heap_free(void *p, size_t size)
{
	(void)size;
	free(p);
}

void hw_pause(void) { _mm_pause(); }

static void *create(uint64_t end)
{
	struct gpa_map *map = calloc(1, sizeof(*map));

	if (!map || gpa_map_init(map, gpa(end)) != STATUS_OK)
		bench_fail("no memory");
	return map;
}

static void destroy(void *self)
{
	gpa_map_destroy(self);
	free(self);
}

static void set(void *self, uint64_t at, uint64_t size, bool shared)
{
	if (gpa_map_set(self, gpa(at), size, shared ? GPA_SHARED : GPA_PRIVATE) != STATUS_OK)
		bench_fail("gpa_map_set %#lx+%#lx", at, size);
}

static unsigned is_shared(const void *self, uint64_t at)
{
	return (unsigned)gpa_map_kind(self, gpa(at));
}

static bool level_at(const void *self, uint64_t at, enum page_level *level)
{
	return gpa_map_lookup(self, gpa(at), level) == GPA_SHARED;
}

const struct structure structure_redoubt = {
	.name = "redoubt",
	.create = create,
	.destroy = destroy,
	.set = set,
	.is_shared = is_shared,
	.level = level_at,
};
