/* SPDX-License-Identifier: MIT */
/*
 * A TD payload that tries, one by one, what a TD must be able to rely on, and reports in
 * TAP. `end=WORD` on its command line chooses how it ends: poweroff (default), reset,
 * fatal (ReportFatalError), triple (triple fault), spin (never).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where SHARED_VIEW + GPA reaches GPA with the shared bit (probe_entry.S). */
#define SHARED_VIEW UINT64_C(0x8000000000)

/* RAM that nothing else uses: three 2M pages. */
#define PLAYGROUND UINT64_C(0x4000000)

struct probe_test {
	const char *sentence;
	bool (*run)(void);
};

/* Each list ends with an entry without `run`. */
extern const struct probe_test identity_tests[], memory_tests[], ve_tests[], interrupt_tests[],
	smp_tests[];

/* The RSDP's GPA from boot_params, for the SMP tests. */
extern uint64_t probe_rsdp;

/* Ticks of the TSC in a millisecond, from CPUID. */
uint64_t probe_tsc_per_ms(void);

/* From probe_entry.S. */
_Noreturn void probe_main(const uint8_t *boot_params);
