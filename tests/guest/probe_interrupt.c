/* SPDX-License-Identifier: MIT */
/* The virtual x2APIC: posted interrupts, native EOI and SELF_IPI, timer, HLT. */
#include <stddef.h>

#include "guest-abi/ghci.h"
#include "tests/guest/lapic.h"
#include "tests/guest/probe.h"
#include "tests/guest/probe_insn.h"
#include "tests/guest/tap.h"
#include "tests/guest/td.h"
#include "tests/guest/trap.h"

#define CPUID_1_TSC_DEADLINE (1U << 24)
#define SHORT_MS             UINT64_C(2)
#define PATIENCE_MS          UINT64_C(2000)

/* Interrupts of `vector` beyond `before` after at most PATIENCE_MS with IF = 1. */
static unsigned wait_interrupts(unsigned vector, unsigned before)
{
	uint64_t until = rdtsc() + PATIENCE_MS * probe_tsc_per_ms();

	sti();
	while (trap_interrupts[vector] == before && rdtsc() < until)
		cpu_relax();
	cli();
	return trap_interrupts[vector] - before;
}

static bool apic_answers(void)
{
	lapic_enable();
	return tap_equal("id", td_rdmsr(X2APIC_ID), 0) &&
	       tap_equal("version", td_rdmsr(X2APIC_VERSION) & 0xf0, 0x10) &&
	       tap_equal("spurious", td_rdmsr(X2APIC_SPURIOUS), SPURIOUS_ENABLED);
}

static bool self_ipi(void)
{
	unsigned ve_before = trap_ve_count;
	unsigned before = trap_interrupts[VECTOR_SELF_IPI];

	wrmsr(X2APIC_SELF_IPI, VECTOR_SELF_IPI);
	return tap_equal("interrupts", wait_interrupts(VECTOR_SELF_IPI, before), 1) &&
	       tap_equal("#VE count", trap_ve_count - ve_before, 0);
}

static bool interrupt_waits_for_if(void)
{
	unsigned before = trap_interrupts[VECTOR_SELF_IPI];
	uint64_t until = rdtsc() + SHORT_MS * probe_tsc_per_ms();

	wrmsr(X2APIC_SELF_IPI, VECTOR_SELF_IPI);
	while (rdtsc() < until)
		cpu_relax();
	return tap_equal("interrupts with IF = 0", trap_interrupts[VECTOR_SELF_IPI] - before,
			 0) &&
	       tap_equal("interrupts", wait_interrupts(VECTOR_SELF_IPI, before), 1);
}

static bool icr_self(void)
{
	unsigned before = trap_interrupts[VECTOR_IPI];

	td_wrmsr(X2APIC_ICR, ICR_SELF | VECTOR_IPI);
	return tap_equal("interrupts", wait_interrupts(VECTOR_IPI, before), 1);
}

static bool has_tsc_deadline(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	return (r[2] & CPUID_1_TSC_DEADLINE) != 0;
}

static void arm_deadline(uint64_t ms)
{
	td_wrmsr(X2APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
	td_wrmsr(MSR_TSC_DEADLINE, rdtsc() + ms * probe_tsc_per_ms());
}

/* The LAPIC timer counts at the frequency of CPUID 0x15's crystal. */
static void start_count(uint32_t lvt, uint64_t ms)
{
	uint32_t r[4];

	cpuid(0x15, 0, r);
	td_wrmsr(X2APIC_LVT_TIMER, lvt);
	td_wrmsr(X2APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	td_wrmsr(X2APIC_TIMER_INITIAL, ms * (uint64_t)(r[2] / 1000));
}

static void arm_one_shot(uint64_t ms) { start_count(VECTOR_TIMER, ms); }

/* One interrupt, not before its time; TSC and timer may differ by a percent. */
static bool fires_once_in_time(void (*arm)(uint64_t ms))
{
	unsigned before = trap_interrupts[VECTOR_TIMER];
	uint64_t start = rdtsc();
	uint64_t elapsed;

	arm(SHORT_MS);
	if (!tap_equal("interrupts", wait_interrupts(VECTOR_TIMER, before), 1))
		return false;
	elapsed = rdtsc() - start;
	tap_value("microseconds", elapsed * 1000 / probe_tsc_per_ms());
	return elapsed >= SHORT_MS * probe_tsc_per_ms() * 99 / 100;
}

static bool tsc_deadline(void)
{
	if (!has_tsc_deadline()) {
		tap_text("# CPUID does not offer TSC_DEADLINE\n");
		return true;
	}
	return fires_once_in_time(arm_deadline);
}

static bool one_shot(void) { return fires_once_in_time(arm_one_shot); }

static bool deadline_in_the_past(void)
{
	unsigned before = trap_interrupts[VECTOR_TIMER];

	if (!has_tsc_deadline())
		return true;
	td_wrmsr(X2APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
	td_wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
	return tap_equal("interrupts", wait_interrupts(VECTOR_TIMER, before), 1);
}

static bool masked_timer_is_silent(void)
{
	unsigned before = trap_interrupts[VECTOR_TIMER];
	uint64_t until;

	start_count(LVT_MASKED | VECTOR_TIMER, SHORT_MS);
	until = rdtsc() + 3 * SHORT_MS * probe_tsc_per_ms();
	sti();
	while (rdtsc() < until)
		cpu_relax();
	cli();
	return tap_equal("interrupts", trap_interrupts[VECTOR_TIMER] - before, 0);
}

static bool hlt_wakes(void)
{
	unsigned before = trap_interrupts[VECTOR_TIMER];
	uint64_t start = rdtsc();
	unsigned halts = 0;

	arm_one_shot(5 * SHORT_MS);
	while (trap_interrupts[VECTOR_TIMER] == before && halts < 1000) {
		if (!tap_equal("status", sti_and_halt(), TDVMCALL_SUCCESS))
			return false;
		cli();
		halts++;
	}
	tap_value("microseconds asleep", (rdtsc() - start) * 1000 / probe_tsc_per_ms());
	return tap_equal("interrupts", trap_interrupts[VECTOR_TIMER] - before, 1) &&
	       tap_equal("halts", halts, 1);
}

static bool hlt_with_pending(void)
{
	unsigned before = trap_interrupts[VECTOR_SELF_IPI];

	wrmsr(X2APIC_SELF_IPI, VECTOR_SELF_IPI);
	(void)sti_and_halt();
	cli();
	return tap_equal("interrupts", trap_interrupts[VECTOR_SELF_IPI] - before, 1);
}

const struct probe_test interrupt_tests[] = {
	{"the x2APIC answers", apic_answers},
	{"SELF_IPI arrives without #VE", self_ipi},
	{"an interrupt waits for IF = 1", interrupt_waits_for_if},
	{"ICR with self shorthand arrives", icr_self},
	{"the TSC deadline timer fires once and in time", tsc_deadline},
	{"a TSC deadline in the past fires at once", deadline_in_the_past},
	{"the one-shot timer fires once and in time", one_shot},
	{"a masked timer is silent", masked_timer_is_silent},
	{"HLT is left by the timer's interrupt", hlt_wakes},
	{"HLT with an interrupt pending returns", hlt_with_pending},
	{NULL, NULL},
};
