/* SPDX-License-Identifier: MIT */
/*
 * The emulator's spin lock. No PAUSE inside: with TCG it costs the waiter its
 * time slice (milliseconds instead of microseconds per hand-over).
 */
#pragma once

#include <stdatomic.h>

struct emu_lock {
	atomic_flag held;
};

static inline void emu_lock_take(struct emu_lock *l)
{
	while (atomic_flag_test_and_set_explicit(&l->held, memory_order_acquire))
		;
}

static inline void emu_lock_drop(struct emu_lock *l)
{
	atomic_flag_clear_explicit(&l->held, memory_order_release);
}
