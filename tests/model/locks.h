/* SPDX-License-Identifier: MIT */
/*
 * The module's locks: shared/exclusive try-locks of 16 bits, small enough to
 * live in PAMT entries. Nobody ever waits; who does not get one answers BUSY.
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

/* 0 free, 0xffff held exclusively, otherwise the number of shared holders. */
struct lock {
	_Atomic uint16_t holders;
};

#define LOCK_EXCLUSIVE_HELD 0xffff

static inline bool lock_try(struct lock *lock, enum lock_mode mode)
{
	uint16_t seen = atomic_load_explicit(&lock->holders, memory_order_relaxed);
	uint16_t want;

	if (mode == LOCK_NONE)
		return true;
	do {
		if (mode == LOCK_EXCLUSIVE ? seen != 0 : seen >= LOCK_EXCLUSIVE_HELD - 1)
			return false;
		want = mode == LOCK_EXCLUSIVE ? LOCK_EXCLUSIVE_HELD : (uint16_t)(seen + 1);
	} while (!atomic_compare_exchange_weak_explicit(
		&lock->holders, &seen, want, memory_order_acquire, memory_order_relaxed));
	return true;
}

static inline void lock_release(struct lock *lock, enum lock_mode mode)
{
	if (mode == LOCK_EXCLUSIVE)
		atomic_store_explicit(&lock->holders, 0, memory_order_release);
	else if (mode == LOCK_SHARED)
		atomic_fetch_sub_explicit(&lock->holders, 1, memory_order_release);
}
