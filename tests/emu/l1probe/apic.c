/* SPDX-License-Identifier: MIT */
/* The local APIC in both modes, its timer, and the second CPU. */
#include "tests/emu/l1probe/ap.h"

#include "core/x86.h"
#include "tests/emu/l1probe/entry.h"
#include "tests/emu/l1probe/probe.h"
#include "tests/emu/l1probe/probe_insn.h"
#include "tests/emu/lapic.h"
#include "tests/emu/svm_insn.h"
#include "tests/guest/tap.h"

#define X2APIC(reg)   (MSR_X2APIC_BASE + ((reg) >> 4))
#define SVR_ON        UINT32_C(0x1ff)
#define LVT_MASKED    UINT32_C(0x10000)
#define LVT_DEADLINE  (UINT32_C(2) << 17)
#define ICR_SELF      (ICR_SHORTHAND_SELF << 18)
#define ICR_TO_OTHERS (ICR_SHORTHAND_OTHER << 18)

#define AP_APIC_ID UINT64_C(1)

static volatile uint64_t ap_up, ap_done;
static void (*volatile ap_task)(void);

static void quiet_timers(void)
{
	if ((insn_rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC) != 0) {
		insn_wrmsr(X2APIC(LAPIC_LVT_TIMER), LVT_MASKED);
		insn_wrmsr(X2APIC(LAPIC_SVR), SVR_ON);
	} else {
		lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
		lapic_write(LAPIC_SVR, SVR_ON);
	}
}

static bool is_on(void)
{
	quiet_timers();
	return (insn_rdmsr(MSR_APIC_BASE) & (APIC_BASE_ENABLE | APIC_BASE_BSP)) ==
	       (APIC_BASE_ENABLE | APIC_BASE_BSP);
}

static bool mmio_reads(void)
{
	uint32_t r[4];

	insn_cpuid(1, 0, r);
	return (lapic_read(LAPIC_VERSION) & 0xff) >= 0x10 &&
	       lapic_read(LAPIC_ID) >> 24 == r[1] >> 24 && lapic_read(LAPIC_SVR) == SVR_ON;
}

static bool mmio_writes(void)
{
	bool kept;

	lapic_write(LAPIC_TPR, 0x20);
	kept = lapic_read(LAPIC_TPR) == 0x20;
	lapic_write(LAPIC_TPR, 0);
	return kept && lapic_read(LAPIC_TPR) == 0;
}

static bool taken(unsigned vector, uint64_t wanted)
{
	bool came;

	interrupts_on();
	came = probe_wait(&bsp_taken[vector], wanted);
	interrupts_off();
	return came && bsp_taken[vector] == wanted;
}

static bool mmio_self_ipi(void)
{
	uint64_t before = bsp_taken[VECTOR_SELF_IPI];

	lapic_write(LAPIC_ICR, ICR_SELF | ICR_ASSERT | VECTOR_SELF_IPI);
	return taken(VECTOR_SELF_IPI, before + 1);
}

