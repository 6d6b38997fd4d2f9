/* SPDX-License-Identifier: MIT */
/* CPUID and MSRs of the hosted machine: what a TDX module accepts as a platform. */
#pragma once

#include <stdint.h>

#define PLATFORM_KEYID_BITS    6
#define PLATFORM_SHARED_KEYIDS 31

/* Fills the fake MSRs. */
void platform_set_msrs(unsigned private_keyids);

/* Fills the fake CPUID that the hypervisor sees, from platform_cpuid(). */
void platform_set_cpuid(void);

/* What CPU `lp` of `package` answers. */
void platform_cpuid(unsigned package, unsigned lp, uint32_t leaf, uint32_t subleaf,
		    uint32_t regs[4]);
