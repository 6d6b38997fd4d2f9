/* SPDX-License-Identifier: MIT */
/*
 * The software TDX module against a host that steps a guest: interrupts that come too soon,
 * and faults of one instruction over and over.
 */
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/model_td.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define INTERRUPT     1u
#define INIT          3u
#define CPUID         10u
#define MONITOR_TRAP  37u
#define EPT_VIOLATION 48u
#define VECTOR        0xecu
#define NMI           UINT32_C(0x80000202)
#define SHARED        (UINT64_C(1) << 47)
#define ABSENT        UINT64_C(0x600000)
#define HELD_RBP      UINT64_C(0x1234)
#define TDG_ACCEPT    6
#define TDG_VM_WR     8
#define NOTIFY_FIELD  UINT64_C(0x9110000300000010)
#define EVENT_VE      UINT32_C(0x80000314)
#define APIC_BASE     0x1b

/* ---- single-stepping: a CPU that can step, and has interrupts ---- */

static unsigned steps, runs, raised_interrupts, raised_nmis, raised_inits;
static struct tdx_exit first, after_step;
static unsigned stop_after; /* steps until `after_step` comes instead of the trap; 0 = never */

static void raise(void *ctx, unsigned lp, enum tdx_raised what, uint8_t vector)
{
	(void)ctx;
	(void)lp;
	if (what == TDX_RAISE_INTERRUPT) {
		raised_interrupts++;
		EXPECT_EQ(vector, VECTOR);
	} else if (what == TDX_RAISE_NMI) {
		raised_nmis++;
	} else {
		raised_inits++;
	}
}

/* `first` ends the first run; then single steps; then the interrupt that is still there. */
static void step(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	(void)cpu;
	if (runs++ == 0) {
		EXPECT_TRUE(!view->single_step);
		*exit = first;
		return;
	}
	if (!view->single_step)
		*exit = (struct tdx_exit){.reason = INTERRUPT,
					  .interruption_info = 0x80000000 | VECTOR};
	else if (++steps == stop_after)
		*exit = after_step;
	else
		*exit = (struct tdx_exit){
			.reason = MONITOR_TRAP, .rip_advance = 3, .tsc_in_guest = 20};
}

static uint64_t enter_stepped(struct tdx_exit exit, struct seamcall_regs *regs)
{
	steps = runs = raised_interrupts = raised_nmis = raised_inits = 0;
	first = exit;
	hosted_set_guest(step);
	return model_td_enter(0, 0, regs);
}

static void start_stepping(void)
{
	hosted_machine.raise = raise;
	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
}

static const struct tdx_exit too_soon = {.reason = INTERRUPT,
					 .interruption_info = 0x80000000 | VECTOR,
					 .rip_advance = 30,
					 .tsc_in_guest = 4096};

TEST(model_steps_the_guest_on_before_it_reports_an_interrupt_that_came_too_soon)
{
	unsigned seen = 0, least = UINT32_MAX, most = 0;
	struct seamcall_regs regs;

	start_stepping();
	for (unsigned i = 0; i < 200; i++) {
		EXPECT_EQ(enter_stepped(too_soon, &regs), INTERRUPT);
		EXPECT_EQ(regs.r9, 0x80000000 | VECTOR);
		EXPECT_EQ(raised_interrupts, 1);
		EXPECT_EQ(runs, steps + 2);
		least = steps < least ? steps : least;
		most = steps > most ? steps : most;
		seen += steps;
	}
	EXPECT_EQ(least, 1);
	EXPECT_EQ(most, 32);
	EXPECT_TRUE(seen > 200 * 12 && seen < 200 * 21);
}

TEST(model_reports_an_interrupt_at_once_after_progress_in_bytes_or_in_time)
{
	struct tdx_exit far = too_soon, late = too_soon;
	struct seamcall_regs regs;

	start_stepping();
	far.rip_advance = 31;
	EXPECT_EQ(enter_stepped(far, &regs), INTERRUPT);
	EXPECT_EQ(runs, 1);
	far.rip_advance = -UINT64_C(31);
	EXPECT_EQ(enter_stepped(far, &regs), INTERRUPT);
	EXPECT_EQ(runs, 1);
	late.tsc_in_guest = 4097;
	EXPECT_EQ(enter_stepped(late, &regs), INTERRUPT);
	EXPECT_EQ(runs, 1);
	EXPECT_EQ(raised_interrupts, 0);
}

TEST(model_reports_another_exit_that_comes_between_two_steps)
{
	struct seamcall_regs regs;

	start_stepping();
	stop_after = 1;
	after_step = (struct tdx_exit){.reason = EPT_VIOLATION, .gpa = SHARED};
	EXPECT_EQ(enter_stepped(too_soon, &regs), EPT_VIOLATION);
	EXPECT_EQ(steps, 1);
	EXPECT_EQ(raised_interrupts, 1);
}

