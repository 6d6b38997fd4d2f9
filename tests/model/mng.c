/* SPDX-License-Identifier: MIT */
/* TDH.MNG: birth, configuration, keys and death of a TD. */
#include <string.h>

#include "tests/model/model.h"

#define TD_PARAMS_ALIGN    1024
#define MAX_VCPUS_PER_TD   UINT16_MAX
#define TSC_FREQUENCY_MIN  4
#define TSC_FREQUENCY_MAX  400
#define TSC_FREQUENCY_UNIT 25000000
#define HP_LOCK_TIMEOUT    1000000 /* microseconds */
#define EPTP_WB            6
#define EPTP_WALK_4        (3u << 3)
#define EPTP_WALK_5        (4u << 3)

uint64_t tdh_mng_create(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t tdr_pa = call->gpr[TDX_RCX], keyid = call->gpr[TDX_RDX];
	struct page_lock page;
	uint64_t uuid[4];
	struct tdr *tdr;
	uint64_t status;

	if (keyid > UINT16_MAX || !keyid_is_private(model, keyid))
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	status = page_lock_4k(call, tdr_pa, OPERAND_RCX, LOCK_EXCLUSIVE, PT_NDA, &page);
	if (status)
		return status;
	if (!take_lock(model, &model->kot_lock, LOCK_EXCLUSIVE)) {
		pamt_unlock(&page);
		return TDX_OPERAND_BUSY | OPERAND_KOT;
	}
	if (model->keyid[keyid].state != KEYID_FREE)
		status = TDX_HKID_NOT_FREE;
	else if (!random_256_bits(call, uuid))
		status = TDX_RND_NO_ENTROPY;
	if (!status) {
		page_owner_changed(model, tdr_pa, PAGE_4K, true);
		tdr = page_at(model, tdr_pa);
		memset(tdr, 0, PAGE_4K);
		memcpy(tdr->uuid, uuid, sizeof(uuid));
		tdr->keyid = (unsigned)keyid;
		model->keyid[keyid].state = KEYID_ASSIGNED;
		pamt_set(&page, PT_TDR, 0);
	}
	drop_lock(model, &model->kot_lock, LOCK_EXCLUSIVE);
	pamt_unlock(&page);
	return status;
}

static uint64_t key_config(struct call *call, struct tdr *tdr)
{
	struct tdx_model *model = call->model;
	uint32_t package = UINT32_C(1) << model->lp[call->lp].package;

	if (atomic_load(&tdr->fatal))
		return TDX_TD_FATAL;
	if (tdr->lifecycle != TD_HKID_ASSIGNED)
		return TDX_LIFECYCLE_STATE_INCORRECT;
	if (tdr->packages_configured & package)
		return TDX_KEY_CONFIGURED;
	switch (model->machine.pconfig(model->machine.ctx, call->lp, tdr->keyid)) {
	case 0:
		break;
	case 2:
		return TDX_KEY_GENERATION_FAILED;
	default:
		return TDX_OPERAND_BUSY | OPERAND_KET;
	}
	tdr->packages_configured |= package;
	if (tdr->packages_configured == atomic_load(&model->packages_configured))
		tdr->lifecycle = TD_KEYS_CONFIGURED;
	return TDX_SUCCESS;
}

uint64_t tdh_mng_key_config(struct call *call)
{
	struct td td;
	uint64_t status = td_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_EXCLUSIVE, &td);

	if (status)
		return status;
	status = key_config(call, td.tdr);
	td_unlock(&td);
	return status;
}

