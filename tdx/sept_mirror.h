/* SPDX-License-Identifier: MIT */
/*
 * What the Secure EPT of a TD holds, as far as the host can know: for each private
 * GPA the frame, the level, the state. A radix tree of the same shape as the Secure EPT.
 *
 * Changing an entry takes three steps: sept_claim() marks it busy (others get STATUS_BUSY
 * and come back), the SEAMCALL, then sept_commit() with the new value or, if the module
 * refused, with the old one. No lock is held in between, so faults in different
 * entries proceed in parallel.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/status.h"

/* Pending and accepted look the same from here: the guest accepts without telling. */
enum mirror_state {
	MIRROR_FREE,
	MIRROR_TABLE,   /* frame: the Secure EPT page below */
	MIRROR_MAPPED,  /* PAGE.ADD */
	MIRROR_PENDING, /* PAGE.AUG; pending or accepted */
};

const char *mirror_state_name(enum mirror_state s);

#define SEPT_ENTRIES 512

/*
 * Bits of an entry: frame 51:12, busy 3, blocked (after RANGE.BLOCK) 2, state 1:0. A blocked
 * table without entries is on its way out, one with all of them about to become one leaf.
 */
typedef struct {
	uint64_t raw;
} mirror_entry_t;

#define MIRROR_STATE_MASK UINT64_C(3)
#define MIRROR_BLOCKED    UINT64_C(4)
#define MIRROR_BUSY       UINT64_C(8)
#define MIRROR_FRAME_MASK UINT64_C(0x000ffffffffff000)

#define MIRROR_FREE_ENTRY ((mirror_entry_t){MIRROR_FREE})

static inline mirror_entry_t mirror_entry(enum mirror_state state, hpa_t frame)
{
	return (mirror_entry_t){frame.raw | (uint64_t)state};
}
static inline enum mirror_state mirror_state_of(mirror_entry_t e)
{
	return (enum mirror_state)(e.raw & MIRROR_STATE_MASK);
}
static inline hpa_t mirror_frame_of(mirror_entry_t e) { return hpa(e.raw & MIRROR_FRAME_MASK); }
static inline bool mirror_is_busy(mirror_entry_t e) { return e.raw & MIRROR_BUSY; }
static inline bool mirror_is_blocked(mirror_entry_t e) { return e.raw & MIRROR_BLOCKED; }
static inline bool mirror_is_table(mirror_entry_t e)
{
	return mirror_state_of(e) == MIRROR_TABLE;
}
/* One that walks go through. */
static inline bool mirror_is_open_table(mirror_entry_t e)
{
	return mirror_is_table(e) && !mirror_is_blocked(e);
}
static inline bool mirror_is_leaf(mirror_entry_t e)
{
	return mirror_state_of(e) >= MIRROR_MAPPED;
}

/*
 * One Secure EPT page: the entries it holds. Nodes above level 4K have the pages below, too.
 * The node of a page that a living TD loses stays below its entry, all free, for the next
 * page there: who walked into it just before finds memory that is still a node.
 */
struct sept_node {
	_Atomic(uint64_t) entry[SEPT_ENTRIES];
	_Atomic(struct sept_node *) child[];
};

struct sept_mirror {
	struct sept_node *root; /* the page in the TDCS: LEVEL_512G entries */
	atomic_uint_least64_t table_count;
	atomic_uint_least64_t leaf_count[LEVEL_512G]; /* per LEVEL_4K.. */
};

/* Where an entry is: found by sept_find(). */
struct sept_slot {
	struct sept_node *node;
	unsigned index;
	enum page_level level;
	gpa_t base; /* first GPA the entry covers */
};

MUST_CHECK enum status sept_mirror_init(struct sept_mirror *m);

/* Frees the nodes; the frames are dealt with before. */
void sept_mirror_destroy(struct sept_mirror *m);

/*
 * The entry of `level` that covers `at` or, when the tree ends above, the lowest one there
 * is: a leaf, or a free entry that lacks a table (then slot.level > level).
 */
struct sept_slot sept_find(const struct sept_mirror *m, gpa_t at, enum page_level level);

mirror_entry_t sept_read(struct sept_slot slot);

/*
 * Marks the entry busy if it still is `expected` and not busy. STATUS_BUSY: somebody else
 * is at it or changed it; nothing happened. In a node whose Secure EPT page goes or went
 * meanwhile the claim is given up, too: who takes a page out claims the entry above, then looks
 * at those below; here it is the other way round.
 */
MUST_CHECK enum status sept_claim(const struct sept_mirror *m, struct sept_slot slot,
				  mirror_entry_t expected);

/* The same where nobody else walks the mirror: slot.base and the entries above do not count. */
MUST_CHECK enum status sept_claim_alone(struct sept_slot slot, mirror_entry_t expected);

/* Is the slot's node still the one that a walk to its GPA meets? */
bool sept_is_current(const struct sept_mirror *m, struct sept_slot slot);

/* Ends a claim: the entry becomes `value`; the counts follow. */
void sept_commit(struct sept_mirror *m, struct sept_slot slot, mirror_entry_t value);

/* Sees that `slot`, which is claimed and no table, has a node below, all free. */
MUST_CHECK enum status sept_need_child(struct sept_slot slot);

/* Makes all entries of that node leaves like `leaf`, of its frame's 512 parts. */
void sept_fill_child(struct sept_mirror *m, struct sept_slot slot, mirror_entry_t leaf);

/* Are all entries of the node below free and unclaimed? The slot is claimed. */
bool sept_is_empty(struct sept_slot slot);

/*
 * Could one leaf take the place of the node below? True if all entries are leaves, neither
 * blocked nor claimed, of ascending frames from an aligned one. *leaf is what it would be;
 * *last_pending is the last entry that is not known to be accepted, or SEPT_ENTRIES.
 */
bool sept_is_whole(struct sept_slot slot, mirror_entry_t *leaf, unsigned *last_pending);

/* Ends a claim of a table that is whole: it becomes that leaf, the node below is kept, free. */
void sept_commit_leaf(struct sept_mirror *m, struct sept_slot slot, mirror_entry_t leaf);

/*
 * Ends a claim of a MIRROR_TABLE entry: the entry becomes free, the empty node below goes.
 * Nobody else walks the mirror.
 */
void sept_commit_no_table(struct sept_mirror *m, struct sept_slot slot);

/* The node below a MIRROR_TABLE entry, or the one kept below another. */
struct sept_node *sept_child(struct sept_slot slot);

/* Bytes of private memory that the mirror knows to be present. */
uint64_t sept_present_bytes(const struct sept_mirror *m);
