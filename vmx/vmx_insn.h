/* SPDX-License-Identifier: MIT */
/* The only file with VMX opcodes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/extable.h"

/* False: VMfailInvalid (CF=1), VMfailValid (ZF=1), or the instruction faulted. */
static inline bool vmx_vmxon(uint64_t region)
{
	uint64_t ok = 1;

	/* "above" is neither CF nor ZF; a fault leaves its vector in RAX, never 1. */
	__asm__ volatile("1: vmxon %[region]\n"
			 "seta %%al\n"
			 "movzbl %%al, %%eax\n"
			 "2:\n" EXTABLE("1b", "2b")
			 : "+a"(ok)
			 : [region] "m"(region)
			 : "cc", "memory");
	return ok == 1;
}

static inline void vmx_vmxoff(void) { __asm__ volatile("vmxoff" : : : "cc", "memory"); }

/* INVEPT of type 2: every context. False when it failed. */
static inline bool vmx_invept_global(void)
{
	const struct {
		uint64_t eptp, reserved;
	} descriptor = {0, 0};
	bool ok;

	__asm__ volatile("invept %[descriptor], %[type]"
			 : "=@cca"(ok)
			 : [descriptor] "m"(descriptor), [type] "r"(UINT64_C(2))
			 : "memory");
	return ok;
}
