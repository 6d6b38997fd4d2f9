/* SPDX-License-Identifier: MIT */
#include "vmx/ept.h"

#include <stdatomic.h>
#include <stddef.h>

#include "core/hw.h"
#include "mm/frame.h"
#include "mm/phys.h"

#define ENTRIES      512U
#define PRESENT      ((uint64_t)(EPT_READ | EPT_WRITE | EPT_EXEC))
#define ENTRY_ABSENT EPT_SUPPRESS_VE
#define ENTRY_MMIO   UINT64_C(0)

/* The CPUs walk these tables while they change. */
typedef _Atomic(uint64_t) ept_entry_t;

static ept_entry_t *table_at(hpa_t at) { return phys_ptr(at); }

static uint64_t read(const ept_entry_t *e)
{
	return atomic_load_explicit(e, memory_order_acquire);
}

static void write(ept_entry_t *e, uint64_t v)
{
	atomic_store_explicit(e, v, memory_order_release);
}

static bool is_present(uint64_t e) { return (e & PRESENT) != 0; }

static bool is_leaf(uint64_t e, enum page_level level)
{
	return is_present(e) && (level == LEVEL_4K || (e & EPT_LARGE));
}

static unsigned index_of(const struct ept *ept, gpa_t at, enum page_level level)
{
	return (unsigned)((at.raw | ept->fixed_bits) / level_size(level) % ENTRIES);
}

/* A table whose entries all say what the one above said. */
static enum status table_create(struct ept *ept, uint64_t fill, hpa_t *out)
{
	enum status s = frame_alloc(LEVEL_4K, FRAME_SHARED, out);

	if (s)
		return s;
	for (unsigned i = 0; i < ENTRIES; i++)
		write(&table_at(*out)[i], fill);
	ept->table_count++;
	return STATUS_OK;
}

enum status ept_init(struct ept *ept, uint64_t fixed_bits)
{
	*ept = (struct ept){.fixed_bits = fixed_bits};
	return table_create(ept, ENTRY_ABSENT, &ept->root);
}

/* The entry of `level` for `at`; creates the tables above it. STATUS_EXISTS: a larger page is
 * there. */
static enum status entry_for(struct ept *ept, gpa_t at, enum page_level level,
			     ept_entry_t **out)
{
	ept_entry_t *table = table_at(ept->root);

	for (enum page_level l = LEVEL_512G; l > level; l--) {
		ept_entry_t *e = &table[index_of(ept, at, l)];
		uint64_t value = read(e);

		if (is_leaf(value, l))
			return STATUS_EXISTS;
		if (!is_present(value)) {
			hpa_t below;
			enum status s = table_create(ept, value, &below);

			if (s)
				return s;
			value = below.raw | PRESENT;
			write(e, value);
		}
		table = table_at(hpa(value & EPT_ADDR_MASK));
	}
	*out = &table[index_of(ept, at, level)];
	return STATUS_OK;
}

enum status ept_map(struct ept *ept, gpa_t at, hpa_t to, enum page_level level, unsigned perms)
{
	ept_entry_t *e;
	enum status s;

	if (level > LEVEL_1G || !gpa_aligned(at, level_size(level)) ||
	    !hpa_aligned(to, level_size(level)) || perms == 0 || (perms & ~PRESENT))
		return STATUS_BAD_ARG;
	s = entry_for(ept, at, level, &e);
	if (s)
		return s;
	if (is_present(read(e)) && !is_leaf(read(e), level))
		return STATUS_EXISTS;
	write(e, to.raw | perms | EPT_MEMTYPE_WB | EPT_SUPPRESS_VE |
			 (level > LEVEL_4K ? EPT_LARGE : 0));
	return STATUS_OK;
}

enum status ept_map_mmio(struct ept *ept, gpa_t at, uint64_t size)
{
	uint64_t end = at.raw + size;

	if (at.raw % SIZE_4K || size % SIZE_4K || end < at.raw)
		return STATUS_BAD_ARG;
	while (at.raw < end) {
		enum page_level level = LEVEL_1G;
		ept_entry_t *e;
		enum status s;

		while (level > LEVEL_4K && (!gpa_aligned(at, level_size(level)) ||
					    end - at.raw < level_size(level)))
			level--;
		s = entry_for(ept, at, level, &e);
		if (s)
			return s;
		if (is_present(read(e)))
			return STATUS_EXISTS;
		write(e, ENTRY_MMIO);
		at = gpa_add(at, level_size(level));
	}
	return STATUS_OK;
}

/* The leaf entry that covers `at`, or NULL. */
static ept_entry_t *leaf_for(const struct ept *ept, gpa_t at, enum page_level *level)
{
	ept_entry_t *table = table_at(ept->root);

	for (*level = LEVEL_512G;; --*level) {
		ept_entry_t *e = &table[index_of(ept, at, *level)];
		uint64_t value = read(e);

		if (!is_present(value))
			return NULL;
		if (is_leaf(value, *level))
			return e;
		table = table_at(hpa(value & EPT_ADDR_MASK));
	}
}

enum status ept_unmap(struct ept *ept, gpa_t at, hpa_t *was, enum page_level *level)
{
	enum page_level found;
	ept_entry_t *e = leaf_for(ept, at, &found);

	if (!e)
		return STATUS_NOT_FOUND;
	*was = hpa(read(e) & EPT_ADDR_MASK);
	*level = found;
	write(e, ENTRY_ABSENT);
	return STATUS_OK;
}

bool ept_lookup(const struct ept *ept, gpa_t at, hpa_t *page, enum page_level *level)
{
	ept_entry_t *e = leaf_for(ept, at, level);

	if (e)
		*page = hpa(read(e) & EPT_ADDR_MASK);
	return e != NULL;
}

static void table_destroy(struct ept *ept, hpa_t table, enum page_level level)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t e = read(&table_at(table)[i]);
		hpa_t to = hpa(e & EPT_ADDR_MASK);

		if (is_leaf(e, level) && frame_owner_of(to) == FRAME_SHARED)
			frame_free(to, level_size(level));
		else if (is_present(e) && !is_leaf(e, level))
			table_destroy(ept, to, level - 1);
	}
	frame_free(table, PAGE_SIZE);
	ept->table_count--;
}

void ept_destroy(struct ept *ept)
{
	if (ept->table_count)
		table_destroy(ept, ept->root, LEVEL_512G);
}
