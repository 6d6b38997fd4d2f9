/* SPDX-License-Identifier: MIT */
/* #VE as the module decides it, and the TDVMCALLs that answer it. */
#include <stddef.h>

#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "tests/guest/probe.h"
#include "tests/guest/probe_insn.h"
#include "tests/guest/tap.h"
#include "tests/guest/td.h"
#include "tests/guest/trap.h"

/* VMX exit reasons, which are TDVMCALL functions too. */
#define REASON_CPUID 10
#define REASON_HLT   12
#define REASON_IO    30
#define REASON_RDMSR 31
#define REASON_WRMSR 32
#define REASON_MMIO  48

#define MSR_APIC_BASE    0x1b
#define MSR_SMM_MONITOR  0x9b /* #GP in every TD */
#define MSR_NOBODYS      0xdead
#define MSR_INSN_LENGTH  2
#define TEST_PORT        0x80
#define CPUID_HYPERVISOR 0x40000000U

#define IO_SIZE_4    3U
#define IO_DIRECTION (1U << 3) /* in */
#define IO_PORT(p)   ((uint64_t)(p) << 16)

/* Exactly one #VE since `before`, with this reason and instruction length. */
static bool one_ve(unsigned before, uint32_t reason, uint32_t length)
{
	return tap_equal("#VE count", trap_ve_count - before, 1) &&
	       tap_equal("reason", trap_ve.reason, reason) &&
	       tap_equal("instruction length", trap_ve.length, length);
}

static bool ve_on_cpuid(void)
{
	unsigned before = trap_ve_count;
	uint32_t r[4];

	cpuid(CPUID_HYPERVISOR, 0, r);
	return one_ve(before, REASON_CPUID, 2);
}

static bool no_ve_on_native_cpuid(void)
{
	unsigned before = trap_ve_count;
	uint32_t r[4];

	cpuid(0, 0, r);
	cpuid(1, 0, r);
	return tap_equal("#VE count", trap_ve_count - before, 0) &&
	       tap_equal("hypervisor bit", r[2] >> 31, 1) &&
	       tap_equal("x2APIC", r[2] >> 21 & 1, 1);
}

static bool ve_on_in(void)
{
	unsigned before = trap_ve_count;

	(void)inb(TEST_PORT);
	return one_ve(before, REASON_IO, 1) && tap_equal("qualification", trap_ve.qualification,
							 IO_PORT(TEST_PORT) | IO_DIRECTION);
}

static bool ve_on_out(void)
{
	unsigned before = trap_ve_count;

	outl(TEST_PORT, 0);
	return one_ve(before, REASON_IO, 1) && tap_equal("qualification", trap_ve.qualification,
							 IO_PORT(TEST_PORT) | IO_SIZE_4);
}

static bool ve_on_msr(void)
{
	unsigned before = trap_ve_count;
	bool ok;

	(void)rdmsr(MSR_APIC_BASE);
	ok = one_ve(before, REASON_RDMSR, MSR_INSN_LENGTH);
	wrmsr(MSR_APIC_BASE, 0);
	return one_ve(before + 1, REASON_WRMSR, MSR_INSN_LENGTH) && ok;
}

static bool gp_on_forbidden_msr(void)
{
	unsigned ve_before = trap_ve_count;
	unsigned before = trap_gp_count;

	trap_skip = MSR_INSN_LENGTH;
	(void)rdmsr(MSR_SMM_MONITOR);
	trap_skip = 0;
	return tap_equal("#GP count", trap_gp_count - before, 1) &&
	       tap_equal("#VE count", trap_ve_count - ve_before, 0);
}

static bool ve_on_hlt(void)
{
	unsigned before = trap_ve_count;

	hlt();
	return one_ve(before, REASON_HLT, 1);
}

static bool ve_on_mmio(void)
{
	unsigned before = trap_ve_count;

	trap_skip = READ_MMIO_LENGTH;
	(void)read_mmio(SHARED_VIEW + TD_PCI_ECAM_BASE);
	trap_skip = 0;
	return tap_equal("#VE count", trap_ve_count - before, 1) &&
	       tap_equal("reason", trap_ve.reason, REASON_MMIO) &&
	       tap_equal("GPA", trap_ve.gpa, TD_SHARED_BIT | TD_PCI_ECAM_BASE) &&
	       tap_equal("linear address", trap_ve.linear, SHARED_VIEW + TD_PCI_ECAM_BASE);
}

