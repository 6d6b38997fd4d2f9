/* SPDX-License-Identifier: MIT */
/* Bring-up and enumeration: TDH.SYS.INIT, LP.INIT, INFO, RD, RDALL, SHUTDOWN, UPDATE. */
#include <string.h>

#include "tests/model/model.h"

#define MTRRCAP              0xfe
#define MTRRCAP_SMRR         (UINT64_C(1) << 11)
#define MTRRCAP_SMRR_LOCK    (UINT64_C(1) << 14)
#define SMRR_BASE            0x1f2
#define SMRR_MASK            0x1f3
#define SMRR_MASK_LOCK       (UINT64_C(1) << 10)
#define SMRR_MASK_VALID      (UINT64_C(1) << 11)
#define SMRR_ADDRESS         UINT64_C(0xfffff000)
#define KEYID_PARTITIONING   0x87
#define WBINVDP              0x98
#define WBNOINVDP            0x99
#define TME_CAPABILITY       0x981
#define TME_ACTIVATE         0x982
#define TME_ACTIVATE_LOCK    UINT64_C(1)
#define PERF_CAPABILITIES    0x345
#define CORE_CAPABILITIES    0xcf
#define XAPIC_DISABLE_STATUS 0xbd
#define MISC_PACKAGE_CTLS    0xbc
#define RDSEED_TRIES         6

#define TDSYSINFO_SIZE  1024
#define TDSYSINFO_ALIGN 1024
#define CMR_INFO_ALIGN  512

/*
 * What TDH.SYS.INIT samples and TDH.SYS.LP.INIT compares, and the bits on which it depends
 * whether the module starts at all. The VMX masks are deduced: each recorded machine passes
 * them, each recorded refusal (a value of 0) fails them.
 */
struct msr_check {
	uint32_t index;
	uint64_t must_be_one, must_be_zero;
};

static const struct msr_check capability_msrs[] = {
	{CORE_CAPABILITIES, 0, 0},
	{IA32_ARCH_CAPABILITIES, 0xd6b, 0},
	{XAPIC_DISABLE_STATUS, 1, ~UINT64_C(1)},
	{MISC_PACKAGE_CTLS, 1, 0},                 /* energy filtering on */
	{PERF_CAPABILITIES, UINT64_C(1) << 13, 0}, /* full-width counter writes */
	{IA32_TSC_ADJUST, 0, 0},
};

static const struct msr_check vmx_msrs[] = {
	{0x480, UINT64_C(3) << 54, 0},          /* VMX_BASIC: INS/OUTS info, TRUE controls */
	{0x48d, UINT64_C(0xe9) << 32, 0},       /* TRUE_PINBASED: posted interrupts */
	{0x48e, UINT64_C(0xb5186dfa) << 32, 0}, /* TRUE_PROCBASED: secondary and tertiary */
	{0x48b, UINT64_C(1) << 33, 0},          /* PROCBASED2: EPT */
	{0x492, UINT64_C(1), 0},                /* PROCBASED3 */
	{0x48f, UINT64_C(1) << 41, 0},          /* TRUE_EXIT: 64-bit host */
	{0x490, UINT64_C(1) << 47, 0},          /* TRUE_ENTRY: load EFER */
	{0x485, UINT64_C(1) << 5, 0},           /* VMX_MISC */
	{IA32_VMX_EPT_VPID_CAP, UINT64_C(1) << 6, 0}, /* 4-level walk */
	{0x486, 0, 0},
	{0x487, UINT64_C(1) << 31 | 0x21, 0}, /* CR0_FIXED1: PG, NE, PE */
	{0x488, 0, 0},
	{0x489, UINT64_C(1) << 13 | UINT64_C(1) << 6, 0}, /* CR4_FIXED1: VMXE, MCE */
};

static const struct msr_check key_msrs[] = {
	{TME_CAPABILITY, 1, 0}, /* AES-XTS-128 */
	{TME_ACTIVATE, 3, 0},   /* locked, enabled */
	{KEYID_PARTITIONING, 0, 0}, {WBINVDP, 0, 0}, {WBNOINVDP, 0, 0},
};

