/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "tdx/tdmr_init.h"

#include <stdatomic.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "mm/frame.h"
#include "tdx/seamcall.h"
#include "tdx/status.h"
#include "tdx/tdh.h"

/* Nobody but the claimant calls the module for a TDMR: one that stays BUSY this often, each
 * time after all retries, is broken. */
#define MAX_BUSY_STEPS 16U

/*
 * The module initialises a TDMR from its base up, a few MiB a call, for one CPU at a time.
 * Who sets is_claimed has the rest alone; it waits for nobody until it lets go, so
 * that others may wait for it with locks held.
 */
struct progress {
	_Alignas(64) atomic_bool is_claimed;
	atomic_bool is_over; /* initialised, or given up; for ever */
	const struct tdx_tdmr_info *tdmr;
	uint64_t next; /* usable below */
	uint64_t calls;
	unsigned busy_steps; /* in a row */
	tdx_status_t status; /* of the last step */
};

static struct progress all[TDX_MAX_TDMRS];
static unsigned count;
static atomic_bool is_running;
static atomic_uint left; /* TDMRs that are not over */
static atomic_uint_least64_t done_bytes, failed_bytes, pending_bytes;

uint64_t tdmr_init_done_bytes(void) { return atomic_load(&done_bytes); }
uint64_t tdmr_init_failed_bytes(void) { return atomic_load(&failed_bytes); }
uint64_t tdmr_init_pending_bytes(void) { return atomic_load(&pending_bytes); }

static uint64_t end_of(const struct progress *p) { return p->tdmr->base + p->tdmr->size; }

static uint64_t usable_in(const struct progress *p, uint64_t base, uint64_t end)
{
	struct hpa_range r;
	uint64_t sum = 0;

	while (tdmr_next_usable(p->tdmr, &base, end, &r))
		sum += r.size;
	return sum;
}

/* Free memory grows before what is pending shrinks: their sum is never too small. */
static void make_usable(struct progress *p, uint64_t next)
{
	struct hpa_range r;

	for (uint64_t at = p->next; tdmr_next_usable(p->tdmr, &at, next, &r);)
		frame_set_tdx_usable(r.base, r.size);
	atomic_fetch_sub(&pending_bytes, usable_in(p, p->next, next));
	atomic_fetch_add(&done_bytes, next - p->next);
	p->next = next;
}

static void end(struct progress *p)
{
	atomic_store(&p->is_over, true);
	if (atomic_fetch_sub(&left, 1) != 1)
		return;
	log_info("all TDMRs are through: %llu MiB initialised, %llu MiB failed",
		 (unsigned long long)(tdmr_init_done_bytes() >> 20),
		 (unsigned long long)(tdmr_init_failed_bytes() >> 20));
}

static void give_up(struct progress *p, const char *what)
{
	seamcall_log_last(LOG_ERROR, what);
	log_error("TDMR [0x%llx, 0x%llx): not usable for TDs from 0x%llx on",
		  (unsigned long long)p->tdmr->base, (unsigned long long)end_of(p),
		  (unsigned long long)p->next);
	atomic_fetch_sub(&pending_bytes, usable_in(p, p->next, end_of(p)));
	atomic_fetch_add(&failed_bytes, end_of(p) - p->next);
	end(p);
}

/* One TDMR.INIT of a claimed TDMR. RDX tells only whole GiBs, so calls are bounded by size. */
static void step(struct progress *p)
{
	uint64_t next = 0;

	p->status = tdh_sys_tdmr_init(hpa(p->tdmr->base), &next);
	if (tdx_is_transient(p->status) && ++p->busy_steps < MAX_BUSY_STEPS)
		return;
	if (tdx_is_error(p->status)) {
		give_up(p, "TDMR initialisation");
		return;
	}
	p->busy_steps = 0;
	if (tdx_code(p->status) == TDX_TDMR_ALREADY_INITIALIZED || next > end_of(p))
		next = end_of(p);
	if (next > p->next)
		make_usable(p, next);
	if (p->next == end_of(p))
		end(p);
	else if (++p->calls > p->tdmr->size / SIZE_2M)
		give_up(p, "TDMR initialisation does not end");
}

