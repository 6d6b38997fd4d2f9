/* SPDX-License-Identifier: MIT */
#include "tests/emu/l1probe/trap.h"

#include "core/x86.h"
#include "tests/emu/l1probe/entry.h"
#include "tests/emu/lapic.h"
#include "tests/emu/svm_insn.h"

#define VECTOR_UD       6
#define VECTOR_GP       13
#define VECTOR_PF       14
#define FIRST_INTERRUPT 32
#define NOTHING         UINT64_MAX
#define MAX_BANKS       32

#define FLAGS_ARITHMETIC UINT64_C(0x8d5)
#define FLAG_CF          UINT64_C(1)
#define FLAG_ZF          UINT64_C(0x40)

#define MSR_X2APIC_EOI 0x80bU

struct gate {
	uint16_t offset0, selector, flags, offset1;
	uint32_t offset2, reserved;
};

volatile uint64_t trap_resume;
volatile uint64_t bsp_taken[VECTORS], ap_taken[VECTORS];
volatile uint64_t trap_interrupt_tsc;
volatile struct mc_seen mc_seen;
volatile uint64_t ap_mcg_status, ap_mc_banks;
char ap_stack[16384] __attribute__((aligned(16)));

static uint64_t faulted; /* vector of the fault of the instruction being tried */
static bool has_x2apic;
static struct gate idt[VECTORS];
static const uint64_t gdt[4] = {0, UINT64_C(0x00cf9b000000ffff), UINT64_C(0x00af9b000000ffff),
				UINT64_C(0x00cf93000000ffff)};

void trap_handle(struct trap_frame *f);

void trap_arm(void) { faulted = NOTHING; }

enum outcome trap_outcome(uint64_t flags)
{
	trap_resume = 0;
	switch (faulted) {
	case NOTHING:
		break;
	case VECTOR_UD:
		return FAULT_UD;
	case VECTOR_GP:
		return FAULT_GP;
	case VECTOR_PF:
		return FAULT_PF;
	default:
		return FAULT_MC;
	}
	flags &= FLAGS_ARITHMETIC;
	if (flags == FLAG_CF)
		return FAIL_INVALID;
	if (flags == FLAG_ZF)
		return FAIL_VALID;
	return flags == 0 ? DONE : OTHER_FLAGS;
}

void trap_init(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		uint64_t at = (uint64_t)(trap_stubs + 16UL * i);

		idt[i] = (struct gate){.offset0 = (uint16_t)at,
				       .selector = PROBE_CS,
				       .flags = 0x8e00,
				       .offset1 = (uint16_t)(at >> 16),
				       .offset2 = (uint32_t)(at >> 32)};
	}
}

void trap_load(void)
{
	struct insn_table g = {.limit = sizeof(gdt) - 1, .base = (uint64_t)gdt};
	struct insn_table i = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};

	insn_lgdt(&g);
	probe_load_segments();
	insn_lidt(&i);
}

void trap_use_x2apic(void) { has_x2apic = true; }

static void end_interrupt(void)
{
	if (has_x2apic)
		insn_wrmsr(MSR_X2APIC_EOI, 0);
	else
		lapic_write(LAPIC_EOI, 0);
}

/* Finds and clears the bank that holds an error; returns how many there are. */
static uint64_t take_banks(volatile struct mc_seen *seen)
{
	unsigned count = insn_rdmsr(MSR_MCG_CAP) & 0xff;
	uint64_t found = 0;

	for (unsigned bank = 0; bank < count && bank < MAX_BANKS; bank++) {
		uint64_t status = insn_rdmsr(MSR_MC_STATUS(bank));

		if ((status & MC_STATUS_VALID) == 0)
			continue;
		found++;
		seen->bank = bank;
		seen->status = status;
		seen->address = insn_rdmsr(MSR_MC_ADDR(bank));
		insn_wrmsr(MSR_MC_STATUS(bank), 0);
	}
	return found;
}

static void handle_mc_on_ap(void)
{
	struct mc_seen seen;

	ap_mcg_status = insn_rdmsr(MSR_MCG_STATUS);
	ap_mc_banks = take_banks(&seen);
	insn_wrmsr(MSR_MCG_STATUS, 0);
	ap_taken[VECTOR_MC]++;
}

static void handle_on_ap(struct trap_frame *f)
{
	if (f->vector == VECTOR_MC) {
		handle_mc_on_ap();
	} else if (f->vector == VECTOR_NMI) {
		ap_taken[VECTOR_NMI]++;
	} else if (f->vector >= FIRST_INTERRUPT) {
		end_interrupt();
		ap_taken[f->vector]++;
	} else {
		probe_die("unexpected exception on the AP", f->vector, f->rip);
	}
}

static bool is_fault(uint64_t vector)
{
	return vector == VECTOR_UD || vector == VECTOR_GP || vector == VECTOR_PF ||
	       vector == VECTOR_MC;
}

void trap_handle(struct trap_frame *f)
{
	if (f->rsp - (uint64_t)ap_stack < sizeof(ap_stack)) {
		handle_on_ap(f);
		return;
	}
	if (f->vector == VECTOR_MC) {
		mc_seen.count++;
		mc_seen.mcg_status = insn_rdmsr(MSR_MCG_STATUS);
		mc_seen.status = 0;
		(void)take_banks(&mc_seen);
		insn_wrmsr(MSR_MCG_STATUS, 0);
	}
	if (is_fault(f->vector) && trap_resume != 0) {
		faulted = f->vector;
		f->rip = trap_resume;
		trap_resume = 0;
	} else if (f->vector >= FIRST_INTERRUPT) {
		trap_interrupt_tsc = insn_rdtsc();
		end_interrupt();
		bsp_taken[f->vector]++;
	} else if (f->vector == VECTOR_NMI) {
		bsp_taken[VECTOR_NMI]++;
	} else {
		probe_die("unexpected exception", f->vector, f->rip);
	}
}