static const struct msr_check smrr_msrs[] = {
	{MTRRCAP, 0, 0}, {SMRR_BASE, 0, 0}, {SMRR_MASK, 0, 0}};

/* The order in which TDH.SYS.LP.INIT compares: these, CPUID, the others. */
static const uint32_t same_before_cpuid[] = {CORE_CAPABILITIES, IA32_ARCH_CAPABILITIES,
					     MISC_PACKAGE_CTLS, XAPIC_DISABLE_STATUS};
static const uint32_t same_after_cpuid[] = {IA32_TSC_ADJUST,
					    MTRRCAP,
					    SMRR_BASE,
					    SMRR_MASK,
					    0x480,
					    0x48d,
					    0x48e,
					    0x48b,
					    0x492,
					    0x48f,
					    0x490,
					    0x485,
					    IA32_VMX_EPT_VPID_CAP,
					    0x486,
					    0x487,
					    0x488,
					    0x489,
					    PERF_CAPABILITIES,
					    TME_CAPABILITY,
					    TME_ACTIVATE,
					    KEYID_PARTITIONING,
					    WBINVDP,
					    WBNOINVDP};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

_Static_assert(COUNT(capability_msrs) + COUNT(vmx_msrs) + COUNT(key_msrs) + COUNT(smrr_msrs) <=
		       MAX_MSR_SAMPLES,
	       "a sample for every MSR");
_Static_assert(COUNT(same_before_cpuid) + COUNT(same_after_cpuid) ==
		       COUNT(capability_msrs) + COUNT(vmx_msrs) + COUNT(key_msrs) +
			       COUNT(smrr_msrs),
	       "every sample is compared");

/* One RDRAND, which may fail: the host calls again. */
static bool draw_random(struct call *call, uint64_t *value)
{
	const struct tdx_machine *machine = &call->model->machine;

	return machine->rdrand(machine->ctx, call->lp, value);
}

/* Two of the RDSEEDs may fail. */
bool random_256_bits(struct call *call, uint64_t value[4])
{
	const struct tdx_machine *machine = &call->model->machine;
	unsigned drawn = 0;

	for (unsigned i = 0; i < RDSEED_TRIES && drawn < 4; i++)
		drawn += machine->rdseed(machine->ctx, call->lp, &value[drawn]);
	return drawn == 4;
}

uint64_t msr_sampled(const struct tdx_model *model, uint32_t msr)
{
	for (unsigned i = 0; i < model->msr_sample_count; i++)
		if (model->msr_sample[i].index == msr)
			return model->msr_sample[i].value;
	return 0;
}

static uint64_t sample_msrs(struct call *call, const struct msr_check *check, unsigned count)
{
	struct tdx_model *model = call->model;

	for (unsigned i = 0; i < count; i++) {
		uint64_t value = rdmsr(call, check[i].index);

		if ((check[i].must_be_one & ~value) || (check[i].must_be_zero & value))
			return TDX_INCORRECT_MSR_VALUE | check[i].index;
		model->msr_sample[model->msr_sample_count++] =
			(struct msr_sample){check[i].index, value};
	}
	return TDX_SUCCESS;
}

static uint64_t sample_keys(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t partitioning, status;

	if (!(rdmsr(call, TME_ACTIVATE) & TME_ACTIVATE_LOCK))
		return TDX_INCORRECT_MSR_VALUE | TME_ACTIVATE;
	status = sample_msrs(call, key_msrs, COUNT(key_msrs));
	if (status)
		return status;
	partitioning = msr_sampled(model, KEYID_PARTITIONING);
	if ((partitioning & UINT32_MAX) + (partitioning >> 32) >= MAX_KEYIDS)
		return TDX_NUM_ACTIVATED_HKIDS_NOT_SUPPORTED | MAX_KEYIDS;
	if (msr_sampled(model, WBNOINVDP) != msr_sampled(model, WBINVDP))
		return TDX_INCORRECT_MSR_VALUE | WBNOINVDP;
	return TDX_SUCCESS;
}

