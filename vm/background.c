/* SPDX-License-Identifier: MIT */
#define LOG_TAG "vm"
#include "vm/background.h"

#include <stddef.h>

#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "mm/frame.h"
#include "vm/cpu_queue.h"
#include "vm/promote.h"
#include "vm/registry.h"

/* Between two looks at the clock; each is a SEAMCALL that writes a page's lines back. */
#define WRITE_BACK_PAGES 16U

void background_settle(struct vm *vm)
{
	while (atomic_load(&vm->users) != 0) {
		oncpu_drain();
		hw_pause();
	}
}

void background_call_all(void)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		cpu_queue_kick(cpu);
}

/* The module's part of the TD is gone, or out of reach. Whoever finds it first says so. */
static void end_reclaim(struct vm *vm, enum status s)
{
	int expected = TEARDOWN_RECLAIM;

	if (!atomic_compare_exchange_strong(&vm->teardown, &expected, TEARDOWN_DONE))
		return;
	if (s != STATUS_OK)
		log_error("%s: pages could not be reclaimed: %s", vm->config.name,
			  status_name(s));
	else
		log_info("%s: all memory is back", vm->config.name);
}

/* Page by page: a large one can take long, where its lines are reset one trap at a time. */
static void reclaim(struct vm *vm, uint64_t tsc)
{
	bool done = false;
	enum status s;

	do {
		s = td_reclaim(&vm->td, &done);
	} while (s == STATUS_OK && !done && hw_rdtsc() < tsc);
	if (s != STATUS_OK || done)
		end_reclaim(vm, s);
}

/* False when the module is busy: it can wait. */
static bool write_back(struct vm *vm, uint64_t tsc)
{
	bool done = false;
	enum status s;

	do {
		s = td_write_back(&vm->td, WRITE_BACK_PAGES, &done);
	} while (s == STATUS_OK && !done && hw_rdtsc() < tsc &&
		 (atomic_load(&vm->gate) & GATE_STOP) == 0);
	return s == STATUS_OK;
}

static bool work_for(struct vm *vm, uint64_t tsc)
{
	if (atomic_load(&vm->teardown) == TEARDOWN_RECLAIM) {
		reclaim(vm, tsc);
		return true;
	}
	/* At its end CACHE.WB does it for all of them. */
	if ((atomic_load(&vm->gate) & GATE_STOP) != 0)
		return false;
	return atomic_load(&vm->td.returned_bytes) == 0 ? promote_work(vm)
							: write_back(vm, tsc);
}

bool background_work_until(uint64_t tsc)
{
	struct vm *vm = registry_hold_next(NULL);

	while (vm != NULL && !work_for(vm, tsc))
		vm = registry_hold_next(vm);
	/* A free 2M frame that the host has used: the next TD has not to wait for it. */
	if (vm == NULL)
		return frame_flush_ahead();
	registry_release(vm);
	return true;
}