static bool no_ve_info_left(void)
{
	struct tdcall_regs regs = {.rax = TDG_VP_VEINFO_GET};

	tdcall(&regs);
	return tap_equal("status", tdcall_code(regs.rax), TDCALL_NO_VALID_VE_INFO);
}

static bool vmcall_cpuid(void)
{
	struct vmcall_result r = td_vmcall(REASON_CPUID, CPUID_HYPERVISOR, 0, 0, 0);

	return tap_equal("status", r.status, TDVMCALL_SUCCESS) &&
	       tap_equal("EBX", r.r13, 0x4b4d564b) && tap_equal("ECX", r.r14, 0x564b4d56) &&
	       tap_equal("EDX", r.r15, 0x4d);
}

static bool vmcall_msr(void)
{
	struct vmcall_result r = td_vmcall(REASON_RDMSR, MSR_APIC_BASE, 0, 0, 0);
	struct vmcall_result unknown = td_vmcall(REASON_RDMSR, MSR_NOBODYS, 0, 0, 0);

	return tap_equal("status", r.status, TDVMCALL_SUCCESS) &&
	       tap_equal("APIC_BASE", r.r11, 0xfee00d00) &&
	       tap_equal("status of an unknown MSR", unknown.status, TDVMCALL_INVALID_OPERAND);
}

static bool vmcall_mmio(void)
{
	struct vmcall_result r =
		td_vmcall(REASON_MMIO, 4, 0, TD_SHARED_BIT | TD_PCI_ECAM_BASE, 0);

	tap_value("PCI 00:00.0 is", r.r11);
	return tap_equal("status", r.status, TDVMCALL_SUCCESS) && (uint32_t)r.r11 != UINT32_MAX;
}

static bool vmcall_io_truncates(void)
{
	/* A port nobody answers: all ones, of the size asked for and no wider. */
	return tap_equal("byte", td_vmcall(REASON_IO, 1, 0, TEST_PORT + 5, 0).r11, 0xff) &&
	       tap_equal("word", td_vmcall(REASON_IO, 2, 0, TEST_PORT + 5, 0).r11, 0xffff);
}

static bool vmcall_unknown(void)
{
	return tap_equal("status", td_vmcall(0x1ffff, 0, 0, 0, 0).status,
			 TDVMCALL_SUBFUNC_UNSUPPORTED);
}

static bool vmcall_info(void)
{
	struct vmcall_result r = td_vmcall(TDVMCALL_GET_TD_VM_CALL_INFO, 0, 0, 0, 0);

	return tap_equal("status", r.status, TDVMCALL_SUCCESS) && tap_equal("R11", r.r11, 0) &&
	       tap_equal("R12", r.r12, 0);
}

const struct probe_test ve_tests[] = {
	{"CPUID 0x40000000 gives #VE", ve_on_cpuid},
	{"CPUID 0 and 1 are answered without #VE", no_ve_on_native_cpuid},
	{"IN gives #VE with its port and size", ve_on_in},
	{"OUT gives #VE with its port and size", ve_on_out},
	{"RDMSR and WRMSR of APIC_BASE give #VE", ve_on_msr},
	{"RDMSR of SMM_MONITOR_CTL gives #GP", gp_on_forbidden_msr},
	{"HLT gives #VE", ve_on_hlt},
	{"a read of shared MMIO gives #VE with its addresses", ve_on_mmio},
	{"VE_INFO can be read once", no_ve_info_left},
	{"TDVMCALL CPUID 0x40000000 says KVMKVMKVM", vmcall_cpuid},
	{"TDVMCALL RDMSR answers APIC_BASE and refuses the unknown", vmcall_msr},
	{"TDVMCALL MMIO reads the PCI host bridge", vmcall_mmio},
	{"TDVMCALL IO of an absent port reads all ones of its size", vmcall_io_truncates},
	{"an unknown TDVMCALL is not supported", vmcall_unknown},
	{"GetTdVmCallInfo succeeds", vmcall_info},
	{NULL, NULL},
};
