/* SPDX-License-Identifier: MIT */
/* Architectural constants (Intel SDM) that more than one folder needs. */
#pragma once

#include <stdint.h>

#define CR0_WP         (UINT64_C(1) << 16)
#define CR4_OSFXSR     (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_LA57       (UINT64_C(1) << 12)
#define CR4_VMXE       (UINT64_C(1) << 13)
#define CR4_OSXSAVE    (UINT64_C(1) << 18)
#define CR4_SMEP       (UINT64_C(1) << 20)
#define CR4_SMAP       (UINT64_C(1) << 21)
#define CR4_MCE        (UINT64_C(1) << 6)
#define CR4_PGE        (UINT64_C(1) << 7)

#define MSR_APIC_BASE       0x01bU
#define MSR_FEATURE_CONTROL 0x03aU
#define MSR_TSC_ADJUST      0x03bU
#define MSR_MCG_CAP         0x179U
#define MSR_MCG_STATUS      0x17aU
#define MSR_PAT             0x277U
#define MSR_MC_CTL(bank)    (0x400U + 4U * (bank))
#define MSR_MC_STATUS(bank) (0x401U + 4U * (bank))
#define MSR_MC_ADDR(bank)   (0x402U + 4U * (bank))
#define MSR_TSC_DEADLINE    0x6e0U
#define MSR_X2APIC_BASE     0x800U
#define MSR_EFER            0xc0000080U
#define MSR_GS_BASE         0xc0000101U

#define MC_STATUS_VALID (UINT64_C(1) << 63)
#define MC_STATUS_ADDRV (UINT64_C(1) << 58)

#define EFER_NXE (UINT64_C(1) << 11)

#define APIC_BASE_ENABLE (UINT64_C(1) << 11)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_BSP    (UINT64_C(1) << 8)

#define RFLAGS_IF (UINT64_C(1) << 9)

/* Exception vectors. */
enum {
	EXC_NMI = 2,
	EXC_UD = 6,
	EXC_DF = 8,
	EXC_GP = 13,
	EXC_MC = 18,
};