/* A mask of ones from its lowest bit up to bit 31, and a base aligned to it. */
static bool smrr_is_sane(uint64_t base, uint64_t mask)
{
	uint64_t lowest = mask & -mask;

	return mask != 0 && mask == (SMRR_ADDRESS & ~(lowest - 1)) && (base & ~mask) == 0;
}

static uint64_t check_smrr(struct tdx_model *model)
{
	uint64_t base = msr_sampled(model, SMRR_BASE) & SMRR_ADDRESS;
	uint64_t raw = msr_sampled(model, SMRR_MASK);
	uint64_t mask = raw & SMRR_ADDRESS;
	uint64_t size = mask & -mask;

	if (!(msr_sampled(model, MTRRCAP) & MTRRCAP_SMRR))
		return TDX_SMRR_NOT_SUPPORTED;
	if (!(msr_sampled(model, MTRRCAP) & MTRRCAP_SMRR_LOCK))
		return TDX_SMRR_LOCK_NOT_SUPPORTED;
	if (!(raw & SMRR_MASK_LOCK))
		return TDX_SMRR_NOT_LOCKED;
	if (!(raw & SMRR_MASK_VALID))
		return TDX_SUCCESS;
	if (!smrr_is_sane(base, mask))
		return TDX_INVALID_SMRR_CONFIGURATION;
	for (unsigned i = 0; i < model->platform.cmr_count; i++)
		if (ranges_overlap(base, size, model->platform.cmr[i].base,
				   model->platform.cmr[i].size))
			return TDX_SMRR_OVERLAPS_CMR | i << 8;
	return TDX_SUCCESS;
}

static uint64_t check_cmrs(const struct tdx_platform *p)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < p->cmr_count; i++) {
		if (p->cmr[i].base % PAGE_4K != 0 || p->cmr[i].size % PAGE_4K != 0 ||
		    p->cmr[i].base < end)
			return TDX_CMR_LIST_INVALID;
		end = p->cmr[i].base + p->cmr[i].size;
	}
	return TDX_SUCCESS;
}

static uint64_t sample_platform(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t status;

	model->msr_sample_count = 0;
	status = sample_msrs(call, capability_msrs, COUNT(capability_msrs));
	if (!status && (rdmsr(call, IA32_MISC_ENABLE) & MISC_ENABLE_LIMIT_CPUID))
		status = TDX_LIMIT_CPUID_MAXVAL_SET;
	if (!status)
		status = cpuid_sample(call);
	if (!status)
		status = sample_msrs(call, vmx_msrs, COUNT(vmx_msrs));
	if (!status)
		status = sample_keys(call);
	if (!status)
		status = check_cmrs(&model->platform);
	if (!status)
		status = sample_msrs(call, smrr_msrs, COUNT(smrr_msrs));
	if (!status)
		status = check_smrr(model);
	return status;
}

static uint64_t init_platform(struct call *call, uint64_t attributes)
{
	struct tdx_model *model = call->model;
	uint64_t status;

	if (attributes != 0)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	if (atomic_load(&model->state) != SYS_INIT_PENDING)
		return TDX_SYS_INIT_NOT_PENDING;
	status = sample_platform(call);
	if (!status && !draw_random(call, &model->report_key[0]))
		status = TDX_RND_NO_ENTROPY;
	for (unsigned i = 1; i < COUNT(model->report_key); i++)
		model->report_key[i] = model->report_key[0] + i;
	return status;
}

uint64_t tdh_sys_init(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t attributes = call->gpr[TDX_RCX];
	uint64_t status;

	call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = 0;
	call->gpr[TDX_R8] = call->gpr[TDX_R9] = call->gpr[TDX_R10] = 0;
	if (!take_lock(model, &model->global_lock, LOCK_EXCLUSIVE))
		return TDX_SYS_BUSY;
	status = init_platform(call, attributes);
	if (!status)
		atomic_store(&model->state, SYS_INIT_DONE);
	lock_release(&model->global_lock, LOCK_EXCLUSIVE);
	return status;
}

