/* SPDX-License-Identifier: MIT */
/*
 * L1's MSRs. TCG answers 0 for every MSR that it does not know, so all are
 * intercepted except a short list that it does right by itself.
 */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/pool.h"
#include "tests/emu/svm_insn.h"

enum {
	MSR_TSC = 0x10,
	MSR_PLATFORM_ID = 0x17,
	MSR_APIC_BASE = 0x1b,
	MSR_FEATURE_CONTROL = 0x3a,
	MSR_TSC_ADJUST = 0x3b,
	MSR_SPEC_CTRL = 0x48,
	MSR_PRED_CMD = 0x49,
	MSR_MICROCODE_TRIGGER = 0x79,
	MSR_KEYID_PARTITIONING = 0x87,
	MSR_MICROCODE_REVISION = 0x8b,
	MSR_WBINVDP = 0x98,
	MSR_WBNOINVDP = 0x99,
	MSR_INTR_PENDING = 0x9a,
	MSR_SMM_MONITOR_CTL = 0x9b,
	MSR_MISC_PACKAGE_CTLS = 0xbc,
	MSR_XAPIC_DISABLE_STATUS = 0xbd,
	MSR_PLATFORM_INFO = 0xce,
	MSR_CORE_CAPABILITIES = 0xcf,
	MSR_MTRRCAP = 0xfe,
	MSR_ARCH_CAPABILITIES = 0x10a,
	MSR_TSX_CTRL = 0x122,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_DEBUGCTL = 0x1d9,
	MSR_SMRR_BASE = 0x1f2,
	MSR_SMRR_MASK = 0x1f3,
	MSR_PERF_CAPABILITIES = 0x345,
	MSR_VMX_FIRST = 0x480,
	MSR_VMX_LAST = 0x492,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC_FIRST = 0x800,
	MSR_X2APIC_LAST = 0x8ff,
	MSR_TME_CAPABILITY = 0x981,
	MSR_TME_ACTIVATE = 0x982,
	MSR_XSS = 0xda0,
	MSR_SEAMRR_BASE = 0x1400,
	MSR_SEAMRR_MASK = 0x1401,
};

#define MSR_EFER UINT32_C(0xc0000080)

/* What the module insists on: RDCL_NO, IBRS_ALL, SKIP_L1DFL, MDS_NO, PSCHANGE_MC_NO, TAA_NO,
 * ... */
#define ARCH_CAPABILITIES UINT64_C(0xd6b)

#define MTRRCAP_SMRR      (UINT64_C(1) << 11)
#define MTRRCAP_SMRR_LOCK (UINT64_C(1) << 14)
#define MTRRCAP_SEAMRR    (UINT64_C(1) << 15)

#define SMRR_MASK_LOCKED (UINT64_C(1) << 10) /* and not valid: there is no SMM here */

/* Locked, enabled; KeyID bits, one of which tells TDX's half; AES-XTS-128, also with integrity.
 */
#define TME_ACTIVATE                                                                           \
	(UINT64_C(3) | (uint64_t)EMU_KEYID_BITS << 32 | UINT64_C(1) << 36 | UINT64_C(3) << 48)
#define TME_CAPABILITY (UINT64_C(5) | (uint64_t)EMU_KEYID_BITS << 32 | UINT64_C(63) << 36)

#define PERF_FULL_WIDTH (UINT64_C(1) << 13)

#define FEATURE_LOCKED (UINT64_C(1) << 0)
#define FEATURE_VMX    (UINT64_C(1) << 2)
#define FEATURE_LMCE   (UINT64_C(1) << 20)

#define MISC_ENABLE_RESET                                                                      \
	UINT64_C(0x850089) /* fast strings, perfmon, PEBS and BTS absent, MONITOR, ... */
#define MISC_ENABLE_WRITE UINT64_C(0x440001) /* fast strings, MONITOR, limit CPUID */

/* What Sapphire Rapids reports: IA32_VMX_BASIC .. IA32_VMX_PROCBASED_CTLS3. */
static const uint64_t vmx_capability[MSR_VMX_LAST - MSR_VMX_FIRST + 1] = {
	UINT64_C(0x03da050000000013), UINT64_C(0x000000ff00000016),
	UINT64_C(0xfffbfffe0401e172), UINT64_C(0xf77fffff00036dff),
	UINT64_C(0x0076ffff000011ff), UINT64_C(0x000000007004c1e7),
	UINT64_C(0x0000000080000021), UINT64_C(0x00000000ffffffff),
	UINT64_C(0x0000000000002000), UINT64_C(0x0000000001753fff),
	UINT64_C(0x000000000000003e), UINT64_C(0x82ff7fff00000000),
	UINT64_C(0x00000f0106f341c1), UINT64_C(0x000000ff00000016),
	UINT64_C(0xfffbfffe04006172), UINT64_C(0xf77fffff00036dfb),
	UINT64_C(0x0076ffff000011fb), UINT64_C(0x0000000000000001),
	UINT64_C(0x0000000000000001),
};