static uint64_t addcx(struct call *call, struct td *td)
{
	uint64_t page_pa = call->gpr[TDX_RCX];
	uint64_t migration_key[4];
	struct page_lock page;
	uint64_t status;

	if (atomic_load(&td->tdr->fatal))
		return TDX_TD_FATAL;
	if (td->tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_TD_KEYS_NOT_CONFIGURED;
	if (td->tdr->tdcx_count == TDCX_MAX)
		return TDX_TDCX_NUM_INCORRECT;
	status = page_lock_4k(call, page_pa, OPERAND_RCX, LOCK_EXCLUSIVE, PT_NDA, &page);
	if (status)
		return status;
	if (td->cs && atomic_load(&td->cs->op_state) != OP_UNINITIALIZED)
		status = TDX_OP_STATE_INCORRECT;
	else if (td->tdr->tdcx_count == TDCX_MIN - 1 && !random_256_bits(call, migration_key))
		status = TDX_RND_NO_ENTROPY; /* the key is drawn with the last page needed */
	if (!status) {
		page_owner_changed(call->model, page_pa, PAGE_4K, true);
		memset(page_at(call->model, page_pa), 0, PAGE_4K);
		td->tdr->tdcx_pa[td->tdr->tdcx_count++] = page_pa;
		td_add_children(td, 1);
		pamt_set(&page, PT_TDCX, td->tdr_pa);
	}
	pamt_unlock(&page);
	return status;
}

uint64_t tdh_mng_addcx(struct call *call)
{
	struct td td;
	uint64_t status = td_lock(call, call->gpr[TDX_RDX], OPERAND_RDX, LOCK_EXCLUSIVE, &td);

	if (status)
		return status;
	status = addcx(call, &td);
	td_unlock(&td);
	return status;
}

/* ---- TDH.MNG.INIT --------------------------------------------------------- */

/* TD_PARAMS as the host writes it. */
struct td_params {
	uint64_t attributes, xfam;
	uint16_t max_vcpus;
	uint8_t l2_vm_count, msr_config_ctls;
	uint8_t reserved_0[4];
	uint64_t eptp_controls, config_flags;
	uint16_t tsc_frequency;
	uint8_t reserved_1[38];
	uint8_t mrconfigid[48], mrowner[48], mrownerconfig[48];
	uint64_t arch_capabilities;
	uint8_t reserved_2[24];
	uint8_t cpuid_config[16 * CPUID_CONFIGS];
	uint8_t reserved_3[1024 - 256 - 16 * CPUID_CONFIGS];
};

_Static_assert(sizeof(struct td_params) == 1024, "TD_PARAMS");

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static bool all_or_none(uint64_t xfam, uint64_t bits)
{
	return (xfam & bits) == 0 || (xfam & bits) == bits;
}

bool xfam_is_valid(const struct tdx_model *model, uint64_t xfam)
{
	if ((xfam & ~model->xfam_fixed0) || (xfam & XFAM_FIXED1) != XFAM_FIXED1)
		return false;
	if ((xfam & 0xe0) && !(xfam & 0x4)) /* AVX-512 needs AVX */
		return false;
	return all_or_none(xfam, 0xe0) && all_or_none(xfam, 0x1800) &&
	       all_or_none(xfam, 0x60000);
}

/* PERFMON exposes the host's counters, so such a TD cannot migrate. */
static bool attributes_are_valid(const struct tdx_model *model, uint64_t attributes)
{
	if (attributes & ~model->attributes_fixed0)
		return false;
	return !(attributes & ATTR_MIGRATABLE) || !(attributes & (ATTR_PERFMON | ATTR_DEBUG));
}

static bool set_eptp(struct td *td, const struct td_params *p)
{
	uint64_t walk = p->eptp_controls & ~UINT64_C(7);
	bool has_5_levels = msr_sampled(td->model, IA32_VMX_EPT_VPID_CAP) & EPT_CAP_WALK_5;

	if ((p->eptp_controls & 7) != EPTP_WB)
		return false;
	if (walk != EPTP_WALK_4 && (walk != EPTP_WALK_5 || !has_5_levels))
		return false;
	if ((p->config_flags & CONFIG_GPAW) && walk != EPTP_WALK_5)
		return false;
	td->cs->eptp = p->eptp_controls | td->tdr->tdcx_pa[TDCS_SEPT_ROOT];
	return true;
}

/* virtual / native as a 16.48 fixed-point number. */
static uint64_t tsc_ratio(uint64_t virtual_hz, uint64_t native_hz)
{
	uint64_t ratio = virtual_hz / native_hz, rest = virtual_hz % native_hz;

	for (unsigned i = 0; i < 48; i++) {
		rest *= 2;
		ratio = ratio * 2 + (rest >= native_hz);
		rest -= rest >= native_hz ? native_hz : 0;
	}
	return ratio;
}

/* The virtual TSC starts at 0 now. */
static void set_tsc(struct call *call, struct tdcs *cs)
{
	uint64_t now = call->model->machine.rdtsc(call->model->machine.ctx, call->lp);
	uint64_t ratio = tsc_ratio((uint64_t)cs->tsc_frequency * TSC_FREQUENCY_UNIT,
				   call->model->tsc_hz);
	uint64_t high = (now >> 32) * ratio, low = (now & UINT32_MAX) * (ratio & UINT32_MAX);

	cs->tsc_multiplier = ratio;
	cs->tsc_offset =
		-((high >> 16) + (((now & UINT32_MAX) * (ratio >> 32)) >> 16) + (low >> 48));
}

static uint64_t set_execution(struct call *call, struct td *td, const struct td_params *p)
{
	struct tdx_model *model = call->model;
	struct tdcs *cs = td->cs;

	if (!attributes_are_valid(model, p->attributes))
		return TDX_OPERAND_INVALID | OPERAND_ATTRIBUTES;
	cs->attributes = p->attributes;
	cs->td_ctls = p->attributes & ATTR_SEPT_VE_DISABLE ? TD_CTLS_PENDING_VE_DISABLE : 0;
	if (!xfam_is_valid(model, p->xfam))
		return TDX_OPERAND_INVALID | OPERAND_XFAM;
	cs->xfam = p->xfam;
	if (p->max_vcpus == 0)
		return TDX_OPERAND_INVALID | OPERAND_MAX_VCPUS;
	cs->max_vcpus = p->max_vcpus;
	if (p->l2_vm_count > MAX_L2_VMS)
		return TDX_OPERAND_INVALID | OPERAND_NUM_L2_VMS;
	if (td->tdr->tdcx_count < (uint32_t)TDCX_MIN + p->l2_vm_count)
		return TDX_TDCS_NOT_ALLOCATED;
	cs->l2_vm_count = p->l2_vm_count;
	if (!is_zero(p->reserved_0, sizeof(p->reserved_0)))
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	if (p->config_flags & ~CONFIG_FLAGS_FIXED0)
		return TDX_OPERAND_INVALID | OPERAND_EXEC_CONTROLS;
	if (!set_eptp(td, p))
		return TDX_OPERAND_INVALID | OPERAND_EPTP_CONTROLS;
	cs->config_flags = p->config_flags;
	cs->gpaw = p->config_flags & CONFIG_GPAW ? 1 : 0;
	if (p->tsc_frequency < TSC_FREQUENCY_MIN || p->tsc_frequency > TSC_FREQUENCY_MAX)
		return TDX_OPERAND_INVALID | OPERAND_TSC_FREQUENCY;
	cs->tsc_frequency = p->tsc_frequency;
	if (rdmsr(call, IA32_TSC_ADJUST) != msr_sampled(model, IA32_TSC_ADJUST))
		return TDX_INCONSISTENT_MSR | IA32_TSC_ADJUST;
	set_tsc(call, cs);
	return TDX_SUCCESS;
}

static uint64_t set_identity(struct td *td, const struct td_params *p)
{
	if (!is_zero(p->reserved_1, sizeof(p->reserved_1)))
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	memcpy(td->cs->mrconfigid, p->mrconfigid, sizeof(p->mrconfigid));
	memcpy(td->cs->mrowner, p->mrowner, sizeof(p->mrowner));
	memcpy(td->cs->mrownerconfig, p->mrownerconfig, sizeof(p->mrownerconfig));
	if ((p->msr_config_ctls & ~1) || !is_zero(p->reserved_2, sizeof(p->reserved_2)))
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	return TDX_SUCCESS;
}

/*
 * What a TD may rely on: the CPU's bits but for those that tell of the platform. Of the
 * configurable ones RRSBA can be added, the others are there only if host and CPU say so.
 */
static uint64_t set_arch_capabilities(struct call *call, struct tdcs *cs,
				      const struct td_params *p)
{
	uint64_t native = msr_sampled(call->model, IA32_ARCH_CAPABILITIES);
	uint64_t chosen = p->arch_capabilities;

	if (chosen & ~(p->msr_config_ctls & 1 ? ARCH_CAP_CONFIG_MASK : 0))
		return TDX_OPERAND_INVALID | OPERAND_IA32_ARCH_CAPABILITIES_CONFIG;
	cs->arch_capabilities = native & (ARCH_CAP_NATIVE | ARCH_CAP_RRSBA | chosen);
	cs->arch_capabilities |= chosen & ARCH_CAP_RRSBA;
	if (cs->tsx)
		cs->arch_capabilities |= native & ARCH_CAP_TSX_CTRL;
	return TDX_SUCCESS;
}

static uint64_t init_td(struct call *call, struct td *td)
{
	uint64_t params_pa = call->gpr[TDX_RDX];
	struct td_params params;
	struct tdcs *cs = td->cs;
	uint64_t status = td_check(td, TDH_MNG_INIT, LOCK_NONE);

	if (!status)
		status = check_shared_hpa(call, params_pa, TD_PARAMS_ALIGN, OPERAND_RDX);
	if (status)
		return status;
	params_pa &= (UINT64_C(1) << keyid_shift(call->model)) - 1;
	memcpy(&params, page_at(call->model, params_pa), sizeof(params));
	atomic_store(&cs->epoch, 1);
	cs->hp_lock_timeout = HP_LOCK_TIMEOUT;
	status = set_execution(call, td, &params);
	if (!status)
		status = set_identity(td, &params);
	if (!status)
		status = cpuid_configure_td(call, td, (const uint8_t *)&params);
	if (!status && !is_zero(params.reserved_3, sizeof(params.reserved_3)))
		status = TDX_OPERAND_INVALID | OPERAND_RDX;
	if (!status)
		status = set_arch_capabilities(call, cs, &params);
	if (!status && (cs->attributes & ATTR_MIGRATABLE) && cs->l2_vm_count > 0)
		status = TDX_OPERAND_INVALID | OPERAND_RDX;
	if (status)
		return status;
	sha384_init(&cs->mrtd_context);
	memset(cs->rtmr, 0, sizeof(cs->rtmr));
	atomic_store(&cs->op_state, OP_INITIALIZED);
	return TDX_SUCCESS;
}

uint64_t tdh_mng_init(struct call *call)
{
	struct td td;
	uint64_t tdr_pa = call->gpr[TDX_RCX];
	uint64_t status;

	call->gpr[TDX_RCX] = 0;
	if (rdmsr(call, IA32_MISC_ENABLE) & MISC_ENABLE_LIMIT_CPUID)
		return TDX_LIMIT_CPUID_MAXVAL_SET;
	status = td_lock(call, tdr_pa, OPERAND_RCX, LOCK_EXCLUSIVE, &td);
	if (status)
		return status;
	status = init_td(call, &td);
	td_unlock(&td);
	return status;
}

/* ---- metadata ------------------------------------------------------------- */

static struct md_query td_query(struct call *call, struct td *td)
{
	return (struct md_query){.call = call,
				 .context = MD_TD,
				 .access = td_is_debug(td) ? MD_HOST_DEBUG : MD_HOST,
				 .td = td};
}

uint64_t tdh_mng_rd(struct call *call)
{
	uint64_t id = call->gpr[TDX_RDX], next = NULL_ID;
	struct md_query query;
	struct td td;
	uint64_t status;

	call->gpr[TDX_R8] = 0;
	if (call->version > 0)
		call->gpr[TDX_RDX] = NULL_ID;
	if (call->version > 1)
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	status = td_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_SHARED, &td);
	if (status)
		return status;
	status = td_check(&td, TDH_MNG_RD, LOCK_SHARED);
	if (!status) {
		query = td_query(call, &td);
		status = md_read(&query, id, call->version > 0, &call->gpr[TDX_R8], &next);
		if (call->version > 0)
			call->gpr[TDX_RDX] = next;
	}
	td_unlock(&td);
	return status;
}