static uint64_t compare_msrs(struct call *call, const uint32_t *msr, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (rdmsr(call, msr[i]) != msr_sampled(call->model, msr[i]))
			return TDX_INCONSISTENT_MSR | msr[i];
	return TDX_SUCCESS;
}

static uint64_t init_lp(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t seed; /* of the single-step defence; its low half must not be 0 */
	uint64_t status;

	if (atomic_load(&model->state) != SYS_INIT_DONE)
		return TDX_SYS_LP_INIT_NOT_PENDING;
	if (model->lp[call->lp].init_done)
		return TDX_SYS_LP_INIT_DONE;
	if (!draw_random(call, &seed) || (uint32_t)seed == 0)
		return TDX_RND_NO_ENTROPY;
	model->lp[call->lp].lfsr = (uint32_t)seed;
	status = compare_msrs(call, same_before_cpuid, COUNT(same_before_cpuid));
	if (!status && (rdmsr(call, IA32_MISC_ENABLE) & MISC_ENABLE_LIMIT_CPUID))
		status = TDX_LIMIT_CPUID_MAXVAL_SET;
	if (!status)
		status = cpuid_check_lp(call);
	if (!status)
		status = compare_msrs(call, same_after_cpuid, COUNT(same_after_cpuid));
	if (status)
		return status;
	model->lp[call->lp].init_done = true;
	atomic_fetch_add(&model->lps_initialised, 1);
	return TDX_SUCCESS;
}

uint64_t tdh_sys_lp_init(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t status;

	call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = call->gpr[TDX_R8] = 0;
	if (!take_lock(model, &model->global_lock, LOCK_SHARED))
		return TDX_SYS_BUSY;
	status = init_lp(call);
	lock_release(&model->global_lock, LOCK_SHARED);
	return status;
}

static void put16(uint8_t *page, unsigned at, uint16_t value) { memcpy(page + at, &value, 2); }
static void put32(uint8_t *page, unsigned at, uint32_t value) { memcpy(page + at, &value, 4); }
static void put64(uint8_t *page, unsigned at, uint64_t value) { memcpy(page + at, &value, 8); }

static void fill_sysinfo(const struct tdx_model *model, uint8_t *info)
{
	put32(info, 4, 0x8086);
	put32(info, 8, model->platform.build_date);
	put16(info, 14, 5);
	put16(info, 16, 1);
	info[18] = 1; /* TDH.SYS.RD exists */
	put16(info, 32, MAX_TDMRS);
	put16(info, 34, MAX_RESERVED);
	put16(info, 36, sizeof(struct pamt_entry));
	put16(info, 48, TDCX_MIN * PAGE_4K);
	put16(info, 52, TDVPS_PAGES_MIN * PAGE_4K);
	put64(info, 64, model->attributes_fixed0);
	put64(info, 80, model->xfam_fixed0);
	put64(info, 88, XFAM_FIXED1);
	put32(info, 128, CPUID_CONFIGS);
	for (unsigned i = 0; i < CPUID_CONFIGS; i++) {
		unsigned at = 132 + 24 * i;

		put32(info, at, cpuid_config(i)->leaf);
		put32(info, at + 4, cpuid_config(i)->subleaf);
		for (unsigned reg = 0; reg < 4; reg++)
			put32(info, at + 8 + 4 * reg, cpuid_config_reported(model, i, reg));
	}
}

