/* SPDX-License-Identifier: MIT */
#include "vmx/vmx.h"

#include <stdbool.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/panic.h"
#include "core/string.h"
#include "core/x86.h"
#include "mm/phys.h"
#include "vmx/ept.h"
#include "vmx/vmx_insn.h"

#define CPUID_1_ECX_VMX   (1U << 5)
#define VMX_REVISION_MASK UINT64_C(0x7fffffff)

/* Each CPU reads and writes its own. */
static bool is_on[MAX_CPUS];

static enum status feature_control_enable(void)
{
	const uint64_t needed = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_NO_SMX;
	uint64_t value;
	enum status s = hw_rdmsr_safe(MSR_FEATURE_CONTROL, &value);

	if (s)
		return s;
	if (!(value & FEATURE_CONTROL_LOCK))
		return hw_wrmsr_safe(MSR_FEATURE_CONTROL, value | needed);
	return value & FEATURE_CONTROL_VMX_NO_SMX ? STATUS_OK : STATUS_UNSUPPORTED;
}

enum status vmx_on_this_cpu(hpa_t region)
{
	uint64_t basic;
	enum status s;

	if (is_on[this_cpu()])
		return STATUS_OK;
	if (!(hw_cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
		return STATUS_UNSUPPORTED;
	s = feature_control_enable();
	if (s)
		return s;
	s = hw_rdmsr_safe(MSR_VMX_BASIC, &basic);
	if (s)
		return s;
	memset(phys_ptr(region), 0, PAGE_SIZE);
	*(uint32_t *)phys_ptr(region) = (uint32_t)(basic & VMX_REVISION_MASK);
	hw_write_cr4(hw_read_cr4() | CR4_VMXE);
	if (!vmx_vmxon(region.raw)) {
		hw_write_cr4(hw_read_cr4() & ~CR4_VMXE);
		return STATUS_HW_FAULT;
	}
	is_on[this_cpu()] = true;
	return STATUS_OK;
}

void vmx_off_this_cpu(void)
{
	if (!is_on[this_cpu()])
		return;
	vmx_vmxoff();
	hw_write_cr4(hw_read_cr4() & ~CR4_VMXE);
	is_on[this_cpu()] = false;
}

/* All contexts are named by no operand that could be wrong: a failure is a broken CPU. */
void vmx_invept_all(void) { CHECK(vmx_invept_global()); }
