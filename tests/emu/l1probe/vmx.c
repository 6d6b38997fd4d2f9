/* SPDX-License-Identifier: MIT */
/* VMX instructions: when they are #UD, how they succeed, how they fail. */
#include "core/x86.h"
#include "tests/emu/l1probe/ap.h"
#include "tests/emu/l1probe/probe.h"
#include "tests/emu/l1probe/probe_insn.h"
#include "tests/emu/l1probe/seam.h"
#include "tests/emu/svm_insn.h"

#define MSR_VMX_BASIC    0x480U
#define EPTP             UINT64_C(0x1e)
#define INVEPT_ONE       1
#define INVEPT_ALL       2
#define REVISION_INVALID UINT32_C(0x7fffff00)

static uint32_t region[1024] __attribute__((aligned(4096)));
static uint32_t ap_region[1024] __attribute__((aligned(4096)));
static uint32_t vmcs[1024] __attribute__((aligned(4096)));

static uint32_t revision(void) { return (uint32_t)insn_rdmsr(MSR_VMX_BASIC) & 0x7fffffff; }

static bool all_undefined(void)
{
	uint64_t pa = 0;

	return try_vmxoff() == FAULT_UD && try_vmptrld((uint64_t)vmcs) == FAULT_UD &&
	       try_vmptrst(&pa) == FAULT_UD && try_vmclear((uint64_t)vmcs) == FAULT_UD &&
	       try_vmlaunch() == FAULT_UD && try_invept(INVEPT_ALL, 0, 0) == FAULT_UD;
}

static bool undefined_before_vmxe(void)
{
	region[0] = revision();
	vmcs[0] = revision();
	return all_undefined() && try_vmxon((uint64_t)region) == FAULT_UD;
}

static bool undefined_before_vmxon(void)
{
	insn_write_cr4(insn_read_cr4() | CR4_VMXE);
	return all_undefined();
}

static bool seamcall_undefined_before_vmxon(void)
{
	struct seam_call call = {.rax = SEAM_LEAF_UNKNOWN};

	return seamcall(&call) == FAULT_UD && call.rax == SEAM_LEAF_UNKNOWN;
}

static bool vmxon_refuses(void)
{
	bool ok = try_vmxon((uint64_t)region + 8) == FAIL_INVALID &&
		  try_vmxon(UINT64_C(1) << 47) == FAIL_INVALID;

	region[0] = REVISION_INVALID;
	ok = ok && try_vmxon((uint64_t)region) == FAIL_INVALID;
	region[0] = revision();
	return ok;
}

static bool vmxon_works(void) { return try_vmxon((uint64_t)region) == DONE; }

static bool vmxe_stays(void)
{
	return try_write_cr4(insn_read_cr4() & ~CR4_VMXE) == FAULT_GP &&
	       (insn_read_cr4() & CR4_VMXE) != 0;
}

static bool no_vmcs_is_current(void)
{
	uint64_t pa = 0;

	return try_vmptrst(&pa) == DONE && pa == UINT64_MAX;
}

static bool fails_without_vmcs(void)
{
	return try_vmxon((uint64_t)region) == FAIL_INVALID && try_vmlaunch() == FAIL_INVALID &&
	       try_invept(0, 0, 0) == FAIL_INVALID &&
	       try_vmptrld((uint64_t)region) == FAIL_INVALID &&
	       try_vmptrld((uint64_t)vmcs + 1) == FAIL_INVALID;
}

static bool vmptrld_works(void)
{
	uint64_t pa = 0;

	return try_vmclear((uint64_t)vmcs) == DONE && try_vmptrld((uint64_t)vmcs) == DONE &&
	       try_vmptrst(&pa) == DONE && pa == (uint64_t)vmcs;
}

static bool vmptrst_faults_as_mov(void)
{
	return try_vmptrst((uint64_t *)UNMAPPED) == FAULT_PF && insn_read_cr2() == UNMAPPED;
}

static bool fails_with_vmcs(void)
{
	bool ok = try_vmxon((uint64_t)region) == FAIL_VALID &&
		  try_vmptrld((uint64_t)region) == FAIL_VALID &&
		  try_vmclear((uint64_t)region) == FAIL_VALID &&
		  try_invept(3, 0, 0) == FAIL_VALID &&
		  try_invept(INVEPT_ALL, 0, 1) == FAIL_VALID && try_vmlaunch() == FAIL_VALID;

	vmcs[0] = REVISION_INVALID;
	ok = ok && try_vmptrld((uint64_t)vmcs) == FAIL_VALID;
	vmcs[0] = revision();
	return ok;
}

static bool invept_works(void)
{
	return try_invept(INVEPT_ALL, 0, 0) == DONE && try_invept(INVEPT_ONE, EPTP, 0) == DONE;
}

static bool vmclear_forgets(void)
{
	return try_vmclear((uint64_t)vmcs) == DONE && no_vmcs_is_current();
}

static bool vmxoff_works(void) { return try_vmxoff() == DONE && all_undefined(); }

static bool vmxon_works_again(void)
{
	insn_write_cr4(insn_read_cr4() & ~CR4_VMXE);
	if (try_vmxon((uint64_t)region) != FAULT_UD)
		return false;
	insn_write_cr4(insn_read_cr4() | CR4_VMXE);
	return try_vmxon((uint64_t)region) == DONE;
}

static volatile bool ap_flag;

/* The faults of an AP are not caught: it does only what works. */
static void ap_vmxon(void)
{
	ap_region[0] = revision();
	insn_write_cr4(insn_read_cr4() | CR4_VMXE);
	ap_flag = vmxon_or_die((uint64_t)ap_region);
}

static bool vmxon_on_ap(void) { return ap_run(ap_vmxon) && ap_flag; }

const struct probe_test vmx_tests[] = {
	{"without CR4.VMXE all VMX instructions are #UD", undefined_before_vmxe},
	{"with CR4.VMXE all but VMXON are #UD outside VMX operation", undefined_before_vmxon},
	{"SEAMCALL outside VMX operation is #UD and changes nothing",
	 seamcall_undefined_before_vmxon},
	{"VMXON fails with CF for a bad address or revision", vmxon_refuses},
	{"VMXON succeeds and clears the arithmetic flags", vmxon_works},
	{"CR4.VMXE cannot be cleared in VMX operation: #GP", vmxe_stays},
	{"no VMCS is current after VMXON", no_vmcs_is_current},
	{"without a current VMCS failures are VMfailInvalid", fails_without_vmcs},
	{"VMPTRLD makes a VMCS current, and VMPTRST tells it", vmptrld_works},
	{"VMPTRST without a translation is #PF, with CR2", vmptrst_faults_as_mov},
	{"with a current VMCS failures are VMfailValid", fails_with_vmcs},
	{"INVEPT of one and of all contexts succeeds", invept_works},
	{"VMCLEAR of the current VMCS leaves none", vmclear_forgets},
	{"VMXOFF succeeds, and everything is #UD again", vmxoff_works},
	{"VMXON needs CR4.VMXE again, and succeeds with it", vmxon_works_again},
	{"VMXON succeeds on the second CPU", vmxon_on_ap},
	{"a CPU in VMX operation does not take INIT", ap_ignores_init},
	{NULL, NULL},
};