TEST(model_gives_an_nmi_and_an_init_back_after_the_steps)
{
	struct tdx_exit nmi = too_soon, init = too_soon;
	struct seamcall_regs regs;

	start_stepping();
	nmi.reason = 0;
	nmi.interruption_info = NMI;
	EXPECT_EQ(enter_stepped(nmi, &regs), INTERRUPT);
	EXPECT_EQ(raised_nmis, 1);
	init.reason = INIT;
	EXPECT_EQ(enter_stepped(init, &regs), INTERRUPT);
	EXPECT_EQ(raised_inits, 1);
	EXPECT_EQ(raised_interrupts + raised_nmis, 0);
}

TEST(model_ends_a_td_that_it_cannot_step_because_the_apic_is_off)
{
	struct seamcall_regs regs;

	start_stepping();
	fake_set_msr(APIC_BASE, 0xfee00000);
	EXPECT_EQ(enter_stepped(too_soon, &regs), UINT64_C(0xe000000700000001));
	EXPECT_EQ(runs, 1);
}

TEST(model_steps_no_guest_on_a_machine_that_cannot)
{
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(enter_stepped(too_soon, &regs), INTERRUPT);
	EXPECT_EQ(runs, 1);
}

/* ---- zero-stepping ---- */

static uint64_t fault(uint64_t gpa, uint64_t rip_advance)
{
	const struct tdx_exit exit = {.reason = EPT_VIOLATION,
				      .qualification = 0x81,
				      .gpa = gpa,
				      .rip_advance = rip_advance};
	struct seamcall_regs regs;
	uint64_t rax = model_td_exit(0, &exit, &regs);

	EXPECT_EQ(rax, EPT_VIOLATION);
	return regs.rcx;
}

static void fault_times(unsigned times, uint64_t gpa)
{
	for (unsigned i = 0; i < times; i++)
		EXPECT_EQ(fault(gpa, 0), 1);
}

static bool is_refused(void)
{
	struct seamcall_regs regs;

	hosted_set_guest(NULL);
	return model_td_enter(0, HELD_RBP, &regs) == EPT_VIOLATION && regs.rcx == 2 &&
	       regs.r8 == ABSENT && regs.rbp == HELD_RBP;
}

TEST(model_refuses_entry_after_seven_faults_of_one_instruction)
{
	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	fault_times(6, ABSENT + 8);
	EXPECT_EQ(fault(ABSENT + 8, 0), 1);
	EXPECT_TRUE(is_refused());
	EXPECT_TRUE(is_refused());
}

TEST(model_suspects_nothing_of_faults_in_shared_memory)
{
	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	fault_times(20, SHARED | ABSENT);
	fault_times(6, ABSENT);
	EXPECT_TRUE(!is_refused());
}

TEST(model_suspects_nothing_once_the_guest_has_moved)
{
	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	fault_times(6, ABSENT);
	EXPECT_EQ(fault(ABSENT, 1), 1);
	fault_times(5, ABSENT);
	EXPECT_TRUE(!is_refused());
}

/* CPUID first, then a fault: the instruction after the one that was entered. */
static bool has_cpuid;

static void cpuid_then_fault(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	(void)cpu;
	(void)view;
	*exit = (struct tdx_exit){.reason = EPT_VIOLATION, .qualification = 1, .gpa = ABSENT};
	if (!has_cpuid)
		*exit = (struct tdx_exit){.reason = CPUID, .instruction_length = 2};
	has_cpuid = !has_cpuid;
}

TEST(model_counts_an_instruction_that_it_emulates_as_progress)
{
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	fault_times(6, ABSENT);
	hosted_set_guest(cpuid_then_fault);
	EXPECT_EQ(model_td_enter(0, 0, &regs), EPT_VIOLATION);
	EXPECT_TRUE(!is_refused());
}

static uint32_t event_at_entry;

static void look(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	(void)cpu;
	(void)exit;
	event_at_entry = view->state->event;
	view->state->event = 0;
}

static void suspect_and_resolve(void)
{
	fault_times(7, ABSENT);
	EXPECT_EQ(td_populate(&model_td, gpa(ABSENT), SIZE_2M), STATUS_OK);
	EXPECT_TRUE(is_refused()); /* not accepted: it would fault again */
	EXPECT_EQ(model_td_call(1, (struct model_tdcall){.rax = TDG_ACCEPT, .rcx = ABSENT | 1})
			  .rax,
		  0);
}

TEST(model_tells_a_guest_of_a_suspicion_that_is_over_if_it_asked)
{
	const struct model_tdcall notify = {
		.rax = TDG_VM_WR, .rdx = NOTIFY_FIELD, .r8 = 1, .r9 = 1};
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(model_td_call(1, notify).rax, 0);
	suspect_and_resolve();
	hosted_set_guest(look);
	EXPECT_EQ(model_td_enter(0, 0, &regs), INTERRUPT);
	EXPECT_EQ(event_at_entry, EVENT_VE);
}

TEST(model_tells_no_guest_of_a_suspicion_that_did_not_ask)
{
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	suspect_and_resolve();
	hosted_set_guest(look);
	EXPECT_EQ(model_td_enter(0, 0, &regs), INTERRUPT);
	EXPECT_EQ(event_at_entry, 0);
}
