/* SPDX-License-Identifier: MIT */
/*
 * The module's locks: shared/exclusive try-locks of 16 bits, small enough to
 * live in PAMT entries. Nobody ever waits; who does not get one answers BUSY.
 *
 * The host goes first: one that came too late leaves a note, and until a host has had the
 * lock no guest gets it. Leaves take locks for the host, but for what a TDCALL takes.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_mode {
	LOCK_NONE,
	LOCK_SHARED,
	LOCK_EXCLUSIVE,
};

struct lock {
	_Atomic uint16_t word;
};

#define LOCK_HELD_EXCLUSIVE 1
#define LOCK_HOST_WAITED    2
#define LOCK_READER         4
#define LOCK_READERS_MAX    0xfffc

static inline bool lock_try(struct lock *lock, enum lock_mode mode)
{
	uint16_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
	uint16_t want;
	bool is_busy;

	if (mode == LOCK_NONE)
		return true;
	do {
		is_busy = mode == LOCK_EXCLUSIVE
				  ? seen & ~LOCK_HOST_WAITED
				  : (seen & LOCK_HELD_EXCLUSIVE) || seen >= LOCK_READERS_MAX;
		if (is_busy)
			want = seen | LOCK_HOST_WAITED;
		else
			want = mode == LOCK_EXCLUSIVE
				       ? LOCK_HELD_EXCLUSIVE
				       : (uint16_t)((seen & ~LOCK_HOST_WAITED) + LOCK_READER);
	} while (!atomic_compare_exchange_weak_explicit(
		&lock->word, &seen, want, memory_order_acquire, memory_order_relaxed));
	return !is_busy;
}

enum lock_answer {
	LOCK_TAKEN,
	LOCK_BUSY,
	LOCK_HOST_FIRST,
};

/* For a guest. */
static inline enum lock_answer lock_try_guest(struct lock *lock, enum lock_mode mode)
{
	uint16_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
	uint16_t want;

	do {
		if (mode == LOCK_EXCLUSIVE ? seen == LOCK_HOST_WAITED : seen & LOCK_HOST_WAITED)
			return LOCK_HOST_FIRST;
		if (mode == LOCK_EXCLUSIVE
			    ? seen != 0
			    : (seen & LOCK_HELD_EXCLUSIVE) || seen >= LOCK_READERS_MAX)
			return LOCK_BUSY;
		want = mode == LOCK_EXCLUSIVE ? LOCK_HELD_EXCLUSIVE
					      : (uint16_t)(seen + LOCK_READER);
	} while (!atomic_compare_exchange_weak_explicit(
		&lock->word, &seen, want, memory_order_acquire, memory_order_relaxed));
	return LOCK_TAKEN;
}

static inline void lock_release(struct lock *lock, enum lock_mode mode)
{
	if (mode == LOCK_EXCLUSIVE)
		atomic_fetch_and_explicit(&lock->word, LOCK_HOST_WAITED, memory_order_release);
	else if (mode == LOCK_SHARED)
		atomic_fetch_sub_explicit(&lock->word, LOCK_READER, memory_order_release);
}
