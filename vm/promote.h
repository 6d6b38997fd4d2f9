/* SPDX-License-Identifier: MIT */
/*
 * When small pages of a TD become large ones again, and who does it: idle CPUs.
 *
 * A promotion costs one SEAMCALL to look, BLOCK, TRACK, PROMOTE, one broadcast, and a fault of
 * every vCPU that touches the region meanwhile. It saves a Secure EPT page, 511 reclaims, and
 * TLB misses as long as the TD lives. So it pays where the small pages stay, and not where they
 * will be split again: a region is looked at only some time after the last event there, so one
 * that keeps being converted is left alone, and it is forgotten when the module refuses it or
 * the guest has not accepted it after some looks, until something happens there again.
 *
 * Nothing is scanned. A fault that put a 4K page where a table is makes its 2M a candidate, a
 * promotion to 2M makes its GiB one, and each GiB has its turn once after creation. The list is
 * short and fixed: what finds no place is forgotten, too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/spinlock.h"

struct vm;

#define PROMOTE_CANDIDATES 32U

struct promote_candidate {
	uint64_t region;
	enum page_level level; /* to be promoted to */
	uint64_t due;          /* host TSC; 0 = no candidate, or somebody is at it */
	uint64_t wait;
};

struct promote {
	struct spinlock lock;
	/* Protected by lock. The first goes through the GiBs of RAM. */
	struct promote_candidate candidate[PROMOTE_CANDIDATES];
};

/* The TD has got its memory. */
void promote_init(struct vm *vm);

/* A page at `at` was added: what is split there may have become whole. Any CPU. */
void promote_note(struct vm *vm, uint64_t at);

/* An idle CPU: looks at one candidate; false when none is due. */
bool promote_work(struct vm *vm);
