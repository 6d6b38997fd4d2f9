/* SPDX-License-Identifier: MIT */
#include "mm/paging.h"

#include "core/panic.h"
#include "core/spinlock.h"
#include "core/string.h"
#include "mm/frame.h"
#include "mm/phys.h"

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_WRITE    (UINT64_C(1) << 1)
#define PTE_PWT      (UINT64_C(1) << 3)
#define PTE_PCD      (UINT64_C(1) << 4)
#define PTE_ACCESSED (UINT64_C(1) << 5)
#define PTE_DIRTY    (UINT64_C(1) << 6)
#define PTE_LARGE    (UINT64_C(1) << 7)
#define PTE_NX       (UINT64_C(1) << 63)
#define PTE_ADDRESS  UINT64_C(0x000ffffffffff000)

#define DIRECT_MAP_TOP (UINT64_C(1) << 46) /* of the physical address */
#define MMIO_BASE      UINT64_C(0xffffc00000000000)
#define STACK_BASE     UINT64_C(0xffffd00000000000)

/* Protected by lock. */
static struct spinlock lock = SPINLOCK_INIT;
static hpa_t root;
static hpa_t pool_next;
static uint64_t pool_left;
static enum page_level largest_page;
static uint64_t mmio_next;
static uint64_t stack_next;

static enum status table_create(hpa_t *out)
{
	if (pool_left >= PAGE_SIZE) {
		*out = pool_next;
		pool_next = hpa_add(pool_next, PAGE_SIZE);
		pool_left -= PAGE_SIZE;
	} else {
		enum status s = frame_alloc(LEVEL_4K, FRAME_HOST, out);

		if (s != STATUS_OK)
			return s;
	}
	memset(phys_ptr(*out), 0, PAGE_SIZE);
	return STATUS_OK;
}

void paging_init(hpa_t pool, uint64_t pool_size, bool has_1g_pages)
{
	pool_next = pool;
	pool_left = pool_size;
	largest_page = has_1g_pages ? LEVEL_1G : LEVEL_2M;
	mmio_next = MMIO_BASE;
	stack_next = STACK_BASE;
	CHECK(table_create(&root) == STATUS_OK);
}

hpa_t paging_root(void) { return root; }

static unsigned table_index(uint64_t va, unsigned level)
{
	return va >> (12 + 9 * level) & 511;
}

static enum page_level best_level(uint64_t va, hpa_t at, uint64_t size)
{
	enum page_level level = largest_page;

	while (level > LEVEL_4K &&
	       ((va | at.raw) % level_size(level) != 0 || size < level_size(level)))
		level--;
	return level;
}

static uint64_t leaf_bits(enum page_level level, unsigned flags)
{
	uint64_t e = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;

	if ((flags & PAGING_WRITE) != 0)
		e |= PTE_WRITE;
	if ((flags & PAGING_EXECUTE) == 0)
		e |= PTE_NX;
	if ((flags & PAGING_UNCACHED) != 0)
		e |= PTE_PCD | PTE_PWT;
	return level == LEVEL_4K ? e : e | PTE_LARGE;
}

/*
 * Maps a page of *level or, where a table is already, of the level below that is free there;
 * *level becomes what the caller may go on by.
 */
static enum status map_one(uint64_t va, hpa_t at, enum page_level *level, unsigned flags)
{
	const enum page_level wanted = *level;
	uint64_t *table = phys_ptr(root);

	for (enum page_level l = LEVEL_512G;; l--) {
		uint64_t *e = &table[table_index(va, l)];

		*level = l < wanted ? l : wanted;
		if ((*e & PTE_PRESENT) != 0) {
			if (l == LEVEL_4K || (*e & PTE_LARGE) != 0)
				return STATUS_OK;
		} else if (l <= wanted) {
			*e = at.raw | leaf_bits(l, flags);
			return STATUS_OK;
		} else {
			hpa_t below;
			enum status s = table_create(&below);

			if (s != STATUS_OK)
				return s;
			*e = below.raw | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
		}
		table = phys_ptr(hpa(*e & PTE_ADDRESS));
	}
}

static enum status map(uint64_t va, hpa_t at, uint64_t size, unsigned flags)
{
	while (size > 0) {
		enum page_level level = best_level(va, at, size);
		enum status s = map_one(va, at, &level, flags);

		if (s != STATUS_OK)
			return s;
		va += level_size(level);
		at = hpa_add(at, level_size(level));
		size -= level_size(level);
	}
	return STATUS_OK;
}

enum status paging_map(uint64_t va, hpa_t at, uint64_t size, unsigned flags)
{
	enum status s;

	if ((va | at.raw | size) % PAGE_SIZE != 0)
		return STATUS_BAD_ARG;
	spin_lock(&lock);
	s = map(va, at, size, flags);
	spin_unlock(&lock);
	return s;
}

static bool whole_pages(hpa_t at, uint64_t size, struct hpa_range *r)
{
	uint64_t end = at.raw + size;

	if (size == 0 || end < at.raw || end > DIRECT_MAP_TOP)
		return false;
	r->base = hpa(align_down(at.raw, PAGE_SIZE));
	r->size = align_up(end, PAGE_SIZE) - r->base.raw;
	return true;
}

enum status paging_map_direct(hpa_t at, uint64_t size)
{
	struct hpa_range r;

	if (!whole_pages(at, size, &r))
		return STATUS_BAD_ARG;
	return paging_map(direct_map_base + r.base.raw, r.base, r.size, PAGING_WRITE);
}

volatile void *paging_map_mmio(hpa_t at, uint64_t size)
{
	struct hpa_range r;
	enum status s;
	uint64_t va;

	if (!whole_pages(at, size, &r))
		return NULL;
	spin_lock(&lock);
	va = mmio_next;
	mmio_next += r.size;
	s = map(va, r.base, r.size, PAGING_WRITE | PAGING_UNCACHED);
	spin_unlock(&lock);
	return s == STATUS_OK ? (volatile void *)(va + (at.raw - r.base.raw)) : NULL;
}

enum status paging_map_stack(uint64_t size, uint64_t *top)
{
	enum status s = STATUS_OK;
	uint64_t va;

	spin_lock(&lock);
	va = stack_next + PAGE_SIZE;
	stack_next = va + size;
	for (uint64_t at = 0; at < size && s == STATUS_OK; at += PAGE_SIZE) {
		hpa_t frame;

		s = frame_alloc(LEVEL_4K, FRAME_HOST, &frame);
		if (s == STATUS_OK)
			s = map(va + at, frame, PAGE_SIZE, PAGING_WRITE);
	}
	spin_unlock(&lock);
	if (s == STATUS_OK)
		*top = va + size;
	return s;
}