/* TCG does these right: the VMCB holds them, or they are plain storage. */
static const struct {
	uint32_t first, last;
} native[] = {
	{0x174, 0x176},                                           /* SYSENTER */
	{0x200, 0x20f},                                           /* variable MTRRs */
	{0x250, 0x250},                                           /* fixed MTRRs */
	{0x258, 0x259},           {0x268, 0x26f}, {0x277, 0x277}, /* PAT */
	{0x2ff, 0x2ff},                                           /* MTRR default type */
	{0xc0000081, 0xc0000084},                                 /* STAR LSTAR CSTAR FMASK */
	{0xc0000100, 0xc0000103}, /* FS, GS, kernel GS, TSC_AUX */
};

/* Two bits (read, write) per MSR in four blocks of 2 KiB. */
static void let_through(uint8_t *map, uint32_t msr)
{
	uint32_t index = msr < 0x2000 ? msr : 0x2000 + (msr & 0x1fff);

	map[index / 4] &= (uint8_t) ~(3U << (index % 4 * 2));
}

void l1_msr_make_bitmap(void)
{
	uint8_t *map = pool_alloc(8192);

	memset(map, 0xff, 8192);
	for (unsigned i = 0; i < sizeof(native) / sizeof(native[0]); i++) {
		for (uint32_t msr = native[i].first; msr <= native[i].last; msr++)
			let_through(map, msr);
	}
	emu.msrpm_l1 = map;
	emu.msrpm_td = pool_alloc(8192);
	memset(emu.msrpm_td, 0xff, 8192);
	let_through(emu.msrpm_td, 0xc0000100);
	let_through(emu.msrpm_td, 0xc0000101);
	let_through(emu.msrpm_td, 0xc0000102);
	emu.iopm_td = pool_alloc(3 * 4096UL);
	memset(emu.iopm_td, 0xff, 3 * 4096UL);
}

void l1_msr_reset(struct lp *lp)
{
	lp->tsc_adjust = 0;
	lp->misc_enable = MISC_ENABLE_RESET;
	lp->xss = 0;
	lp->spec_ctrl = 0;
	lp->debugctl = 0;
	lp->tsx_ctrl = 0;
	l1_apic_reset(lp);
	l1_mc_reset(lp);
}

static uint64_t seamrr_mask(void)
{
	uint64_t mask = ~(emu.platform.seamrr.size - 1) & ((UINT64_C(1) << EMU_PA_BITS) - 1);

	return mask | 1 << 10 | (emu.seamrr_disabled ? 0 : 1 << 11);
}

/* MSRs that always read the same. */
static const struct {
	uint32_t msr;
	uint64_t value;
} constants[] = {
	{MSR_PLATFORM_ID, 0},
	{MSR_FEATURE_CONTROL, FEATURE_LOCKED | FEATURE_VMX | FEATURE_LMCE},
	{MSR_MICROCODE_REVISION, UINT64_C(0x2b000461) << 32},
	{MSR_INTR_PENDING, 0},
	{MSR_SMM_MONITOR_CTL, 0},
	{MSR_MISC_PACKAGE_CTLS, 1},    /* energy filtering on */
	{MSR_XAPIC_DISABLE_STATUS, 1}, /* as the module demands; both modes work all the same */
	{MSR_PLATFORM_INFO, 0},
	{MSR_CORE_CAPABILITIES, 0},
	{MSR_ARCH_CAPABILITIES, ARCH_CAPABILITIES},
	{MSR_SMRR_BASE, 0},
	{MSR_SMRR_MASK, SMRR_MASK_LOCKED},
	{MSR_PERF_CAPABILITIES, PERF_FULL_WIDTH},
	{MSR_TME_CAPABILITY, TME_CAPABILITY},
	{MSR_TME_ACTIVATE, TME_ACTIVATE},
};

static bool read_constant(uint32_t msr, uint64_t *value)
{
	if (msr >= MSR_VMX_FIRST && msr <= MSR_VMX_LAST) {
		*value = vmx_capability[msr - MSR_VMX_FIRST];
		return true;
	}
	for (unsigned i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		if (constants[i].msr == msr) {
			*value = constants[i].value;
			return true;
		}
	}
	return false;
}

/* What belongs to the machine as it was started. */
static bool read_platform(uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_KEYID_PARTITIONING:
		*value = (uint64_t)emu.private_keyids << 32 | EMU_MKTME_KEYIDS;
		return true;
	case MSR_WBINVDP:
	case MSR_WBNOINVDP:
		*value = emu.platform.wbinvd_blocks;
		return true;
	case MSR_MTRRCAP:
		*value = insn_rdmsr(MSR_MTRRCAP) | MTRRCAP_SMRR | MTRRCAP_SMRR_LOCK |
			 MTRRCAP_SEAMRR;
		return true;
	case MSR_SEAMRR_BASE:
		*value = emu.platform.seamrr.base | (emu.seamrr_disabled ? 0 : 1 << 3);
		return true;
	case MSR_SEAMRR_MASK:
		*value = seamrr_mask();
		return true;
	default:
		return false;
	}
}

