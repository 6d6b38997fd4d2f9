/* SPDX-License-Identifier: MIT */
/*
 * Work for other CPUs: a mailbox each, drained by the CPU's own loop. A caller
 * that waits drains its own mailbox meanwhile, so two CPUs that wait for each
 * other make progress. Not callable from interrupt handlers or with a lock held.
 */
#pragma once

#include <stdbool.h>

typedef void (*oncpu_fn)(void *arg);

/* Runs fn(arg) on `cpu` and waits for its end; runs in place when it is this CPU. */
void oncpu_run(unsigned cpu, oncpu_fn fn, void *arg);

/* The same on every online CPU, in parallel; waits for all. */
void oncpu_each(oncpu_fn fn, void *arg);

/* The same on one CPU of each package, in parallel; waits for all. */
void oncpu_each_package(oncpu_fn fn, void *arg);

/* Runs what others asked of this CPU. Every CPU's loop calls it before it sleeps or enters a
 * guest. */
void oncpu_drain(void);

/* Is there work in this CPU's mailbox? Checked with interrupts off before sleeping or VP.ENTER.
 */
bool oncpu_pending(void);
