/* SPDX-License-Identifier: MIT */
/* Which regions idle CPUs promote, and when. */
#include "vm/promote.h"

#include "core/hw.h"
#include "drivers/timer.h"
#include "guest-abi/tdcall_insn.h"
#include "mm/frame.h"
#include "tdx/tdx_abi.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_guest.h"
#include "vm/convert.h"
#include "vm/registry.h"

#define CODE_64 0xa09bU
#define AT      (4 * SIZE_2M)
#define SECOND  UINT64_C(1000000)

/* ---- A guest that accepts by 4K ---- */

static uint64_t accept_at, accept_end;
static bool is_under_way;

static void accepting_guest(unsigned cpu, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	uint64_t *gpr = vcpu->state->gpr;

	(void)cpu;
	if (vcpu->vcpu_index != 0)
		return;
	if (is_under_way && gpr[TDX_RAX] != TDG_MEM_PAGE_ACCEPT) {
		EXPECT_TRUE(gpr[TDX_RAX] == 0);
		accept_at += SIZE_4K;
	}
	is_under_way = accept_at < accept_end;
	if (!is_under_way)
		return;
	vcpu->state->segment[TDX_CS].access_rights = CODE_64;
	gpr[TDX_RAX] = TDG_MEM_PAGE_ACCEPT;
	gpr[TDX_RCX] = accept_at;
	exit->reason = EXIT_TDCALL;
}

static struct vm *web(void) { return registry_first(); }

static void set_run(enum vcpu_run run)
{
	for (unsigned i = 0; i < web()->vcpu_count; i++)
		atomic_store(&web()->vcpus[i]->run, (int)run);
}

static void accept(uint64_t at, uint64_t size)
{
	accept_at = at;
	accept_end = at + size;
	hosted_set_guest(accepting_guest);
	set_run(VCPU_RUNNABLE);
	guest_rounds(4);
	EXPECT_EQ(accept_at, accept_end);
	set_run(VCPU_HALTED);
}

static void idle_for(uint64_t us)
{
	guest_rounds(64); /* frames are written back first */
	fake_set_tsc(hw_rdtsc() + timer_us_to_tsc(us));
	guest_rounds(2);
	mirror_check(&web()->td);
}

static void start(void)
{
	guest_machine();
	guest_start(NULL, 0);
}

static enum page_level level_at(uint64_t at)
{
	return sept_find(&web()->td.sept, gpa(at), LEVEL_4K).level;
}

/* ---- What happens ---- */

TEST(vm_promotes_what_the_guest_accepted_by_4k_a_while_ago)
{
	start();
	accept(AT, SIZE_2M);
	EXPECT_EQ(level_at(AT), LEVEL_4K);
	guest_rounds(4);
	EXPECT_EQ(level_at(AT), LEVEL_4K); /* not at once */
	idle_for(SECOND);
	EXPECT_EQ(level_at(AT), LEVEL_2M);
	EXPECT_EQ(hosted_calls(TDH_MEM_PAGE_PROMOTE), 1);
}

TEST(vm_looks_ever_more_rarely_at_what_is_not_accepted_and_then_forgets_it)
{
	uint64_t looks;

	start();
	accept(AT, SIZE_2M / 2);
	for (unsigned i = 0; i < 300; i++)
		idle_for(SECOND);
	looks = hosted_calls(TDH_MEM_SEPT_RD);
	EXPECT_EQ(hosted_calls(TDH_MEM_PAGE_PROMOTE), 0);
	EXPECT_EQ(hosted_calls(TDH_MEM_RANGE_BLOCK), 1); /* the split's */
	fake_set_tsc(hw_rdtsc() + timer_us_to_tsc(1000 * SECOND));
	guest_rounds(4);
	EXPECT_EQ(hosted_calls(TDH_MEM_SEPT_RD), looks); /* mirror_check() apart, none */
}

TEST(vm_does_not_ask_again_for_what_the_module_refused_until_something_happens_there)
{
	start();
	accept(AT, SIZE_4K);
	accept(AT + SIZE_2M - SIZE_4K, SIZE_4K);
	for (unsigned i = 0; i < 20; i++)
		idle_for(10 * SECOND);
	EXPECT_EQ(hosted_calls(TDH_MEM_PAGE_PROMOTE), 1);
	accept(AT + SIZE_4K, SIZE_2M - 2 * SIZE_4K);
	idle_for(10 * SECOND);
	EXPECT_EQ(level_at(AT), LEVEL_4K);
	/* A page goes and comes back. */
	{
		uint64_t done;

		EXPECT_EQ(convert_range(web(), AT, SIZE_4K, true, &done), STATUS_OK);
		EXPECT_EQ(convert_range(web(), AT, SIZE_4K, false, &done), STATUS_OK);
	}
	idle_for(0);
	accept(AT, SIZE_4K);
	idle_for(10 * SECOND);
	EXPECT_EQ(level_at(AT), LEVEL_2M);
}

TEST(vm_leaves_alone_what_keeps_being_converted)
{
	uint64_t done;

	start();
	accept(AT, SIZE_2M);
	for (unsigned i = 0; i < 10; i++) {
		EXPECT_EQ(convert_range(web(), AT, SIZE_4K, true, &done), STATUS_OK);
		idle_for(SECOND / 20);
		EXPECT_EQ(convert_range(web(), AT, SIZE_4K, false, &done), STATUS_OK);
		accept(AT, SIZE_4K);
		idle_for(SECOND / 20);
	}
	EXPECT_EQ(hosted_calls(TDH_MEM_PAGE_PROMOTE), 0);
	idle_for(SECOND);
	EXPECT_EQ(level_at(AT), LEVEL_2M);
}

TEST(vm_forgets_the_candidates_that_find_no_place_and_goes_on)
{
	unsigned large = 0;

	start();
	accept(0, GUEST_MEMORY); /* 32 regions, 31 places */
	for (unsigned i = 0; i < 64; i++)
		idle_for(SECOND);
	for (uint64_t at = 0; at < GUEST_MEMORY; at += SIZE_2M)
		large += level_at(at) == LEVEL_2M;
	EXPECT_EQ(large, PROMOTE_CANDIDATES - 1);
}

TEST(vm_that_ends_with_a_promotion_half_way_leaks_nothing)
{
	struct vm_error why = {""};
	uint64_t before;

	guest_machine();
	before = guest_free_bytes();
	guest_start(NULL, 0);
	accept(AT, SIZE_2M);
	EXPECT_EQ(td_promote_begin(&web()->td, gpa(AT), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(vm_destroy("web", &why), STATUS_OK);
	vm_finish_reclaim();
	EXPECT_EQ(guest_free_bytes(), before);
}
