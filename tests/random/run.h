/* SPDX-License-Identifier: MIT */
/* One run: the list of operations, where it is, and what is said about it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/random/ops.h"

struct run_options {
	uint64_t seed;
	uint32_t ops;
	unsigned threads;     /* 1 = replay in one thread */
	uint32_t check_every; /* operations between two looks at all invariants */
	uint64_t ram;         /* bytes; from 3 GiB on some TDs have a whole GiB */
	bool is_told;         /* every operation in words */
};

/* Operations reached so far, for whoever watches the run from outside. */
struct run_progress {
	atomic_uint_least32_t reached;
	atomic_uint_least32_t done_by_kind[OP_KINDS];
	atomic_uint_least32_t promoted_1g;
};

/*
 * Runs `count` operations of `list` on a new machine, with all invariants checked on the way
 * and after everything was destroyed. False if one did not hold: it was printed.
 */
bool run(const struct run_options *options, const struct op *list, uint32_t count,
	 struct run_progress *progress);

/* ---- For the operations ---- */

/* One thread: the next operation of the list, as another LP inside the present one. */
void run_inside(void);

/* Adds to the words of the operation under way. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Something is wrong: the run ends. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool has_failed(void);

/* The operation under way did something (and is counted). */
void run_count(unsigned kind);
/* A page of 1G was made. */
void run_count_1g(void);
