/* SPDX-License-Identifier: MIT */
/* Between sept.c and mem.c: the frame of all leaves that name a GPA and a level. */
#pragma once

#include "tests/model/model.h"

#define LEVEL_ROOT 7u /* as max_level: up to the root table of this TD */

struct mem_rules {
	enum lock_mode tdr, tree;
	unsigned min_level, max_level;
	uint64_t flags;       /* low bits of RDX that the leaf defines */
	uint64_t debug_flags; /* those of them that need a DEBUG TD */
};

struct mem {
	struct call *call;
	struct td td;
	uint64_t rcx, rdx, flags; /* as the host passed them */
	uint64_t gpa;
	unsigned level;
	enum lock_mode tree;
	bool entry_locked;
	struct sept_walk walk;
};

/*
 * Clears RCX and RDX, checks and locks TDR, OP_STATE, operand and tree, and walks
 * to the entry. After it, whatever it returned, mem_end() is due.
 */
uint64_t mem_begin(struct call *call, const struct mem_rules *rules, struct mem *mem);
uint64_t mem_lock_entry(struct mem *mem);
/* Reports the entry in RCX and RDX; returns `status` with operand RCX. */
uint64_t mem_fail(struct mem *mem, uint64_t status);
/* Releases all that mem_begin() took; returns `status`. */
uint64_t mem_end(struct mem *mem, uint64_t status);
/* In a TD that may run: the entry is blocked, and its page's block tracked. */
uint64_t mem_check_tracked(struct mem *mem, const struct pamt_entry *page);
void mem_changed(struct mem *mem);
bool sept_state_is_blocked(enum sept_state state);

/* Exclusive lock of a page that the Secure EPT names; BUSY has operand RCX. */
uint64_t page_lock_implicit(struct call *call, uint64_t hpa, enum page_level level,
			    struct page_lock *page);
/* A locked free page becomes an empty Secure EPT table of the TD. */
void sept_init_page(struct mem *mem, struct page_lock *page, uint64_t hpa);
