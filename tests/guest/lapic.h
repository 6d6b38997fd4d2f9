/* SPDX-License-Identifier: MIT */
/* x2APIC registers as MSRs (SDM vol. 3, 11.12). EOI and SELF_IPI are native in a TD, the rest
 * is TDVMCALLs. */
#pragma once

#include "tests/guest/td.h"

#define X2APIC_ID            0x802
#define X2APIC_VERSION       0x803
#define X2APIC_SPURIOUS      0x80f
#define X2APIC_ICR           0x830
#define X2APIC_LVT_TIMER     0x832
#define X2APIC_TIMER_INITIAL 0x838
#define X2APIC_TIMER_DIVIDE  0x83e
#define X2APIC_SELF_IPI      0x83f
#define MSR_TSC_DEADLINE     0x6e0

#define SPURIOUS_ENABLED 0x1ffU
#define LVT_MASKED       (1U << 16)
#define LVT_TSC_DEADLINE (2U << 17)
#define DIVIDE_BY_1      0xbU
#define ICR_SELF         (1U << 18)
#define ICR_TO(id)       ((uint64_t)(id) << 32)

static inline void lapic_enable(void) { td_wrmsr(X2APIC_SPURIOUS, SPURIOUS_ENABLED); }