uint64_t tdh_sys_info(struct call *call)
{
	const struct tdx_platform *p = &call->model->platform;
	uint64_t info_pa = call->gpr[TDX_RCX], info_size = call->gpr[TDX_RDX];
	uint64_t cmr_pa = call->gpr[TDX_R8], cmr_count = call->gpr[TDX_R9];
	uint64_t status;
	uint8_t *cmrs;

	call->gpr[TDX_RDX] = call->gpr[TDX_R9] = 0;
	if (!call->model->lp[call->lp].init_done)
		return TDX_SYS_LP_INIT_NOT_DONE;
	status = check_shared_hpa(call, info_pa, TDSYSINFO_ALIGN, OPERAND_RCX);
	if (status)
		return status;
	if (info_size < TDSYSINFO_SIZE)
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	memset(host_page_at(call->model, info_pa), 0,
	       TDSYSINFO_SIZE); /* even if R8 or R9 is wrong */
	status = check_shared_hpa(call, cmr_pa, CMR_INFO_ALIGN, OPERAND_R8);
	if (status)
		return status;
	if (cmr_count < TDX_MODEL_MAX_CMRS)
		return TDX_OPERAND_INVALID | OPERAND_R9;
	fill_sysinfo(call->model, host_page_at(call->model, info_pa));
	cmrs = host_page_at(call->model, cmr_pa);
	for (unsigned i = 0; i < TDX_MODEL_MAX_CMRS; i++) {
		put64(cmrs, 16 * i, i < p->cmr_count ? p->cmr[i].base : 0);
		put64(cmrs, 16 * i + 8, i < p->cmr_count ? p->cmr[i].size : 0);
	}
	call->gpr[TDX_RDX] = TDSYSINFO_SIZE;
	call->gpr[TDX_R9] = TDX_MODEL_MAX_CMRS;
	return TDX_SUCCESS;
}

uint64_t tdh_sys_rd(struct call *call)
{
	struct md_query query = {.call = call, .context = MD_SYSTEM, .access = MD_HOST};
	uint64_t id = call->gpr[TDX_RDX];

	call->gpr[TDX_RDX] = NULL_ID;
	call->gpr[TDX_R8] = 0;
	if (!call->model->lp[call->lp].init_done)
		return TDX_SYS_LP_INIT_NOT_DONE;
	return md_read(&query, id, true, &call->gpr[TDX_R8], &call->gpr[TDX_RDX]);
}

uint64_t tdh_sys_rdall(struct call *call)
{
	uint64_t page_pa = call->gpr[TDX_RDX], id = call->gpr[TDX_R8];
	uint64_t status;

	call->gpr[TDX_R8] = NULL_ID;
	if (!call->model->lp[call->lp].init_done)
		return TDX_SYS_LP_INIT_NOT_DONE;
	status = check_shared_hpa(call, page_pa, PAGE_4K, OPERAND_RDX);
	if (status)
		return status;
	return md_dump_system(call, MD_HOST, id, host_page_at(call->model, page_pa),
			      &call->gpr[TDX_R8]);
}

static bool others_inside(const struct call *call)
{
	for (unsigned lp = 0; lp < call->model->platform.lp_count; lp++)
		if (lp != call->lp && atomic_load(&call->model->lp[lp].depth) != 0)
			return true;
	return false;
}

/* The hand-off version of this module is 0, and so is the oldest that it serves. */
uint64_t tdh_sys_shutdown(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t status = TDX_SUCCESS;

	if (call->gpr[TDX_RCX] != 0)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	if (!take_lock(model, &model->global_lock, LOCK_EXCLUSIVE))
		return TDX_SYS_BUSY;
	if (others_inside(call))
		status = TDX_SYS_BUSY;
	else
		atomic_store(&model->state, SYS_SHUT_DOWN);
	lock_release(&model->global_lock, LOCK_EXCLUSIVE);
	return status;
}

/* There is never hand-off data of an earlier module to take over. */
uint64_t tdh_sys_update(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t status = TDX_SYS_INVALID_HANDOFF;

	if (!take_lock(model, &model->global_lock, LOCK_EXCLUSIVE))
		return TDX_SYS_BUSY;
	if (atomic_load(&model->state) != SYS_INIT_DONE ||
	    atomic_load(&model->lps_initialised) != model->platform.lp_count)
		status = TDX_SYS_STATE_INCORRECT;
	lock_release(&model->global_lock, LOCK_EXCLUSIVE);
	return status;
}
