/* SPDX-License-Identifier: MIT */
/* CPUID, RDMSR and WRMSR of a guest. */
#include <string.h>

#include "tests/model/guest.h"

#define CR4_OSXSAVE      (UINT64_C(1) << 18)
#define CR4_PKE          (UINT64_C(1) << 22)
#define LAST_BASIC_LEAF  0x23u
#define LAST_EXT_LEAF    0x80000008u
#define HYPERVISOR_FIRST 0x40000000u
#define HYPERVISOR_LAST  0x4fffffffu

#define IA32_XAPIC_DISABLE_STATUS 0xbd
#define IA32_DEBUGCTL             0x1d9
#define IA32_VMX_BASIC            0x480
#define IA32_XSS                  0xda0
#define IA32_EFER                 0xc0000080
#define VMX_BASIC_VIRTUAL         UINT64_C(0x01c0000000000000)
#define MISC_ENABLE_PERFMON       (UINT64_C(1) << 7)
#define MISC_ENABLE_NO_PEBS       (UINT64_C(1) << 12)
#define PERF_PEBS_TO_PT           (UINT64_C(1) << 16)
#define DEBUGCTL_TR               (UINT64_C(1) << 6)
#define DEBUGCTL_BTS              (UINT64_C(1) << 7)
#define DEBUGCTL_VALID            UINT64_C(0xffc7)
#define DEBUGCTL_UNCORE_PMI       (UINT64_C(1) << 13)
#define EFER_SCE                  UINT64_C(1)
#define EFER_LMA                  (UINT64_C(1) << 10)

/* A leaf above the last one reads as the last basic leaf, as on hardware. */
static uint32_t effective_leaf(uint32_t leaf)
{
	if (leaf >= HYPERVISOR_FIRST && leaf <= HYPERVISOR_LAST)
		return leaf;
	if (leaf > LAST_EXT_LEAF || (leaf > LAST_BASIC_LEAF && leaf < 0x80000000))
		return LAST_BASIC_LEAF;
	return leaf;
}

static bool wants_ve(const struct guest *guest)
{
	const struct vcpu *vcpu = guest->vp->vcpu;

	return guest_cpl(guest) == 0 ? vcpu->cpuid_supervisor_ve : vcpu->cpuid_user_ve;
}

static bool wants_ve_for(const struct guest *guest, int index)
{
	uint8_t control = guest->vp->vcpu->cpuid_control[index];

	return control >> (guest_cpl(guest) == 0 ? 0 : 1) & 1;
}

/* XSAVE area for what is enabled in XCR0 (and, compacted, in IA32_XSS) now. */
static uint32_t current_xsave_size(const struct guest *guest, bool compacted)
{
	const struct tdx_guest_state *s = guest->vp->state;
	unsigned first = (unsigned)cpuid_index(0xd, 2);
	uint64_t features = s->xcr0 | (compacted ? s->xss : 0);
	uint32_t size = 576;

	for (unsigned i = 2; i < XBUFF_FEATURES; i++) {
		const uint32_t *v = guest->call->model->native_cpuid[first + i - 2].reg;

		if (!(features >> i & 1))
			continue;
		if (compacted)
			size = (v[2] & 2 ? (size + 63) & ~UINT32_C(63) : size) + v[0];
		else if (v[0] + v[1] > size)
			size = v[0] + v[1];
	}
	return size;
}

static void patch(const struct guest *guest, const struct cpuid_entry *entry, uint32_t v[4])
{
	const struct tdx_guest_state *s = guest->vp->state;
	bool long_mode = s->segment[TDX_CS].access_rights & 0x2000;

	if (entry->leaf == 0x1) {
		v[1] |= guest->vp->vcpu->index << 24;
		v[2] |= s->cr4 & CR4_OSXSAVE ? UINT32_C(1) << 27 : 0;
	} else if (entry->leaf == 0x7 && entry->subleaf == 0) {
		v[2] |= s->cr4 & CR4_PKE ? UINT32_C(1) << 4 : 0;
	} else if (entry->leaf == 0xd && entry->subleaf < 2) {
		v[1] = current_xsave_size(guest, entry->subleaf == 1);
	} else if (entry->leaf == 0x80000001 && long_mode) {
		v[3] |= UINT32_C(1) << 11;
	}
}

enum guest_result guest_cpuid(struct guest *guest)
{
	uint64_t *gpr = guest->vp->state->gpr;
	uint32_t leaf = effective_leaf((uint32_t)gpr[TDX_RAX]);
	int index = cpuid_index(leaf, (uint32_t)gpr[TDX_RCX]);
	const struct cpuid_values *values = tdcs_page(&guest->vp->td, TDCS_CPUID);
	uint32_t v[4];

