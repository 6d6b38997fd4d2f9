/* SPDX-License-Identifier: MIT */
/*
 * The L1 probe: a UEFI application that the emulator starts in place of redoubt.efi. It
 * tries, one by one, what a hypervisor must be able to rely on, reports in TAP on COM1 and
 * ends QEMU through port 0xf4 (33: all passed, 35: something failed). Wants two CPUs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"

/* Memory that is the probe's own, taken from UEFI at a fixed place. */
#define ARENA_BASE UINT64_C(0x50000000)
#define ARENA_SIZE (UINT64_C(32) << 20)

/* The part of it that becomes TDX memory; a GiB around it is its TDMR. */
#define TDMR_BASE  UINT64_C(0x40000000)
#define TDMR_SIZE  (UINT64_C(1) << 30)
#define BLOCK_BASE ARENA_BASE
#define BLOCK_SIZE (UINT64_C(16) << 20)
#define PAMT_BASE  (BLOCK_BASE + BLOCK_SIZE)
#define ARENA_REST (PAMT_BASE + (UINT64_C(8) << 20))

/* Canonical, and mapped by no firmware. */
#define UNMAPPED UINT64_C(0xffff900000000000)

struct probe_test {
	const char *sentence;
	bool (*run)(void);
};

/* Each list ends with an entry without `run`; they are run in this order. */
extern const struct probe_test cpu_tests[], apic_tests[], vmx_tests[], seam_tests[],
	memory_tests[];

/* A page below 1 MiB for the AP's start. */
extern uint64_t probe_low_page;

/* Ticks of the TSC in a millisecond, from CPUID. */
uint64_t probe_tsc_per_ms(void);

/* Waits until *value is at least `wanted`; false after a second or two. */
bool probe_wait(const volatile uint64_t *value, uint64_t wanted);

/* Starts with the firmware gone and interrupts off. */
_Noreturn void probe_main(void);