static bool becomes_x2apic(void)
{
	uint32_t version = lapic_read(LAPIC_VERSION);
	uint64_t value;

	if (try_rdmsr(X2APIC(LAPIC_ID), &value) != FAULT_GP)
		return false;
	insn_wrmsr(MSR_APIC_BASE, insn_rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	trap_use_x2apic();
	return insn_rdmsr(X2APIC(LAPIC_VERSION)) == version &&
	       insn_rdmsr(X2APIC(LAPIC_ID)) == 0;
}

static bool stays_x2apic(void)
{
	uint64_t base = insn_rdmsr(MSR_APIC_BASE);

	return try_wrmsr(MSR_APIC_BASE, base & ~APIC_BASE_X2APIC) == FAULT_GP &&
	       insn_rdmsr(MSR_APIC_BASE) == base;
}

static bool x2apic_is_strict(void)
{
	uint64_t value;

	return try_wrmsr(X2APIC(LAPIC_ID), 0) == FAULT_GP &&
	       try_wrmsr(X2APIC(LAPIC_EOI), 1) == FAULT_GP &&
	       try_rdmsr(X2APIC(LAPIC_EOI), &value) == FAULT_GP &&
	       try_rdmsr(X2APIC(LAPIC_ICR_HIGH), &value) == FAULT_GP;
}

static bool x2apic_self_ipi(void)
{
	uint64_t before = bsp_taken[VECTOR_SELF_IPI];

	insn_wrmsr(X2APIC(LAPIC_SELF_IPI), VECTOR_SELF_IPI);
	return taken(VECTOR_SELF_IPI, before + 1);
}

static bool ipi_waits_for_if(void)
{
	uint64_t before = bsp_taken[VECTOR_SELF_IPI];

	insn_wrmsr(X2APIC(LAPIC_SELF_IPI), VECTOR_SELF_IPI);
	(void)insn_rdmsr(X2APIC(LAPIC_VERSION));
	if (bsp_taken[VECTOR_SELF_IPI] != before)
		return false;
	if ((insn_rdmsr(X2APIC(LAPIC_IRR + VECTOR_SELF_IPI / 32 * 16)) >> VECTOR_SELF_IPI % 32 &
	     1) == 0)
		return false;
	return taken(VECTOR_SELF_IPI, before + 1);
}

static void arm(uint64_t deadline)
{
	insn_wrmsr(X2APIC(LAPIC_LVT_TIMER), LVT_DEADLINE | VECTOR_TIMER);
	insn_wrmsr(MSR_TSC_DEADLINE, deadline);
}

/*
 * Early by a thousandth of the time is the calibration's error. Late is allowed: QEMU may
 * have to wait for a CPU of its own, even until the deadline is over before we look.
 */
static bool deadline_fires(void)
{
	uint64_t before = bsp_taken[VECTOR_TIMER];
	uint64_t wait = 20 * probe_tsc_per_ms();
	uint64_t deadline = insn_rdtsc() + wait;
	uint64_t told;

	arm(deadline);
	told = insn_rdmsr(MSR_TSC_DEADLINE);
	if (told != deadline && insn_rdtsc() < deadline)
		return tap_equal("deadline", told, deadline);
	if (!taken(VECTOR_TIMER, before + 1) || insn_rdmsr(MSR_TSC_DEADLINE) != 0)
		return false;
	if (trap_interrupt_tsc + wait / 1000 >= deadline)
		return true;
	tap_value("early by this many ticks", deadline - trap_interrupt_tsc);
	return false;
}

static bool past_deadline_fires(void)
{
	uint64_t before = bsp_taken[VECTOR_TIMER];

	arm(1);
	return taken(VECTOR_TIMER, before + 1);
}

static bool deadline_is_disarmed(void)
{
	uint64_t before = bsp_taken[VECTOR_TIMER];
	uint64_t end = insn_rdtsc() + 20 * probe_tsc_per_ms();

	arm(insn_rdtsc() + 10 * probe_tsc_per_ms());
	insn_wrmsr(MSR_TSC_DEADLINE, 0);
	interrupts_on();
	while (insn_rdtsc() < end)
		cpu_relax();
	interrupts_off();
	return bsp_taken[VECTOR_TIMER] == before && insn_rdmsr(MSR_TSC_DEADLINE) == 0;
}

/* ---- The AP ---- */

static void ap_main(void)
{
	trap_load();
	insn_wrmsr(MSR_APIC_BASE, insn_rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	insn_wrmsr(X2APIC(LAPIC_SVR), SVR_ON);
	ap_up++;
	interrupts_on();
	for (;;) {
		if (ap_task != NULL) {
			ap_task();
			ap_task = NULL;
			ap_done++;
		}
		cpu_relax();
	}
}

bool ap_run(void (*task)(void))
{
	uint64_t before = ap_done;

	ap_task = task;
	return probe_wait(&ap_done, before + 1);
}

static void put(uint64_t offset, uint64_t value, unsigned bytes)
{
	volatile uint8_t *at = (volatile uint8_t *)(probe_low_page + offset);

	for (; bytes > 0; bytes--, value >>= 8)
		*at++ = (uint8_t)value;
}

static void prepare_trampoline(void)
{
	static const uint64_t gdt[4] = {0, UINT64_C(0x00cf9b000000ffff),
					UINT64_C(0x00af9b000000ffff),
					UINT64_C(0x00cf93000000ffff)};
	const char *from = ap_begin;

	for (uint64_t i = 0; from + i != ap_end; i++)
		put(i, (uint8_t)from[i], 1);
	put(AP_GDTR_LIMIT, sizeof(gdt) - 1, 2);
	put(AP_GDTR_BASE, probe_low_page + AP_GDT, 4);
	put(AP_FAR_OFFSET, probe_low_page + (uint64_t)(ap_long_mode - ap_begin), 4);
	put(AP_FAR_SEGMENT, PROBE_CS, 2);
	put(AP_CR3, insn_read_cr3(), 8);
	put(AP_STACK, (uint64_t)ap_stack + sizeof(ap_stack), 8);
	put(AP_ENTRY, (uint64_t)ap_main, 8);
	for (unsigned i = 0; i < 4; i++)
		put(AP_GDT + 8UL * i, gdt[i], 8);
}

void ap_send(uint32_t command)
{
	insn_wrmsr(X2APIC(LAPIC_ICR), AP_APIC_ID << 32 | ICR_ASSERT | command);
}

static void wait_ms(uint64_t ms)
{
	uint64_t end = insn_rdtsc() + ms * probe_tsc_per_ms();

	while (insn_rdtsc() < end)
		cpu_relax();
}

static bool ap_starts(void)
{
	uint32_t sipi = ICR_MODE_SIPI << 8 | (uint32_t)(probe_low_page / PAGE_SIZE);

	prepare_trampoline();
	ap_send(ICR_MODE_INIT << 8 | ICR_LEVEL);
	wait_ms(10);
	ap_send(sipi);
	if (!probe_wait(&ap_up, 1))
		ap_send(sipi);
	return probe_wait(&ap_up, 1);
}

static bool second_sipi_is_ignored(void)
{
	ap_send(ICR_MODE_SIPI << 8 | (uint32_t)(probe_low_page / PAGE_SIZE));
	wait_ms(10);
	return ap_up == 1;
}

static bool ap_starts_again(void)
{
	ap_send(ICR_MODE_INIT << 8 | ICR_LEVEL);
	wait_ms(10);
	ap_send(ICR_MODE_SIPI << 8 | (uint32_t)(probe_low_page / PAGE_SIZE));
	return probe_wait(&ap_up, 2) && ap_up == 2;
}

static volatile uint64_t ap_apic_id;

static void tell_apic_id(void) { ap_apic_id = insn_rdmsr(X2APIC(LAPIC_ID)); }

static bool ap_has_its_own_id(void) { return ap_run(tell_apic_id) && ap_apic_id == AP_APIC_ID; }

static bool ap_takes_ipi(void)
{
	uint64_t before = ap_taken[VECTOR_IPI];

	ap_send(VECTOR_IPI);
	return probe_wait(&ap_taken[VECTOR_IPI], before + 1);
}

static bool ap_takes_ipi_to_others(void)
{
	uint64_t before = ap_taken[VECTOR_IPI];
	uint64_t own = bsp_taken[VECTOR_IPI];

	insn_wrmsr(X2APIC(LAPIC_ICR), ICR_TO_OTHERS | ICR_ASSERT | VECTOR_IPI);
	return probe_wait(&ap_taken[VECTOR_IPI], before + 1) && bsp_taken[VECTOR_IPI] == own;
}

static bool ap_takes_nmi(void)
{
	uint64_t before = ap_taken[VECTOR_NMI];

	ap_send(ICR_MODE_NMI << 8);
	return probe_wait(&ap_taken[VECTOR_NMI], before + 1) && bsp_taken[VECTOR_NMI] == 0;
}

static bool ap_takes_ten_nmis(void)
{
	for (unsigned i = 0; i < 10; i++) {
		if (!ap_takes_nmi())
			return false;
	}
	return true;
}

static void send_back(void) { insn_wrmsr(X2APIC(LAPIC_ICR), ICR_ASSERT | VECTOR_IPI); }

static bool ap_sends_ipi(void)
{
	uint64_t before = bsp_taken[VECTOR_IPI];

	return ap_run(send_back) && taken(VECTOR_IPI, before + 1);
}

bool ap_ignores_init(void)
{
	uint64_t before = ap_up;

	ap_send(ICR_MODE_INIT << 8 | ICR_LEVEL);
	wait_ms(10);
	ap_send(ICR_MODE_SIPI << 8 | (uint32_t)(probe_low_page / PAGE_SIZE));
	wait_ms(10);
	return ap_up == before && ap_takes_ipi();
}

const struct probe_test apic_tests[] = {
	{"the local APIC is enabled and this is the BSP", is_on},
	{"xAPIC registers read by MMIO", mmio_reads},
	{"xAPIC registers keep what MMIO writes", mmio_writes},
	{"an xAPIC self-IPI arrives", mmio_self_ipi},
	{"x2APIC mode shows the same APIC by MSRs, which were #GP before", becomes_x2apic},
	{"the way from x2APIC mode straight to xAPIC mode is #GP", stays_x2apic},
	{"x2APIC registers refuse what the SDM forbids", x2apic_is_strict},
	{"an x2APIC self-IPI arrives", x2apic_self_ipi},
	{"a self-IPI waits in IRR until interrupts are on", ipi_waits_for_if},
	{"the TSC-deadline timer interrupts at its time and is then disarmed", deadline_fires},
	{"a deadline that has passed interrupts at once", past_deadline_fires},
	{"a deadline of 0 disarms the timer", deadline_is_disarmed},
	{"the second CPU starts by INIT-SIPI-SIPI, from real mode to 64-bit mode", ap_starts},
	{"it has an APIC id of its own", ap_has_its_own_id},
	{"it ignores a SIPI while it runs", second_sipi_is_ignored},
	{"it takes an IPI", ap_takes_ipi},
	{"it takes an IPI to all others, which the sender does not get",
	 ap_takes_ipi_to_others},
	{"it takes NMIs, each once the handler of the one before returned", ap_takes_ten_nmis},
	{"it sends an IPI", ap_sends_ipi},
	{"it starts again by INIT-SIPI", ap_starts_again},
	{"it takes an IPI again", ap_takes_ipi},
	{NULL, NULL},
};
