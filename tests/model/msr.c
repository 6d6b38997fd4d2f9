/* SPDX-License-Identifier: MIT */
/* Which MSR accesses of a TD the CPU does itself, and what becomes of the others. */
#include "tests/model/model.h"

#define PERF_METRICS_AVAILABLE (UINT64_C(1) << 15)

enum condition {
	NATIVE,
	MODULE,
	VE,
	GP,
	PERFMON_OR_GP, /* native with the feature */
	PERFMON_OR_MODULE,
	PERFMON_PT_OR_MODULE,
	PERF_METRICS,
	WAITPKG,
	TSX,
	XFD,
	XFAM_PT,
	XFAM_CET,
	XFAM_UINTR,
	XFAM_LBR,
	PKS,
	DCA, /* #VE with the feature, #GP without */
	TME,
	MKTME,
	TSC_DEADLINE,
};

struct msr_range {
	uint32_t first, last;
	uint8_t read, write; /* enum condition */
};

/* Any MSR that is not in here gives #VE. */
/* clang-format off */
static const struct msr_range ranges[] = {
	{0x10, 0x10, NATIVE, VE},
	{0x48, 0x49, NATIVE, NATIVE},
	{0x87, 0x87, MKTME, MKTME},
	{0x8c, 0x8f, GP, GP},
	{0x98, 0x9b, GP, GP},
	{0x9e, 0x9e, GP, GP},
	{0xbc, 0xbc, NATIVE, VE},
	{0xbd, 0xbd, MODULE, NATIVE},
	{0xc1, 0xc8, PERFMON_OR_GP, PERFMON_OR_GP},
	{0xe1, 0xe1, WAITPKG, WAITPKG},
	{0x10a, 0x10a, MODULE, NATIVE},
	{0x10b, 0x10b, NATIVE, NATIVE},
	{0x122, 0x122, TSX, TSX},
	{0x174, 0x176, NATIVE, NATIVE},
	{0x186, 0x18d, PERFMON_OR_GP, PERFMON_OR_GP},
	{0x195, 0x195, GP, GP},
	{0x1a0, 0x1a0, PERFMON_OR_MODULE, VE},
	{0x1a6, 0x1a7, PERFMON_OR_GP, PERFMON_OR_GP},
	{0x1c4, 0x1c5, XFD, XFD},
	{0x1d9, 0x1d9, MODULE, MODULE},
	{0x1f8, 0x1fa, DCA, DCA},
	{0x276, 0x276, GP, GP},
	{0x277, 0x277, NATIVE, NATIVE},
	{0x309, 0x310, PERFMON_OR_GP, PERFMON_OR_GP},
	{0x329, 0x329, PERF_METRICS, PERF_METRICS},
	{0x345, 0x345, PERFMON_PT_OR_MODULE, PERFMON_OR_GP},
	{0x38d, 0x392, PERFMON_OR_GP, PERFMON_OR_GP},
	{0x3f1, 0x3f2, PERFMON_OR_GP, PERFMON_OR_GP},
	{0x3f6, 0x3f7, PERFMON_OR_GP, PERFMON_OR_GP},
	{0x480, 0x480, MODULE, GP},
	{0x481, 0x484, VE, GP},
	{0x485, 0x489, MODULE, GP},
	{0x48a, 0x48a, VE, GP},
	{0x48b, 0x492, MODULE, GP},
	{0x4c1, 0x4c8, PERFMON_OR_GP, PERFMON_OR_GP},
	{0x500, 0x500, GP, GP},
	{0x560, 0x561, XFAM_PT, XFAM_PT},
	{0x570, 0x572, XFAM_PT, XFAM_PT},
	{0x580, 0x587, XFAM_PT, XFAM_PT},
	{0x600, 0x600, NATIVE, NATIVE},
	{0x6a0, 0x6a0, XFAM_CET, XFAM_CET},
	{0x6a2, 0x6a2, XFAM_CET, XFAM_CET},
	{0x6a4, 0x6a8, XFAM_CET, XFAM_CET},
	{0x6e0, 0x6e0, TSC_DEADLINE, TSC_DEADLINE},
	{0x6e1, 0x6e1, PKS, PKS},
	{0x800, 0x801, GP, GP},
	{0x804, 0x807, GP, GP},
	{0x808, 0x80c, NATIVE, NATIVE},
	{0x80e, 0x80e, NATIVE, NATIVE},
	{0x810, 0x827, NATIVE, NATIVE},
	{0x829, 0x82e, GP, GP},
	{0x831, 0x831, GP, GP},
	{0x83f, 0x83f, NATIVE, NATIVE},
	{0x840, 0x8ff, GP, GP},
	{0x981, 0x984, TME, TME},
	{0x985, 0x98a, XFAM_UINTR, XFAM_UINTR},
	{0xc80, 0xc80, NATIVE, VE},
	{0xd90, 0xd90, GP, GP},
	{0xd93, 0xd93, GP, GP},
	{0xda0, 0xda0, NATIVE, MODULE},
	{0x1200, 0x12ff, XFAM_LBR, XFAM_LBR},
	{0x14ce, 0x14cf, XFAM_LBR, XFAM_LBR},
	{0x1500, 0x16ff, XFAM_LBR, XFAM_LBR},
	{0x1b01, 0x1b01, NATIVE, NATIVE},
	{0xc0000080, 0xc0000080, NATIVE, MODULE},
	{0xc0000081, 0xc0000082, NATIVE, NATIVE},
	{0xc0000084, 0xc0000084, NATIVE, NATIVE},
	{0xc0000100, 0xc0000103, NATIVE, NATIVE},
};
/* clang-format on */