/* Up to the next GiB that is usable, or until the module does not want now or ever. */
static void step_gib(struct progress *p)
{
	uint64_t before = p->next;

	do {
		step(p);
	} while (p->next == before && !atomic_load(&p->is_over) && p->busy_steps == 0);
}

/* CPUs begin their search far from one another. */
static struct progress *claim(void)
{
	unsigned first = cpu_count ? this_cpu() * count / cpu_count : 0;

	for (unsigned i = 0; i < count; i++) {
		struct progress *p = &all[(first + i) % count];

		if (atomic_load(&p->is_over) || atomic_exchange(&p->is_claimed, true))
			continue;
		if (!atomic_load(&p->is_over))
			return p;
		atomic_store(&p->is_claimed, false);
	}
	return NULL;
}

static void let_go(struct progress *p) { atomic_store(&p->is_claimed, false); }

bool tdmr_init_until(uint64_t tsc)
{
	struct progress *p = atomic_load(&left) ? claim() : NULL;

	if (!p)
		return false;
	do {
		step(p);
	} while (!atomic_load(&p->is_over) && p->busy_steps == 0 && !oncpu_pending() &&
		 hw_rdtsc() < tsc);
	let_go(p);
	return true;
}

bool tdmr_init_one_more(void)
{
	struct progress *p;

	if (!atomic_load(&is_running) || !atomic_load(&left))
		return false;
	p = claim();
	if (!p) {
		hw_pause();
		return true;
	}
	step_gib(p);
	let_go(p);
	return true;
}

enum status tdmr_init_need(uint64_t bytes)
{
	for (;;) {
		uint64_t pending = tdmr_init_pending_bytes();
		uint64_t free = frame_free_tdx(LEVEL_4K) * PAGE_SIZE;

		if (free >= bytes)
			return STATUS_OK;
		if (free + pending < bytes || !tdmr_init_one_more())
			return STATUS_NO_MEMORY;
		oncpu_drain();
	}
}

/* ---- Start and end ---- */

/* The TDMR whose first GiB holds most. */
static struct progress *best_first(void)
{
	struct progress *best = NULL;
	uint64_t most = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t base = all[i].tdmr->base;
		uint64_t bytes = usable_in(&all[i], base, base + SIZE_1G);

		if (!atomic_load(&all[i].is_over) && (!best || bytes > most)) {
			best = &all[i];
			most = bytes;
		}
	}
	return best;
}

enum status tdmr_init_begin(const struct tdmr_plan *plan, tdx_status_t *why)
{
	struct progress *p;

	count = plan->tdmr_count;
	atomic_store(&left, count);
	atomic_store(&done_bytes, 0);
	atomic_store(&failed_bytes, 0);
	atomic_store(&pending_bytes, 0);
	for (unsigned i = 0; i < count; i++) {
		all[i] =
			(struct progress){.tdmr = &plan->tdmrs[i], .next = plan->tdmrs[i].base};
		atomic_fetch_add(&pending_bytes,
				 usable_in(&all[i], all[i].next, end_of(&all[i])));
	}
	atomic_store(&is_running, true);
	while ((p = best_first()) != NULL) {
		step_gib(p);
		*why = p->status;
		if (p->next > p->tdmr->base)
			return STATUS_OK;
	}
	tdmr_init_stop();
	return STATUS_HW_FAULT;
}

void tdmr_init_stop(void)
{
	if (!atomic_exchange(&is_running, false))
		return;
	for (unsigned i = 0; i < count; i++)
		while (atomic_exchange(&all[i].is_claimed, true)) {
			oncpu_drain();
			hw_pause();
		}
}
