/* SPDX-License-Identifier: MIT */
/*
 * The probe's exceptions and interrupts, and the faults that it asks for: trap_init() and
 * trap_load() of tests/emu/trap.h for a program of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/emu/trap.h"

/* How a tried instruction ended. */
enum outcome {
	DONE,         /* no fault; of the flags, all arithmetic ones clear */
	FAIL_INVALID, /* CF alone */
	FAIL_VALID,   /* ZF alone */
	OTHER_FLAGS,
	FAULT_UD,
	FAULT_GP,
	FAULT_PF,
	FAULT_MC,
};

/* Interrupt vectors that the tests use. */
#define VECTOR_NMI      2
#define VECTOR_MC       18
#define VECTOR_TIMER    0x40
#define VECTOR_SELF_IPI 0x41
#define VECTOR_IPI      0x42
#define VECTORS         256

/* The last #MC on the first CPU: MSRs as its handler found them, which also cleared them. */
struct mc_seen {
	uint64_t count, mcg_status, bank, status, address;
};

extern volatile struct mc_seen mc_seen;

/* On the AP: MCG_STATUS of the last #MC, with the number of banks that held an error. */
extern volatile uint64_t ap_mcg_status, ap_mc_banks;

/* Where the instruction that is being tried goes on when it faults. */
extern volatile uint64_t trap_resume;

/* Interrupts, NMIs and #MCs so far by vector, on the first CPU and on the AP. */
extern volatile uint64_t bsp_taken[VECTORS], ap_taken[VECTORS];

/* TSC when the first CPU took its last interrupt. */
extern volatile uint64_t trap_interrupt_tsc;

void trap_arm(void);
enum outcome trap_outcome(uint64_t flags);

/* Interrupts end by EOI: by MMIO before this, by MSR after it. */
void trap_use_x2apic(void);

/* End of the AP's stack; what runs below it within the size is the AP. */
extern char ap_stack[16384];

/* A line of text and the end of the test as failed. */
_Noreturn void probe_die(const char *why, uint64_t value, uint64_t where);
