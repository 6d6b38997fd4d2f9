/* SPDX-License-Identifier: MIT */
#include "tdx/sept_mirror.h"

#include <stddef.h>

#include "core/hw.h"
#include "core/panic.h"
#include "mm/heap.h"

const char *mirror_state_name(enum mirror_state s)
{
	static const char *const names[] = {"FREE", "TABLE", "MAPPED", "PENDING or accepted"};

	return names[s & MIRROR_STATE_MASK];
}

/* A node whose entries are of `level`; only those above 4K can have tables below. */
static size_t node_size(enum page_level level)
{
	size_t size = sizeof(struct sept_node);

	if (level > LEVEL_4K)
		size += SEPT_ENTRIES * sizeof(((struct sept_node *)NULL)->child[0]);
	return size;
}

enum status sept_mirror_init(struct sept_mirror *m)
{
	m->root = heap_alloc(node_size(LEVEL_512G));
	return m->root ? STATUS_OK : STATUS_NO_MEMORY;
}

static void destroy_below(struct sept_node *node, enum page_level level)
{
	if (!node)
		return;
	if (level > LEVEL_4K)
		for (unsigned i = 0; i < SEPT_ENTRIES; i++)
			destroy_below(atomic_load(&node->child[i]), level - 1);
	heap_free(node, node_size(level));
}

void sept_mirror_destroy(struct sept_mirror *m)
{
	destroy_below(m->root, LEVEL_512G);
	m->root = NULL;
}

static struct sept_slot slot_in(struct sept_node *node, enum page_level level, gpa_t at)
{
	return (struct sept_slot){
		.node = node,
		.index = (unsigned)(at.raw / level_size(level) % SEPT_ENTRIES),
		.level = level,
		.base = gpa(align_down(at.raw, level_size(level))),
	};
}

struct sept_slot sept_find(const struct sept_mirror *m, gpa_t at, enum page_level level)
{
	struct sept_slot slot = slot_in(m->root, LEVEL_512G, at);

	while (slot.level > level && mirror_is_open_table(sept_read(slot)))
		slot = slot_in(sept_child(slot), slot.level - 1, at);
	return slot;
}

mirror_entry_t sept_read(struct sept_slot slot)
{
	return (mirror_entry_t){atomic_load(&slot.node->entry[slot.index])};
}

struct sept_node *sept_child(struct sept_slot slot)
{
	return slot.level > LEVEL_4K ? atomic_load(&slot.node->child[slot.index]) : NULL;
}

enum status sept_claim_alone(struct sept_slot slot, mirror_entry_t expected)
{
	uint64_t value = expected.raw;

	if (mirror_is_busy(expected) ||
	    !atomic_compare_exchange_strong(&slot.node->entry[slot.index], &value,
					    value | MIRROR_BUSY))
		return STATUS_BUSY;
	return STATUS_OK;
}

/* Somebody else may have overwritten a claim in a node that was out of use. */
static void unclaim(struct sept_slot slot, mirror_entry_t e)
{
	uint64_t value = e.raw | MIRROR_BUSY;

	(void)atomic_compare_exchange_strong(&slot.node->entry[slot.index], &value, e.raw);
}

bool sept_is_current(const struct sept_mirror *m, struct sept_slot slot)
{
	struct sept_slot above;
	mirror_entry_t e;

	if (slot.level == LEVEL_512G)
		return true;
	above = sept_find(m, slot.base, slot.level + 1);
	e = sept_read(above);
	return above.level == slot.level + 1 && mirror_is_open_table(e) && !mirror_is_busy(e) &&
	       sept_child(above) == slot.node;
}

enum status sept_claim(const struct sept_mirror *m, struct sept_slot slot,
		       mirror_entry_t expected)
{
	if (sept_claim_alone(slot, expected))
		return STATUS_BUSY;
	if (sept_is_current(m, slot))
		return STATUS_OK;
	unclaim(slot, expected);
	return STATUS_BUSY;
}

bool sept_is_empty(struct sept_slot slot)
{
	const struct sept_node *node = sept_child(slot);

	for (unsigned i = 0; i < SEPT_ENTRIES; i++)
		if (atomic_load(&node->entry[i]) != MIRROR_FREE)
			return false;
	return true;
}

