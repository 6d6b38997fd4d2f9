/* SPDX-License-Identifier: MIT */
/*
 * Logical processors of the random operations. With one thread, that thread is whichever LP an
 * operation names, and a second LP runs inside the first one: while its guest runs, or in
 * front of or behind one of its SEAMCALLs. With several threads each is one LP for good.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/random/ops.h"

#define TLB_ENTRIES 8U

struct seamcall_regs;
struct tenant;

/* Translations that a running guest has used and, as a CPU does, goes on using until it exits.
 */
struct tlb {
	unsigned count;
	struct {
		uint32_t page;
		uint64_t hpa;
	} entry[TLB_ENTRIES];
};

struct lp {
	unsigned depth; /* operations under way, one inside the other */
	/* The guest that runs here; NULL = none. */
	struct tenant *tenant;
	unsigned vcpu;
	unsigned steps;  /* it may still take */
	unsigned kicks;  /* of the tenant when it was entered */
	unsigned inside; /* operations to be run inside it */
	/* Pages that it accepts by 2M before it does anything else. */
	uint32_t sweep_at, sweep_end;
	struct rng rng;
	struct tlb tlb;
	/* The `skip`-th SEAMCALL from now on and `count` - 1 more of its leaf fail; 0 = none.
	 */
	unsigned inject_skip, inject_count, inject_leaf;
	uint32_t inject_choice;
	unsigned overlap_skip; /* SEAMCALLs until an operation is run inside; 0 = none */
	bool is_disturbed; /* something was made to fail since the outermost operation began */
};

extern _Thread_local struct lp lp;

/* `threads` = 1: one thread for all LPs. With no operation under way. */
void lp_init(unsigned threads);
bool lp_is_alone(void);

/* Waits a moment for another LP, whose requests are served; false with one thread, when
 * waiting helps nobody. */
bool lp_wait(void);

/* Is what happens decided by this operation only: no other LP, no injected failure? */
bool lp_is_strict(void);

/* Arms failures for this LP's coming SEAMCALLs: `a`, `b` choose when, how often and which. */
void lp_inject(uint32_t a, uint32_t b);
void lp_inject_nothing(void);

/* What becomes of a SEAMCALL: for hosted_set_seamcall(). */
uint64_t lp_seamcall(uint64_t rax, struct seamcall_regs *regs);
