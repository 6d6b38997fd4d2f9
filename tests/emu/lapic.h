/* SPDX-License-Identifier: MIT */
/* The real local APIC, always in xAPIC mode, seen through the identity map. */
#pragma once

#include <stdint.h>

#define LAPIC_BASE UINT64_C(0xfee00000)

enum {
	LAPIC_ID = 0x20,
	LAPIC_VERSION = 0x30,
	LAPIC_TPR = 0x80,
	LAPIC_PPR = 0xa0,
	LAPIC_EOI = 0xb0,
	LAPIC_LDR = 0xd0,
	LAPIC_DFR = 0xe0,
	LAPIC_SVR = 0xf0,
	LAPIC_ISR = 0x100,
	LAPIC_TMR = 0x180,
	LAPIC_IRR = 0x200,
	LAPIC_ESR = 0x280,
	LAPIC_ICR = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_THERMAL = 0x330,
	LAPIC_LVT_PERF = 0x340,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
	LAPIC_SELF_IPI = 0x3f0, /* x2APIC only */
};

#define ICR_MODE(icr)       ((icr) >> 8 & 7)
#define ICR_MODE_NMI        4U
#define ICR_MODE_INIT       5U
#define ICR_MODE_SIPI       6U
#define ICR_LOGICAL         (UINT32_C(1) << 11)
#define ICR_ASSERT          (UINT32_C(1) << 14)
#define ICR_LEVEL           (UINT32_C(1) << 15)
#define ICR_SHORTHAND(icr)  ((icr) >> 18 & 3)
#define ICR_SHORTHAND_SELF  1U
#define ICR_SHORTHAND_ALL   2U
#define ICR_SHORTHAND_OTHER 3U

static inline uint32_t lapic_read(unsigned reg)
{
	return *(volatile uint32_t *)(LAPIC_BASE + reg);
}

static inline void lapic_write(unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)(LAPIC_BASE + reg) = value;
}

/* Highest bit of an eight-word register (ISR, IRR), or -1. */
int lapic_highest(unsigned reg);

/* One physical-destination IPI; `command` as in the low ICR word. */
void lapic_send(uint32_t apic_id, uint32_t command);

/* The state after INIT, as far as software can make it. */
void lapic_reset(void);

/* Measures TSC and LAPIC timer against the PIT; the LAPIC timer is restarted as it was. */
void lapic_calibrate(void);

extern uint64_t tsc_hz, lapic_hz;