uint64_t tdh_mng_wr(struct call *call)
{
	uint64_t value = call->gpr[TDX_R8];
	struct md_query query;
	struct td td;
	uint64_t status;

	call->gpr[TDX_R8] = 0;
	status = td_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_SHARED, &td);
	if (status)
		return status;
	status = td_check(&td, TDH_MNG_WR, LOCK_SHARED);
	if (!status) {
		query = td_query(call, &td);
		status = md_write(&query, call->gpr[TDX_RDX], value, call->gpr[TDX_R9],
				  &call->gpr[TDX_R8]);
	}
	td_unlock(&td);
	return status;
}

/* ---- teardown ------------------------------------------------------------- */

static uint64_t vpflushdone(struct call *call, struct td *td)
{
	struct tdx_model *model = call->model;
	struct keyid *keyid = &model->keyid[td->tdr->keyid];

	uint64_t status = TDX_SUCCESS;

	if (!take_lock(model, &model->kot_lock, LOCK_EXCLUSIVE))
		return TDX_OPERAND_BUSY | OPERAND_KOT;
	if (td->tdr->lifecycle != TD_HKID_ASSIGNED &&
	    td->tdr->lifecycle != TD_KEYS_CONFIGURED) {
		status = TDX_LIFECYCLE_STATE_INCORRECT;
	} else if (td->tdr->tdcx_count >= TDCX_MIN &&
		   atomic_load(&td->cs->associated_count) != 0) {
		status = TDX_FLUSHVP_NOT_DONE;
	} else {
		keyid->state = KEYID_FLUSHED;
		atomic_store(&keyid->packages_to_flush,
			     atomic_load(&model->packages_configured));
		td->tdr->lifecycle = TD_BLOCKED;
	}
	drop_lock(model, &model->kot_lock, LOCK_EXCLUSIVE);
	return status;
}

