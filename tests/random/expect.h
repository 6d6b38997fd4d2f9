/* SPDX-License-Identifier: MIT */
/* What tdx/ may answer. Every status is said; one that may not be ends the run. */
#pragma once

#include "core/status.h"
#include "tests/random/tenant.h"

#define EXPECT(name) (1U << STATUS_##name)

/*
 * One of `allowed`; also BUSY when another LP or an injected failure is in the way, NO_MEMORY
 * when allocations were made to fail, BAD_STATE when the TD is at its end. No TD may die of it.
 */
void expect_by(const char *who, struct tenant *t, enum status s, unsigned allowed);

/* Of td_create(), which may fail in any way that is the machine's. */
void expect_new_by(const char *who, struct tenant *t, enum status s);

/* Of what cannot be undone: the TD may die of a failure that lasts. */
void expect_build_by(const char *who, struct tenant *t, enum status s, unsigned allowed);

/* Of what gives the TD memory in a range: NO_MEMORY must be true. */
void expect_memory_by(const char *who, struct tenant *t, enum status s, gpa_t at,
		      uint64_t size);

/* The message names the function that expects. */
#define expect(t, s, allowed)         expect_by(__func__, t, s, allowed)
#define expect_new(t, s)              expect_new_by(__func__, t, s)
#define expect_build(t, s, allowed)   expect_build_by(__func__, t, s, allowed)
#define expect_memory(t, s, at, size) expect_memory_by(__func__, t, s, at, size)
