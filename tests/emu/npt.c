/* SPDX-License-Identifier: MIT */
#include "tests/emu/npt.h"

#include "tests/emu/pool.h"

#define TOP_LEVEL 4U
#define ENTRIES   512U

static unsigned index_of(uint64_t gpa, unsigned level)
{
	return (unsigned)(gpa >> (12 + 9 * level)) & (ENTRIES - 1);
}

static uint64_t *table_of(uint64_t entry) { return (uint64_t *)(entry & NPT_ADDR); }

static bool is_table(uint64_t entry, unsigned level)
{
	return level > 0 && (entry & (NPT_PRESENT | NPT_LARGE)) == NPT_PRESENT;
}

static void store(uint64_t *slot, uint64_t value) { *(volatile uint64_t *)slot = value; }

bool npt_init(struct npt *npt)
{
	npt->root = pool_page_get();
	return npt->root != NULL;
}

/* A table whose entries say what the one entry `whole` of `level` said. */
static uint64_t split_entry(uint64_t whole, unsigned level)
{
	uint64_t *table = pool_page_get();
	uint64_t step = npt_size(level - 1);
	uint64_t entry = whole;

	if (table == NULL)
		return 0;
	if (level == 1)
		entry &= ~NPT_LARGE;
	for (unsigned i = 0; whole != 0 && i < ENTRIES; i++)
		table[i] = (entry & NPT_PRESENT) != 0 ? entry + i * step : entry;
	return (uint64_t)table | NPT_RWX;
}

/* The slot of `gpa` at `level`; tables on the way are made. */
static uint64_t *slot_of(struct npt *npt, uint64_t gpa, unsigned level)
{
	uint64_t *table = npt->root;

	for (unsigned l = TOP_LEVEL; l > level; l--) {
		uint64_t *slot = &table[index_of(gpa, l)];

		if (!is_table(*slot, l)) {
			uint64_t entry = split_entry(*slot, l);

			if (entry == 0)
				return NULL;
			store(slot, entry);
		}
		table = table_of(*slot);
	}
	return &table[index_of(gpa, level)];
}

bool npt_set(struct npt *npt, uint64_t gpa, unsigned level, uint64_t entry)
{
	uint64_t *slot = slot_of(npt, gpa, level);

	if (slot == NULL)
		return false;
	if (level > 0 && (entry & NPT_PRESENT) != 0)
		entry |= NPT_LARGE;
	store(slot, entry);
	return true;
}

static unsigned largest_level(uint64_t gpa, uint64_t size)
{
	unsigned level = 2;

	while (level > 0 && ((gpa & (npt_size(level) - 1)) != 0 || size < npt_size(level)))
		level--;
	return level;
}

bool npt_set_range(struct npt *npt, uint64_t gpa, uint64_t size, uint64_t entry)
{
	while (size > 0) {
		unsigned level = largest_level(gpa, size);
		unsigned found;

		/* A table below stays, for another CPU may be walking it. */
		npt_lookup(npt, gpa, &found);
		if (found < level)
			level = found;
		if (!npt_set(npt, gpa, level, entry))
			return false;
		gpa += npt_size(level);
		size -= npt_size(level);
		if ((entry & NPT_PRESENT) != 0)
			entry += npt_size(level);
	}
	return true;
}

uint64_t npt_lookup(const struct npt *npt, uint64_t gpa, unsigned *level)
{
	uint64_t *table = npt->root;
	unsigned l = TOP_LEVEL;

	for (;; l--) {
		uint64_t entry = *(volatile uint64_t *)&table[index_of(gpa, l)];

		if (!is_table(entry, l)) {
			*level = l;
			return entry;
		}
		table = table_of(entry);
	}
}

void npt_drop_range(struct npt *npt, uint64_t gpa, uint64_t size)
{
	uint64_t end = gpa + size;

	while (gpa < end) {
		unsigned level;
		uint64_t entry = npt_lookup(npt, gpa, &level);

		if (entry != 0)
			store(slot_of(npt, gpa, level), 0);
		gpa = (gpa & ~(npt_size(level) - 1)) + npt_size(level);
	}
}

static void free_tables(uint64_t *table, unsigned level)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (!is_table(table[i], level))
			continue;
		free_tables(table_of(table[i]), level - 1);
		pool_page_put(table_of(table[i]));
		table[i] = 0;
	}
}

void npt_clear(struct npt *npt)
{
	free_tables(npt->root, TOP_LEVEL);
	for (unsigned i = 0; i < ENTRIES; i++)
		npt->root[i] = 0;
}
