/* SPDX-License-Identifier: MIT */
/* CPUID, MSRs and control registers look like those of a TDX host. */
#include "core/x86.h"
#include "tests/emu/l1probe/probe.h"
#include "tests/emu/l1probe/probe_insn.h"
#include "tests/emu/svm_insn.h"

#define MSR_KEYID_PARTITIONING 0x87U
#define MSR_MTRRCAP            0xfeU
#define MSR_VMX_BASIC          0x480U
#define MSR_TME_CAPABILITY     0x981U
#define MSR_TME_ACTIVATE       0x982U
#define MSR_SEAMRR_BASE        0x1400U
#define MSR_SEAMRR_MASK        0x1401U
#define MSR_NOBODY_HAS         0x4fffU

#define PA_BITS 52

static uint32_t cpuid(uint32_t leaf, unsigned reg)
{
	uint32_t r[4];

	insn_cpuid(leaf, 0, r);
	return r[reg];
}

static bool has_vmx(void) { return (cpuid(1, 2) >> 5 & 1) != 0; }
static bool has_x2apic(void) { return (cpuid(1, 2) >> 21 & 1) != 0; }
static bool has_deadline(void) { return (cpuid(1, 2) >> 24 & 1) != 0; }
static bool is_intel(void) { return cpuid(0, 1) == 0x756e6547; }

static bool hides_what_is_below(void)
{
	return (cpuid(1, 2) >> 31 & 1) == 0 && (cpuid(0x80000001, 2) >> 2 & 1) == 0;
}

static bool has_pconfig(void) { return (cpuid(7, 3) >> 18 & 1) != 0; }
static bool has_52_bits(void) { return (cpuid(0x80000008, 0) & 0xff) == PA_BITS; }

static bool tells_tsc(void) { return probe_tsc_per_ms() > 1000; }

static bool feature_control_is_locked(void)
{
	uint64_t wanted = 1 | 1 << 2;

	return (insn_rdmsr(MSR_FEATURE_CONTROL) & wanted) == wanted &&
	       try_wrmsr(MSR_FEATURE_CONTROL, 0) == FAULT_GP;
}

static bool mtrrcap_has_seamrr(void) { return (insn_rdmsr(MSR_MTRRCAP) >> 15 & 1) != 0; }

static bool seamrr_is_on(void)
{
	uint64_t base = insn_rdmsr(MSR_SEAMRR_BASE);
	uint64_t mask = insn_rdmsr(MSR_SEAMRR_MASK);

	return (base >> 3 & 1) != 0 && base >> 25 != 0 && (mask >> 10 & 3) == 3;
}

static bool tme_is_active(void)
{
	return (insn_rdmsr(MSR_TME_CAPABILITY) & 1) != 0 &&
	       (insn_rdmsr(MSR_TME_ACTIVATE) & 3) == 3;
}

static bool keyids_fit(void)
{
	uint64_t partition = insn_rdmsr(MSR_KEYID_PARTITIONING);
	uint64_t bits = insn_rdmsr(MSR_TME_ACTIVATE) >> 32 & 15;
	uint64_t all = (partition & 0xffffffff) + (partition >> 32);

	return partition >> 32 >= 2 && all < UINT64_C(1) << bits;
}

static bool unknown_msr_is_gp(void)
{
	uint64_t value;

	return try_rdmsr(MSR_NOBODY_HAS, &value) == FAULT_GP &&
	       try_wrmsr(MSR_NOBODY_HAS, 0) == FAULT_GP &&
	       try_wrmsr(MSR_VMX_BASIC, 0) == FAULT_GP;
}

static bool cr4_tells_vmxe(void)
{
	uint64_t cr4 = insn_read_cr4() & ~CR4_VMXE;

	insn_write_cr4(cr4 | CR4_VMXE);
	if (insn_read_cr4() != (cr4 | CR4_VMXE))
		return false;
	insn_write_cr4(cr4);
	return insn_read_cr4() == cr4;
}

static bool cr4_refuses_la57(void)
{
	return try_write_cr4(insn_read_cr4() | CR4_LA57) == FAULT_GP;
}