static bool read_own(struct lp *lp, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_TSC:
		*value = insn_rdtsc();
		return true;
	case MSR_APIC_BASE:
		*value = lp->apic.base;
		return true;
	case MSR_TSC_ADJUST:
		*value = lp->tsc_adjust;
		return true;
	case MSR_SPEC_CTRL:
		*value = lp->spec_ctrl;
		return true;
	case MSR_TSX_CTRL:
		*value = lp->tsx_ctrl;
		return true;
	case MSR_MISC_ENABLE:
		*value = lp->misc_enable;
		return true;
	case MSR_DEBUGCTL:
		*value = lp->debugctl;
		return true;
	case MSR_TSC_DEADLINE:
		*value = l1_deadline_read(lp);
		return true;
	case MSR_XSS:
		*value = lp->xss;
		return true;
	case MSR_EFER:
		*value = lp->l1->efer & ~EFER_SVME;
		return true;
	default:
		return false;
	}
}

bool l1_msr_read(struct lp *lp, uint32_t msr, uint64_t *value)
{
	if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
		return l1_x2apic_read(lp, msr, value);
	return read_constant(msr, value) || read_platform(msr, value) ||
	       read_own(lp, msr, value) || l1_mc_msr_read(lp, msr, value);
}

static bool write_efer(struct lp *lp, uint64_t value)
{
	struct vmcb *v = lp->l1;
	uint64_t changed = (value ^ v->efer) & ~(EFER_LMA | EFER_SVME);

	if ((value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)) != 0)
		return false;
	if ((changed & EFER_LME) != 0 && (v->cr0 & CR0_PG) != 0)
		return false;
	v->efer =
		(v->efer & (EFER_LMA | EFER_SVME)) | (value & (EFER_SCE | EFER_LME | EFER_NXE));
	return true;
}

static bool write_misc_enable(struct lp *lp, uint64_t value)
{
	if (((value ^ lp->misc_enable) & ~MISC_ENABLE_WRITE) != 0)
		return false;
	lp->misc_enable = value;
	return true;
}

static bool store_if(bool ok, uint64_t *where, uint64_t value)
{
	if (ok)
		*where = value;
	return ok;
}

static bool write_listed(struct lp *lp, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_APIC_BASE:
		return l1_apic_base_write(lp, value);
	case MSR_TSC_ADJUST:
		lp->tsc_adjust = value;
		return true;
	case MSR_SPEC_CTRL:
		return store_if(value < 8, &lp->spec_ctrl, value);
	case MSR_PRED_CMD:
	case MSR_MICROCODE_TRIGGER:
	case MSR_MICROCODE_REVISION:
		return true;
	case MSR_WBINVDP:
	case MSR_WBNOINVDP:
		return value < emu.platform.wbinvd_blocks;
	case MSR_TSX_CTRL:
		return store_if(value < 4, &lp->tsx_ctrl, value);
	case MSR_MISC_ENABLE:
		return write_misc_enable(lp, value);
	case MSR_DEBUGCTL:
		return store_if((value & ~UINT64_C(0xffc3)) == 0, &lp->debugctl, value);
	case MSR_TSC_DEADLINE:
		l1_deadline_write(lp, value);
		return true;
	case MSR_XSS:
		return store_if(value == 0, &lp->xss, value);
	case MSR_EFER:
		return write_efer(lp, value);
	default:
		return false;
	}
}

bool l1_msr_write(struct lp *lp, uint32_t msr, uint64_t value)
{
	if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
		return l1_x2apic_write(lp, msr, value);
	return l1_mc_msr_write(lp, msr, value) || write_listed(lp, msr, value);
}

void l1_handle_msr(struct lp *lp)
{
	uint32_t msr = (uint32_t)lp->gpr[TDX_RCX];
	bool is_write = lp->l1->exit_info1 != 0;
	uint64_t value = lp->gpr[TDX_RDX] << 32 | (uint32_t)lp->gpr[TDX_RAX];
	bool ok = is_write ? l1_msr_write(lp, msr, value) : l1_msr_read(lp, msr, &value);

	if (!ok) {
		emu_log("tdxemu: cpu%u L1 %s MSR %#x (%#lx) at %#lx: #GP", lp->index,
			is_write ? "writes" : "reads", msr, is_write ? value : 0, lp->l1->rip);
		l1_raise_error(lp, VECTOR_GP, 0);
		return;
	}
	if (!is_write) {
		lp->gpr[TDX_RAX] = (uint32_t)value;
		lp->gpr[TDX_RDX] = value >> 32;
	}
	l1_advance(lp, 2);
}
