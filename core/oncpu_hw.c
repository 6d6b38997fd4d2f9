/* SPDX-License-Identifier: MIT */
#include "core/oncpu.h"

#include <stddef.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/mailbox.h"

/* A line each: other CPUs write to a box, its owner looks at it before every entry. */
static struct {
	_Alignas(64) struct mailbox box;
} boxes[MAX_CPUS];

void oncpu_drain(void) { mailbox_drain(&boxes[this_cpu()].box); }

bool oncpu_pending(void) { return !mailbox_is_empty(&boxes[this_cpu()].box); }

static void post(unsigned cpu, struct letter *l)
{
	if (mailbox_put(&boxes[cpu].box, l) && cpu != this_cpu())
		hw_send_ipi(cpu, VECTOR_KICK);
}

static void wait_for(atomic_uint *unfinished)
{
	while (atomic_load_explicit(unfinished, memory_order_acquire) != 0) {
		oncpu_drain();
		hw_pause();
	}
}

void oncpu_run(unsigned cpu, oncpu_fn fn, void *arg)
{
	atomic_uint unfinished = 1;
	struct letter l = {NULL, fn, arg, &unfinished};

	if (cpu == this_cpu()) {
		fn(arg);
		return;
	}
	post(cpu, &l);
	wait_for(&unfinished);
}

static bool is_first_of_its_package(unsigned cpu)
{
	for (unsigned i = 0; i < cpu; i++) {
		if (cpus[i].package == cpus[cpu].package)
			return false;
	}
	return true;
}

static bool is_any(unsigned cpu)
{
	(void)cpu;
	return true;
}

/* The caller's own part runs inside wait_for(), while the others work on theirs. */
static void run_where(bool (*wanted)(unsigned cpu), oncpu_fn fn, void *arg)
{
	struct letter letters[MAX_CPUS];
	atomic_uint unfinished = 0;

	for (unsigned i = 0; i < cpu_count; i++) {
		if (!wanted(i))
			continue;
		letters[i] = (struct letter){NULL, fn, arg, &unfinished};
		atomic_fetch_add_explicit(&unfinished, 1, memory_order_relaxed);
		post(i, &letters[i]);
	}
	wait_for(&unfinished);
}

void oncpu_each(oncpu_fn fn, void *arg) { run_where(is_any, fn, arg); }

void oncpu_each_package(oncpu_fn fn, void *arg) { run_where(is_first_of_its_package, fn, arg); }