uint64_t tdh_mng_vpflushdone(struct call *call)
{
	struct td td;
	uint64_t status = td_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_EXCLUSIVE, &td);

	if (status)
		return status;
	status = vpflushdone(call, &td);
	td_unlock(&td);
	return status;
}

static uint64_t free_keyid(struct call *call, struct td *td)
{
	struct tdx_model *model = call->model;
	struct keyid *keyid = &model->keyid[td->tdr->keyid];
	uint64_t status = TDX_SUCCESS;

	if (td->tdr->lifecycle != TD_BLOCKED)
		return TDX_LIFECYCLE_STATE_INCORRECT;
	if (!take_lock(model, &model->kot_lock, LOCK_EXCLUSIVE))
		return TDX_OPERAND_BUSY | OPERAND_KOT;
	if (atomic_load(&keyid->packages_to_flush) != 0) {
		status = TDX_WBCACHE_NOT_COMPLETE;
	} else {
		keyid->state = KEYID_FREE;
		td->tdr->lifecycle = TD_TEARDOWN;
	}
	drop_lock(model, &model->kot_lock, LOCK_EXCLUSIVE);
	return status;
}

uint64_t tdh_mng_key_freeid(struct call *call)
{
	struct td td;
	uint64_t status = td_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_EXCLUSIVE, &td);

	if (status)
		return status;
	status = free_keyid(call, &td);
	td_unlock(&td);
	return status;
}