bool sept_is_whole(struct sept_slot slot, mirror_entry_t *leaf, unsigned *last_pending)
{
	const struct sept_node *node = sept_child(slot);
	uint64_t small = level_size(slot.level) / SEPT_ENTRIES;
	enum mirror_state state = MIRROR_PENDING;
	hpa_t first = mirror_frame_of((mirror_entry_t){atomic_load(&node->entry[0])});

	*last_pending = SEPT_ENTRIES;
	if (first.raw % level_size(slot.level) != 0)
		return false;
	for (unsigned i = 0; i < SEPT_ENTRIES; i++) {
		mirror_entry_t e = {atomic_load(&node->entry[i])};
		hpa_t frame = hpa_add(first, i * small);

		if (e.raw == mirror_entry(MIRROR_PENDING, frame).raw)
			*last_pending = i;
		else if (e.raw == mirror_entry(MIRROR_MAPPED, frame).raw)
			state = MIRROR_MAPPED;
		else
			return false;
	}
	*leaf = mirror_entry(state, first);
	return true;
}

static void count(struct sept_mirror *m, enum page_level level, mirror_entry_t entry, int sign)
{
	atomic_uint_least64_t *counter;

	if (mirror_is_table(entry))
		counter = &m->table_count;
	else if (mirror_is_leaf(entry))
		counter = &m->leaf_count[level];
	else
		return;
	atomic_fetch_add_explicit(counter, (uint64_t)(int64_t)sign, memory_order_relaxed);
}

void sept_commit(struct sept_mirror *m, struct sept_slot slot, mirror_entry_t value)
{
	mirror_entry_t old = sept_read(slot);

	CHECK(mirror_is_busy(old) && !mirror_is_busy(value));
	count(m, slot.level, old, -1);
	count(m, slot.level, value, +1);
	atomic_store(&slot.node->entry[slot.index], value.raw);
}

enum status sept_need_child(struct sept_slot slot)
{
	if (!sept_child(slot))
		atomic_store(&slot.node->child[slot.index],
			     heap_alloc(node_size(slot.level - 1)));
	return sept_child(slot) ? STATUS_OK : STATUS_NO_MEMORY;
}

/* In a kept node a late claim is given up as soon as it sees the entry above. */
static void replace(_Atomic(uint64_t) *entry, mirror_entry_t from, mirror_entry_t to)
{
	uint64_t expected = from.raw;

	while (!atomic_compare_exchange_strong(entry, &expected, to.raw)) {
		hw_pause();
		expected = from.raw;
	}
}

void sept_fill_child(struct sept_mirror *m, struct sept_slot slot, mirror_entry_t leaf)
{
	struct sept_node *node = sept_child(slot);
	uint64_t small = level_size(slot.level) / SEPT_ENTRIES;

	for (unsigned i = 0; i < SEPT_ENTRIES; i++) {
		mirror_entry_t e = {leaf.raw + i * small};

		replace(&node->entry[i], MIRROR_FREE_ENTRY, e);
		count(m, slot.level - 1, e, +1);
	}
}

void sept_commit_leaf(struct sept_mirror *m, struct sept_slot slot, mirror_entry_t leaf)
{
	struct sept_node *node = sept_child(slot);

	for (unsigned i = 0; i < SEPT_ENTRIES; i++) {
		mirror_entry_t e = {atomic_load(&node->entry[i]) & ~MIRROR_BUSY};

		replace(&node->entry[i], e, MIRROR_FREE_ENTRY);
		count(m, slot.level - 1, e, -1);
	}
	sept_commit(m, slot, leaf);
}

void sept_commit_no_table(struct sept_mirror *m, struct sept_slot slot)
{
	struct sept_node *node = sept_child(slot);

	sept_commit(m, slot, MIRROR_FREE_ENTRY);
	atomic_store(&slot.node->child[slot.index], NULL);
	destroy_below(node, slot.level - 1);
}

uint64_t sept_present_bytes(const struct sept_mirror *m)
{
	uint64_t sum = 0;

	for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++)
		sum += atomic_load_explicit(&m->leaf_count[l], memory_order_relaxed) *
		       level_size(l);
	return sum;
}
