/* SPDX-License-Identifier: MIT */
/*
 * The structures that gpamap compares, all behind one table of functions: a set of 4K pages
 * of [0, end), those that are shared. Addresses are GPAs in bytes. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"

struct structure {
	const char *name;
	/* Everything private. Never NULL: without memory the program ends. */
	void *(*create)(uint64_t end);
	void (*destroy)(void *self);
	/* [at, at+size), 4K multiples below the end. */
	void (*set)(void *self, uint64_t at, uint64_t size, bool shared);
	/* 1 or 0. Beyond the end everything is shared. */
	unsigned (*is_shared)(const void *self, uint64_t at);
	/* The same, and the largest level, up to 1G, at which all around `at` is alike. */
	bool (*level)(const void *self, uint64_t at, enum page_level *level);
	/* Gives up memory that the contents do not need, where the structure can; or NULL. */
	void (*compact)(void *self);
};

extern const struct structure structure_redoubt, structure_bitmap, structure_roaring,
	structure_judy1;
extern const struct structure structure_lock; /* can only set() */

/* What malloc() and its kin set aside and free() returns is added to *account from now on. */
void memory_account(size_t *account);

_Noreturn void bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- Patterns ---- */

struct op {
	uint64_t at, size;
	bool shared;
};

struct ops {
	struct op *op;
	size_t count, room;
};

enum work {
	WORK_SET,
	WORK_LOOKUP_RANDOM,
	WORK_LOOKUP_SEQUENTIAL,
	WORK_LEVEL_RANDOM,
	WORK_LEVEL_SEQUENTIAL,
};

struct pattern {
	const char *name;
	enum work work;
	/* What is shared before the work begins; NULL: nothing. */
	void (*content)(struct ops *ops, uint64_t end);
	/* WORK_SET: what is timed, again and again; the last op restores the beginning. */
	void (*sets)(struct ops *ops, uint64_t end);
};

extern const struct pattern patterns[];
extern const size_t pattern_count;

/* Below `limit`, from a fixed seed. */
uint64_t bench_random(uint64_t limit);
void bench_random_restart(void);
