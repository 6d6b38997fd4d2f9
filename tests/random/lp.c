/* SPDX-License-Identifier: MIT */
#include "tests/random/lp.h"

#include <sched.h>
#include <unistd.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/oncpu.h"
#include "tdx/seamcall.h"
#include "tdx/tdx_abi.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/random/run.h"

#define PAUSES_PER_YIELD 64
#define YIELDS_PER_SLEEP 16

_Thread_local struct lp lp;
static unsigned thread_count;

bool lp_is_alone(void) { return thread_count == 1; }

/* A holder of a lock that the scheduler has put aside must get on. */
static void give_way(void)
{
	static _Thread_local unsigned pauses;

	if (++pauses % PAUSES_PER_YIELD != 0)
		return;
	if (pauses / PAUSES_PER_YIELD % YIELDS_PER_SLEEP == 0)
		(void)usleep(50);
	else
		(void)sched_yield();
}

/* One thread: the LP that is asked something is run at once, in place. */
static void answer_ipi(unsigned cpu, uint8_t vector)
{
	unsigned before = fake_set_this_cpu(cpu);

	(void)vector;
	oncpu_drain();
	(void)fake_set_this_cpu(before);
}

/* One whose mailbox was not empty gets no second IPI; it may be around this one, and wait. */
static void answer_all(void)
{
	unsigned before = fake_set_this_cpu(0);

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		(void)fake_set_this_cpu(cpu);
		oncpu_drain();
	}
	(void)fake_set_this_cpu(before);
}

void lp_init(unsigned threads)
{
	thread_count = threads;
	fake_set_ipi_hook(threads == 1 ? answer_ipi : NULL);
	fake_set_wait_hook(threads == 1 ? answer_all : give_way);
}

bool lp_wait(void)
{
	if (lp_is_alone())
		return false;
	oncpu_drain();
	(void)sched_yield();
	return true;
}

bool lp_is_strict(void) { return lp_is_alone() && lp.depth == 1 && !lp.is_disturbed; }

/* ---- Failures that pass ---- */

/* Refusals that a later repetition overcomes, by leaf; every leaf can find its operand busy. */
static const struct {
	unsigned leaf;
	uint32_t code;
} passing[] = {
	{TDH_MNG_CREATE, TDX_RND_NO_ENTROPY},
	{TDH_MNG_KEY_CONFIG, TDX_KEY_GENERATION_FAILED},
	{TDH_MNG_INIT, TDX_RND_NO_ENTROPY},
	{TDH_MEM_PAGE_DEMOTE, TDX_INTERRUPTED_RESTARTABLE},
	{TDH_MEM_PAGE_DEMOTE, TDX_TLB_TRACKING_NOT_DONE},
	{TDH_MEM_PAGE_PROMOTE, TDX_INTERRUPTED_RESTARTABLE},
	{TDH_MEM_PAGE_PROMOTE, TDX_TLB_TRACKING_NOT_DONE},
	{TDH_MEM_PAGE_PROMOTE, TDX_EPT_INVALID_PROMOTE_CONDITIONS},
	{TDH_MEM_PAGE_REMOVE, TDX_TLB_TRACKING_NOT_DONE},
	{TDH_MEM_SEPT_REMOVE, TDX_TLB_TRACKING_NOT_DONE},
	{TDH_MEM_RANGE_UNBLOCK, TDX_TLB_TRACKING_NOT_DONE},
	{TDH_MEM_TRACK, TDX_PREVIOUS_TLB_EPOCH_BUSY},
	{TDH_PHYMEM_CACHE_WB, TDX_INTERRUPTED_RESUMABLE},
	{TDH_MNG_VPFLUSHDONE, TDX_FLUSHVP_NOT_DONE},
	{TDH_MNG_KEY_FREEID, TDX_WBCACHE_NOT_COMPLETE},
	{TDH_MEM_PAGE_AUG, TDX_SYS_BUSY},
	{TDH_MEM_SEPT_ADD, TDX_OPERAND_BUSY_HOST_PRIORITY},
};

#define PASSING (sizeof(passing) / sizeof(passing[0]))

/* A page that stays busy for longer than any lock is held is quarantined. */
static bool can_last(unsigned leaf)
{
	return leaf != TDH_PHYMEM_PAGE_RECLAIM && leaf != TDH_PHYMEM_PAGE_WBINVD &&
	       leaf != TDH_PHYMEM_CACHE_WB && leaf != TDH_MEM_PAGE_ADD;
}

void lp_inject(uint32_t a, uint32_t b)
{
	lp.inject_skip = 1 + a % 40;
	lp.inject_count = b % 8 == 0 ? 300 : 1 + b % 5;
	lp.inject_choice = b >> 8;
	lp.inject_leaf = UINT32_MAX;
}

void lp_inject_nothing(void) { lp.inject_skip = lp.inject_count = 0; }

static uint64_t refusal(unsigned leaf)
{
	uint32_t codes[PASSING + 1] = {TDX_OPERAND_BUSY};
	unsigned count = 1;

	for (unsigned i = 0; i < PASSING; i++)
		if (passing[i].leaf == leaf)
			codes[count++] = passing[i].code;
	return (uint64_t)codes[lp.inject_choice % count] << 32 | TDX_OPERAND_ID_RCX;
}

static bool is_refused(unsigned leaf, uint64_t *status)
{
	if (lp.inject_count == 0)
		return false;
	if (lp.inject_skip > 1) {
		lp.inject_skip--;
		return false;
	}
	if (lp.inject_leaf == UINT32_MAX) {
		lp.inject_leaf = leaf;
		if (lp.inject_count > 5 && !can_last(leaf))
			lp.inject_count = 2;
	}
	if (lp.inject_leaf != leaf)
		return false;
	lp.inject_count--;
	lp.is_disturbed = true;
	*status = refusal(leaf);
	return true;
}

uint64_t lp_seamcall(uint64_t rax, struct seamcall_regs *regs)
{
	uint64_t status;

	if (lp.overlap_skip > 0 && --lp.overlap_skip == 0)
		run_inside();
	if (is_refused((unsigned)(rax & 127), &status))
		return status;
	status = hosted_seamcall(rax, regs);
	if (lp.overlap_skip > 0 && --lp.overlap_skip == 0)
		run_inside();
	return status;
}