	if (index < 0 || cpuid_entry((unsigned)index)->faulting || wants_ve(guest) ||
	    wants_ve_for(guest, index))
		return guest_inject_ve(guest, 0, 0, 0);
	memcpy(v, values[index].reg, sizeof(v));
	patch(guest, cpuid_entry((unsigned)index), v);
	gpr[TDX_RAX] = v[0];
	gpr[TDX_RBX] = v[1];
	gpr[TDX_RCX] = v[2];
	gpr[TDX_RDX] = v[3];
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

/* ---- MSRs ----------------------------------------------------------------- */

static uint64_t module_msr(struct guest *guest, uint32_t msr)
{
	switch (msr) {
	case IA32_XAPIC_DISABLE_STATUS:
		return 1;
	case IA32_ARCH_CAPABILITIES:
		return guest->vp->td.cs->arch_capabilities;
	case IA32_PERF_CAPABILITIES:
		return guest->vp->td.cs->attributes & ATTR_PERFMON
			       ? msr_sampled(guest->call->model, msr) & ~PERF_PEBS_TO_PT
			       : 0;
	case IA32_MISC_ENABLE:
		return (rdmsr(guest->call, msr) & ~MISC_ENABLE_PERFMON) | MISC_ENABLE_NO_PEBS;
	case IA32_DEBUGCTL:
		return guest->vp->state->debugctl & ~DEBUGCTL_UNCORE_PMI;
	case IA32_VMX_BASIC:
		return VMX_BASIC_VIRTUAL;
	default: /* capabilities of features that the TD does not have */
		return 0;
	}
}

static uint64_t *native_msr(struct tdx_guest_state *s, uint32_t msr)
{
	switch (msr) {
	case IA32_XSS:
		return &s->xss;
	case IA32_EFER:
		return &s->efer;
	default:
		return NULL;
	}
}

enum guest_result guest_rdmsr(struct guest *guest)
{
	uint64_t *gpr = guest->vp->state->gpr;
	uint32_t msr = (uint32_t)gpr[TDX_RCX];
	const uint64_t *native;
	uint64_t value;

	switch (msr_rule(guest->call->model, guest->vp->td.cs, msr, false)) {
	case MSR_VE:
		return guest_inject_ve(guest, 0, 0, 0);
	case MSR_GP:
		return guest_inject_gp(guest);
	case MSR_NATIVE:
	case MSR_MODULE:
		break;
	}
	native = native_msr(guest->vp->state, msr);
	value = native ? *native : module_msr(guest, msr);
	gpr[TDX_RAX] = value & UINT32_MAX;
	gpr[TDX_RDX] = value >> 32;
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

static enum guest_result write_efer(struct guest *guest, uint64_t value)
{
	struct tdx_guest_state *s = guest->vp->state;

	if ((value ^ s->efer) & ~(EFER_SCE | EFER_LMA))
		return guest_inject_ve(guest, 0, 0, 0);
	s->efer = (s->efer & ~EFER_SCE) | (value & EFER_SCE);
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

static enum guest_result write_xss(struct guest *guest, uint64_t value)
{
	uint64_t supervisor = guest->vp->td.cs->xfam & UINT64_C(0xd900);

	if (value & ~supervisor)
		return guest_inject_gp(guest);
	guest->vp->state->xss = value;
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

static enum guest_result write_debugctl(struct guest *guest, uint64_t value)
{
	struct tdx_guest_state *s = guest->vp->state;

	if (value & ~DEBUGCTL_VALID)
		return guest_inject_gp(guest);
	if ((value & DEBUGCTL_TR) && !(value & DEBUGCTL_BTS))
		return guest_inject_ve(guest, 0, 0, 0);
	s->debugctl = (value & ~DEBUGCTL_UNCORE_PMI) | (s->debugctl & DEBUGCTL_UNCORE_PMI);
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

enum guest_result guest_wrmsr(struct guest *guest)
{
	const uint64_t *gpr = guest->vp->state->gpr;
	uint32_t msr = (uint32_t)gpr[TDX_RCX];
	uint64_t value = gpr[TDX_RDX] << 32 | (gpr[TDX_RAX] & UINT32_MAX);

	switch (msr_rule(guest->call->model, guest->vp->td.cs, msr, true)) {
	case MSR_VE:
		return guest_inject_ve(guest, 0, 0, 0);
	case MSR_GP:
		return guest_inject_gp(guest);
	case MSR_NATIVE:
	case MSR_MODULE:
		break;
	}
	switch (msr) {
	case IA32_EFER:
		return write_efer(guest, value);
	case IA32_XSS:
		return write_xss(guest, value);
	case IA32_DEBUGCTL:
		return write_debugctl(guest, value);
	default: /* the CPU's own business; an exit for it means that it was dropped */
		guest_skip_instruction(guest);
		return GUEST_RESUME;
	}
}