static bool osxsave_follows_cr4(void)
{
	uint64_t cr4 = insn_read_cr4();
	bool off, on;

	insn_write_cr4(cr4 & ~CR4_OSXSAVE);
	off = (cpuid(1, 2) >> 27 & 1) == 0 && try_xsetbv(0, 1) == FAULT_UD;
	insn_write_cr4(cr4 | CR4_OSXSAVE);
	on = (cpuid(1, 2) >> 27 & 1) != 0;
	return off && on;
}

/* Leaves CR4.OSXSAVE and XCR0 = 1 behind. */
static bool xsetbv_works(void)
{
	bool ok = try_xsetbv(0, 3) == DONE && insn_xgetbv(0) == 3 && try_xsetbv(0, 7) == DONE &&
		  insn_xgetbv(0) == 7;

	return ok && try_xsetbv(0, 1) == DONE && insn_xgetbv(0) == 1;
}

static bool xsetbv_refuses(void)
{
	return try_xsetbv(0, 0) == FAULT_GP && try_xsetbv(0, 5) == FAULT_GP &&
	       try_xsetbv(1, 1) == FAULT_GP &&
	       try_xsetbv(0, UINT64_C(1) << 62 | 1) == FAULT_GP && insn_xgetbv(0) == 1;
}

static uint8_t line[64] __attribute__((aligned(64)));
static uint8_t target[128] __attribute__((aligned(64)));

static bool movdir64b_moves_a_line(void)
{
	for (unsigned i = 0; i < sizeof(line); i++)
		line[i] = (uint8_t)(i * 7 + 1);
	if (try_movdir64b((uint64_t)target, line) != DONE)
		return false;
	for (unsigned i = 0; i < sizeof(line); i++) {
		if (target[i] != line[i] || target[64 + i] != 0)
			return false;
	}
	return true;
}

static bool movdir64b_wants_a_line(void)
{
	return try_movdir64b((uint64_t)target + 8, line) == FAULT_GP;
}

static bool movdir64b_faults_as_mov(void)
{
	return try_movdir64b(UNMAPPED, line) == FAULT_PF && insn_read_cr2() == UNMAPPED &&
	       try_movdir64b((uint64_t)target, (const void *)UNMAPPED) == FAULT_PF;
}

const struct probe_test cpu_tests[] = {
	{"the CPU is Intel's", is_intel},
	{"CPUID tells of VMX", has_vmx},
	{"CPUID tells of x2APIC", has_x2apic},
	{"CPUID tells of the TSC-deadline timer", has_deadline},
	{"CPUID tells of PCONFIG", has_pconfig},
	{"CPUID tells neither of a hypervisor nor of SVM", hides_what_is_below},
	{"CPUID tells 52 physical address bits", has_52_bits},
	{"CPUID tells the frequency of the TSC", tells_tsc},
	{"FEATURE_CONTROL has VMX and is locked: writing it is #GP", feature_control_is_locked},
	{"MTRRCAP tells of SEAMRR", mtrrcap_has_seamrr},
	{"SEAMRR is configured, locked and enabled", seamrr_is_on},
	{"TME is there, locked and active", tme_is_active},
	{"the KeyIDs of MSR 0x87 fit into those of TME_ACTIVATE", keyids_fit},
	{"an MSR that does not exist, and a write to a constant one, are #GP",
	 unknown_msr_is_gp},
	{"CR4 reads as written, VMXE included", cr4_tells_vmxe},
	{"CR4 refuses LA57, which is not enumerated", cr4_refuses_la57},
	{"OSXSAVE follows CR4, and XSETBV is #UD without it", osxsave_follows_cr4},
	{"XSETBV sets what XGETBV gets", xsetbv_works},
	{"XSETBV refuses what the SDM forbids", xsetbv_refuses},
	{"MOVDIR64B moves 64 bytes and no more", movdir64b_moves_a_line},
	{"MOVDIR64B to an address that is not a multiple of 64 is #GP", movdir64b_wants_a_line},
	{"MOVDIR64B without a translation is #PF, with CR2", movdir64b_faults_as_mov},
	{NULL, NULL},
};