static enum msr_rule native_or(bool native, enum msr_rule otherwise)
{
	return native ? MSR_NATIVE : otherwise;
}

static enum msr_rule resolve(const struct tdx_model *model, const struct tdcs *cs,
			     enum condition condition)
{
	bool perfmon = cs->attributes & ATTR_PERFMON;
	bool metrics = msr_sampled(model, IA32_PERF_CAPABILITIES) & PERF_METRICS_AVAILABLE;

	switch (condition) {
	case NATIVE:
		return MSR_NATIVE;
	case MODULE:
		return MSR_MODULE;
	case VE:
		return MSR_VE;
	case GP:
		return MSR_GP;
	case PERFMON_OR_GP:
		return native_or(perfmon, MSR_GP);
	case PERFMON_OR_MODULE:
		return native_or(perfmon, MSR_MODULE);
	case PERFMON_PT_OR_MODULE:
		return native_or(perfmon && (cs->xfam & 0x100), MSR_MODULE);
	case PERF_METRICS:
		return native_or(perfmon && metrics, MSR_GP);
	case WAITPKG:
		return native_or(cs->waitpkg, MSR_GP);
	case TSX:
		return native_or(cs->tsx, MSR_GP);
	case XFD:
		return native_or(cs->xfd, MSR_GP);
	case XFAM_PT:
		return native_or(cs->xfam & 0x100, MSR_GP);
	case XFAM_CET:
		return native_or((cs->xfam & 0x1800) == 0x1800, MSR_GP);
	case XFAM_UINTR:
		return native_or(cs->xfam & 0x4000, MSR_GP);
	case XFAM_LBR:
		return native_or(cs->xfam & 0x8000, MSR_GP);
	case PKS:
		return native_or(cs->attributes & ATTR_PKS, MSR_GP);
	case DCA:
		return cs->dca ? MSR_VE : MSR_GP;
	case TME:
		return cs->tme ? MSR_VE : MSR_GP;
	case MKTME:
		return cs->mktme ? MSR_VE : MSR_GP;
	case TSC_DEADLINE:
		break;
	}
	return cs->tsc_deadline ? MSR_VE : MSR_GP;
}

enum msr_rule msr_rule(const struct tdx_model *model, const struct tdcs *cs, uint32_t msr,
		       bool is_write)
{
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (msr >= ranges[i].first && msr <= ranges[i].last)
			return resolve(
				model, cs,
				(enum condition)(is_write ? ranges[i].write : ranges[i].read));
	return MSR_VE;
}

bool tdx_model_msr_is_native(struct tdx_model *model, const struct tdx_vcpu_view *vcpu,
			     uint32_t msr, bool is_write)
{
	const struct tdcs *cs = tdcs_of(model, page_at(model, vcpu->tdr_hpa));

	return msr_rule(model, cs, msr, is_write) == MSR_NATIVE;
}
