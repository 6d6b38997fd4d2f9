/* SPDX-License-Identifier: MIT */
/* Where the value of each metadata field comes from. */
#include <string.h>

#include "tests/model/metadata.h"

#define IA32_VMX_PROCBASED_CTLS2 0x48b
#define CTLS2_PML                (UINT64_C(1) << 17)
#define DEBUGCTL_UNCORE_PMI      (UINT64_C(1) << 13)

static uint64_t load64(const void *bytes, uint32_t index)
{
	uint64_t value;

	memcpy(&value, (const uint8_t *)bytes + (size_t)8 * index, sizeof(value));
	return value;
}

/* ---- system --------------------------------------------------------------- */

static uint64_t cpuid_config_leaf(uint32_t index)
{
	if (index >= CPUID_CONFIGS)
		return NULL_ID;
	return (uint64_t)cpuid_config(index)->subleaf << 32 | cpuid_config(index)->leaf;
}

/* Unlike TDH.SYS.INFO this shows only what is configurable on any CPU. */
static uint64_t cpuid_config_value(uint32_t offset)
{
	const uint32_t *direct;

	if (offset / 2 >= CPUID_CONFIGS)
		return 0;
	direct = cpuid_config(offset / 2)->direct + (size_t)2 * (offset & 1);
	return (uint64_t)direct[1] << 32 | direct[0];
}

static uint64_t cmr(const struct tdx_platform *p, uint32_t index, bool size)
{
	if (index >= p->cmr_count)
		return 0;
	return size ? p->cmr[index].size : p->cmr[index].base;
}

/* NOLINTNEXTLINE(readability-function-size): one case for each field */
static uint64_t system_value(const struct tdx_model *model, uint64_t id, uint32_t i)
{
	const struct tdx_platform *p = &model->platform;

	switch (id) {
	case 0x0000000200000000: /* NUM_PKGS */
		return p->package_count;
	case 0x0000000200000001: /* PKG_FMS */
		return i < p->package_count ? model->platform_fms : 0;
	case 0x0800000200000000: /* VENDOR_ID */
		return 0x8086;
	case 0x8800000200000001: /* BUILD_DATE */
		return p->build_date;
	case 0x0800000100000003: /* MINOR_VERSION */
		return 5;
	case 0x0800000100000004: /* MAJOR_VERSION */
	case 0x0800000100000005: /* UPDATE_VERSION */
	case 0x0a00000000000001: /* NUM_TDX_FEATURES */
		return 1;
	case 0x8900000100000003: /* NUM_HANDOFF_PAGES */
		return 13;
	case 0x0a00000300000008: /* TDX_FEATURES0 */
		return TDX_FEATURES0;
	case 0x9000000100000000: /* NUM_CMRS */
		return TDX_MODEL_MAX_CMRS;
	case 0x9000000300000080:
		return cmr(p, i, false);
	case 0x9000000300000100:
		return cmr(p, i, true);
	case 0x9100000100000008:
		return MAX_TDMRS;
	case 0x9100000100000009:
	case 0x9100000100000010: /* PAMT entry sizes */
	case 0x9100000100000011:
	case 0x9100000100000012:
		return 16;
	case 0x9800000100000000: /* TDR_BASE_SIZE */
	case 0x9800000100000101: /* TDCS_SIZE_PER_L2_VM */
		return PAGE_4K;
	case 0x9800000100000100:
		return TDCX_MIN * PAGE_4K;
	case 0x9800000100000200:
		return TDVPS_PAGES_MIN * PAGE_4K;
	case 0x9800000100000201: /* TDVPS_SIZE_PER_L2_VM */
		return 3 * PAGE_4K;
	case 0x1900000300000000:
		return model->attributes_fixed0;
	case 0x1900000300000002:
		return model->xfam_fixed0;
	case 0x1900000300000003:
		return XFAM_FIXED1;
	case 0x9900000100000004:
		return CPUID_CONFIGS;
	case 0x9900000300000006:
		return CONFIG_FLAGS_FIXED0;
	case 0x9900000300000400:
		return cpuid_config_leaf(i);
	case 0x9900000300000500:
		return cpuid_config_value(i);
	case 0x9900000300000600:
		return ARCH_CAP_CONFIG_MASK;
	case 0x9900000100000800: /* NUM_ALLOWED_FMS */
		return 1;
	case 0x9900000300000810: /* ALLOWED_FMS */
		return i == 0 ? model->platform_fms : 0;
	case 0xa000000100000010: /* MAX_MIGS */
		return 512;
	case 0xa000000000000020: /* pages of migrated state */
		return 3;
	case 0xa000000000000021:
		return 2;
	case 0xa000000000000022:
		return 5;
	case 0xa100000100000000: /* MAX_SERV_TDS */
		return 1;
	case 0xa100000300000001: /* SERVTD_ATTR_FIXED0 */
		return 0x7ff00000001;
	case 0xa200000100000000: /* GUEST_L2_GPA_ATTR_MASK */
		return 0x807f;
	case 0xa200000300000001: /* VM_CTLS_FIXED0 */
		return 1;
	case 0xa200000300000003: /* VCPU_L2_CTLS_FIXED0 */
		return 3;
	case 0xa200000300000005: /* VCPU_L2_DEBUG_CTLS_FIXED0 */
		return 7;
	default:
		return 0;
	}
}

/* ---- TD ------------------------------------------------------------------- */

static uint64_t tdcx_pa(const struct td *td, uint32_t i)
{
	if (i >= td->tdr->tdcx_count)
		return 0;
	return with_keyid(td->model, td->tdr->tdcx_pa[i], td->tdr->keyid);
}

static bool cpuid_value(struct td *td, uint32_t offset, uint64_t *value)
{
	const struct cpuid_values *values = tdcs_page(td, TDCS_CPUID);
	const uint32_t *reg = values[offset / 2].reg + (size_t)2 * (offset & 1);

	*value = (uint64_t)reg[1] << 32 | reg[0];
	return !cpuid_entry(offset / 2)->faulting;
}

static uint64_t sept_root_entry(struct td *td, uint32_t i)
{
	return load64(tdcs_page(td, TDCS_SEPT_ROOT), i);
}

/* NOLINTNEXTLINE(readability-function-size): one case for each field */
static bool td_value(struct td *td, uint64_t id, uint32_t i, uint64_t *value)
{
	const struct tdr *tdr = td->tdr;
	struct tdcs *cs = td->cs;

	*value = 0;
	switch (id) {
	case 0x8010000000000001:
		*value = atomic_load(&tdr->fatal);
		break;
	case 0x8010000200000002:
		*value = tdr->tdcx_count;
		break;
	case 0x8010000300000004:
		*value = atomic_load(&tdr->child_count);
		break;
	case 0x8010000200000005:
		*value = tdr->lifecycle;
		break;
	case 0x8010000300000010:
		*value = tdcx_pa(td, i);
		break;
	case 0x8010000300000020:
		*value = tdr->uuid[i];
		break;
	case 0x8110000100000001:
		*value = tdr->keyid;
		break;
	case 0x8110000300000002:
		*value = tdr->packages_configured;
		break;
	case 0x8210000300000001: /* SEAMDB_INDEX */
		*value = 1;
		break;
	case 0x9010000200000001:
		*value = atomic_load(&cs->vcpu_count);
		break;
	case 0x9010000200000002:
		*value = atomic_load(&cs->associated_count);
		break;
	case 0x9010000200000004:
		*value = atomic_load(&cs->op_state);
		break;
	case 0x9010000100000005:
		*value = cs->l2_vm_count;
		break;
	case 0x1110000300000000:
		*value = cs->attributes;
		break;
	case 0x1110000300000001:
		*value = cs->xfam;
		break;
	case 0x1110000200000002:
		*value = cs->max_vcpus;
		break;
	case 0x1110000000000003:
		*value = cs->gpaw;
		break;
	case 0x1110000300000004:
		*value = cs->eptp;
		break;
	case 0x111000030000000a:
		*value = cs->tsc_offset;
		break;
	case 0x111000030000000b:
		*value = cs->tsc_multiplier;
		break;
	case 0x111000010000000c:
		*value = cs->tsc_frequency;
		break;
	case 0x911000010000000e: /* NUM_CPUID_VALUES */
		*value = CPUID_ENTRIES;
		break;
	case 0x911000020000000f:
		*value = cs->xbuff_size;
		break;
	case 0x9110000300000010:
		*value = cs->notify_enables;
		break;
	case 0x9110000300000011:
		*value = cs->hp_lock_timeout;
		break;
	case 0x9110000300000012:
		*value = cs->vm_ctls[i];
		break;
	case 0x1110000300000016:
		*value = cs->config_flags;
		break;
	case 0x1110000300000017:
		*value = cs->td_ctls;
		break;
	case 0x9110000000000080: /* CPUID_VALID */
		*value = i < CPUID_ENTRIES && !cpuid_entry(i)->faulting;
		break;
	case 0x9110000200000800:
		*value = cs->xbuff_offset[i];
		break;
	case 0x9210000300000000:
		*value = atomic_load(&cs->epoch);
		break;
	case 0x9210000100000001:
		*value = atomic_load(&cs->refcount[i]);
		break;
	case 0x1310000300000000:
		*value = load64(cs->mrtd, i);
		break;
	case 0x1310000300000010:
		*value = load64(cs->mrconfigid, i);
		break;
	case 0x1310000300000018:
		*value = load64(cs->mrowner, i);
		break;
	case 0x1310000300000020:
		*value = load64(cs->mrownerconfig, i);
		break;
	case 0x1310000300000040:
		*value = load64(cs->rtmr, i);
		break;
	case 0x9410000300000000:
		return cpuid_value(td, i, value);
	case 0x961000030000010a:
		*value = cs->arch_capabilities;
		break;
	case 0x2110000300000000:
		*value = sept_root_entry(td, i);
		break;
	default: /* migration, service TDs, L2: there are none */
		break;
	}
	return true;
}

/* 10 ms to 100 s, in microseconds */
static uint64_t set_lock_timeout(struct tdcs *cs, uint64_t value, uint64_t mask)
{
	if (mask != UINT64_MAX)
		return TDX_METADATA_WR_MASK_NOT_VALID;
	if (value < 10000 || value > 100000000)
		return TDX_METADATA_FIELD_VALUE_NOT_VALID;
	cs->hp_lock_timeout = value;
	return TDX_SUCCESS;
}

static uint64_t set_td_value(struct td *td, uint64_t id, uint32_t i, uint64_t value,
			     uint64_t mask)
{
	struct tdcs *cs = td->cs;

	switch (id) {
	case 0x9110000300000010:
		cs->notify_enables = value;
		break;
	case 0x9110000300000011:
		return set_lock_timeout(cs, value, mask);
	case 0x9110000300000012:
		cs->vm_ctls[i] = value;
		break;
	case 0x1110000300000017:
		if (value != cs->td_ctls && !(cs->config_flags & CONFIG_FLEXIBLE_VE))
			return TDX_METADATA_FIELD_VALUE_NOT_VALID;
		cs->td_ctls = value;
		break;
	default:
		return TDX_METADATA_FIELD_NOT_WRITABLE;
	}
	return TDX_SUCCESS;
}

/* ---- vCPU: what is only kept ----------------------------------------------- */

enum vcpu_class {
	CLASS_VMCS = 0x00,
	CLASS_VAPIC = 0x01,
	CLASS_VE_INFO = 0x02,
	CLASS_GPR = 0x10,
	CLASS_STATE = 0x11,
	CLASS_XBUFF = 0x12,
	CLASS_MSR = 0x13,
	CLASS_MANAGEMENT = 0x20,
	CLASS_CPUID_CONTROL = 0x21,
};

#define MANAGEMENT_XFAM 0x0c

/* Writable fields that change nothing in this model. */
struct kept_fields {
	uint8_t class, count;
	uint16_t first;
};

static const struct kept_fields kept_fields[] = {
	{CLASS_VMCS, 1, 0x0812},
	{CLASS_VMCS, 1, 0x0814},
	{CLASS_VMCS, 1, VMCS_PML_ADDRESS},
	{CLASS_VMCS, 1, 0x2010},
	{CLASS_VMCS, 1, 0x202c},
	{CLASS_VMCS, 1, 0x2032},
	{CLASS_VMCS, 1, 0x2034},
	{CLASS_VMCS, 1, 0x2808},
	{CLASS_VMCS, 1, 0x2814},
	{CLASS_VMCS, 1, 0x2816},
	{CLASS_VMCS, 1, 0x2818},
	{CLASS_VMCS, 1, 0x4002},
	{CLASS_VMCS, 1, 0x4006},
	{CLASS_VMCS, 1, 0x4008},
	{CLASS_VMCS, 1, 0x400a},
	{CLASS_VMCS, 1, 0x4020},
	{CLASS_VMCS, 1, 0x4022},
	{CLASS_VMCS, 1, 0x482e},
	{CLASS_VMCS, 1, 0x6008},
	{CLASS_VMCS, 1, 0x6822},
	{CLASS_VMCS, 1, 0x6828},
	{CLASS_VMCS, 1, 0x682a},
	{CLASS_VMCS, 1, 0x682c},
	{CLASS_MSR, 1, 0xe1},
	{CLASS_MSR, 1, 0x122},
	{CLASS_MSR, 8, 0x186},
	{CLASS_MSR, 2, 0x1a6},
	{CLASS_MSR, 7, 0x309},
	{CLASS_MSR, 1, 0x329},
	{CLASS_MSR, 1, 0x38d},
	{CLASS_MSR, 2, 0x3f1},
	{CLASS_MSR, 2, 0x3f6},
	{CLASS_MSR, 8, 0x4c1},
	{CLASS_MSR, 1, 0x600},
	{CLASS_MSR, 1, 0x14cf},
	{CLASS_MSR, 1, 0x1b01},
	{CLASS_MANAGEMENT, 1, MANAGEMENT_XFAM},
	{CLASS_MANAGEMENT, 12, 0x50},
	{CLASS_MANAGEMENT, 4, 0x80},
};

/* The word of field `code`; NULL if it is not one of these. */
static uint64_t *kept_word(struct vcpu *vcpu, enum vcpu_class class, uint32_t code)
{
	uint64_t *word = vcpu->kept;

	for (unsigned i = 0; i < sizeof(kept_fields) / sizeof(kept_fields[0]); i++) {
		const struct kept_fields *f = &kept_fields[i];

		if (f->class == class && code - f->first < f->count)
			return word + (code - f->first);
		word += f->count;
	}
	return NULL;
}

static uint64_t kept_first_value(const struct tdcs *cs, enum vcpu_class class, uint32_t code)
{
	if (class == CLASS_VMCS && code == VMCS_PML_ADDRESS)
		return NULL_PA;
	if (class == CLASS_VMCS && code == 0x2010)
		return cs->tsc_offset;
	if (class == CLASS_VMCS && code == 0x2032)
		return cs->tsc_multiplier;
	if (class == CLASS_MANAGEMENT && code == MANAGEMENT_XFAM)
		return cs->xfam;
	return 0;
}

static bool kept_value(struct vp *vp, enum vcpu_class class, uint32_t code, uint64_t *value)
{
	const uint64_t *word = kept_word(vp->vcpu, class, code);

	if (word)
		*value = *word ^ kept_first_value(vp->td.cs, class, code);
	return word;
}

static void keep_value(struct vp *vp, enum vcpu_class class, uint32_t code, uint64_t value)
{
	uint64_t *word = kept_word(vp->vcpu, class, code);

	if (word)
		*word = value ^ kept_first_value(vp->td.cs, class, code);
}

/* ---- vCPU: the VMCS ------------------------------------------------------- */

enum segment_part { SELECTOR, LIMIT, RIGHTS, BASE };

static bool segment_part(uint32_t code, enum segment_part *part, unsigned *segment)
{
	static const struct {
		uint32_t first;
		enum segment_part part;
	} rows[] = {{0x800, SELECTOR}, {0x4800, LIMIT}, {0x4814, RIGHTS}, {0x6806, BASE}};

	for (unsigned i = 0; i < 4; i++)
		if (code >= rows[i].first && code < rows[i].first + 2 * TDX_SEGMENT_COUNT) {
			*part = rows[i].part;
			*segment = (code - rows[i].first) / 2;
			return true;
		}
	return false;
}

static uint64_t segment_value(const struct tdx_segment *s, enum segment_part part)
{
	switch (part) {
	case SELECTOR:
		return s->selector;
	case LIMIT:
		return s->limit;
	case RIGHTS:
		return s->access_rights;
	case BASE:
		break;
	}
	return s->base;
}

static void set_segment_value(struct tdx_segment *s, enum segment_part part, uint64_t value)
{
	switch (part) {
	case SELECTOR:
		s->selector = (uint16_t)value;
		break;
	case LIMIT:
		s->limit = (uint32_t)value;
		break;
	case RIGHTS:
		s->access_rights = (uint32_t)value;
		break;
	case BASE:
		s->base = value;
		break;
	}
}

/* Guest-state fields that are 64-bit members of struct tdx_guest_state. */
static uint64_t *state_field(struct tdx_guest_state *state, uint32_t code)
{
	switch (code) {
	case 0x2802:
		return &state->debugctl;
	case 0x2804:
		return &state->pat;
	case 0x2806:
		return &state->efer;
	case 0x6000:
		return &state->cr0_mask;
	case 0x6002:
		return &state->cr4_mask;
	case 0x6004:
		return &state->cr0_shadow;
	case 0x6006:
		return &state->cr4_shadow;
	case 0x6800:
		return &state->cr0;
	case 0x6802:
		return &state->cr3;
	case 0x6804:
		return &state->cr4;
	case 0x6816:
		return &state->gdtr.base;
	case 0x6818:
		return &state->idtr.base;
	case 0x681a:
		return &state->dr[7];
	case 0x681c:
		return &state->gpr[TDX_RSP];
	case 0x681e:
		return &state->rip;
	case 0x6820:
		return &state->rflags;
	case 0x6824:
		return &state->sysenter_esp;
	case 0x6826:
		return &state->sysenter_eip;
	default:
		return NULL;
	}
}

static uint64_t vmcs_value(struct vp *vp, uint32_t code)
{
	const struct vcpu *vcpu = vp->vcpu;
	uint64_t *field = state_field(vp->state, code);
	enum segment_part part;
	unsigned segment;
	uint64_t kept;

	if (field)
		return *field;
	if (segment_part(code, &part, &segment))
		return segment_value(&vp->state->segment[segment], part);
	if (kept_value(vp, CLASS_VMCS, code, &kept))
		return kept;
	switch (code) {
	case VMCS_NOTIFICATION_VECTOR:
		return vcpu->notification_vector;
	case 0x0810:
		return vp->state->guest_interrupt_status;
	case 0x2004:
		return tdcx_pa(&vp->td, TDCS_MSR_BITMAPS);
	case 0x2024: /* EPTP list: none */
		return NULL_PA;
	case VMCS_PID_ADDRESS:
		return vcpu->pid_hpa;
	case 0x201a:
		return vp->td.cs->eptp;
	case VMCS_SHARED_EPT:
		return vcpu->shared_ept;
	case 0x4000:
		return vcpu->posted ? 0x80 : 0;
	case 0x4004:
		return vcpu->exception_bitmap;
	case 0x401e:
		return vcpu->secondary_controls;
	case 0x4024:
		return vcpu->instruction_timeout;
	case 0x4026:
		return vp->td.tdr->keyid;
	case 0x4402:
		return vcpu->last_vmexit.reason;
	case 0x4810:
		return vp->state->gdtr.limit;
	case 0x4812:
		return vp->state->idtr.limit;
	case 0x4824:
		return vp->state->interruptibility;
	case 0x4826:
		return vp->state->activity;
	case 0x482a:
		return vp->state->sysenter_cs;
	case 0x6400:
		return vcpu->last_vmexit.qualification;
	default:
		return 0;
	}
}

static uint64_t set_posted(struct vcpu *vcpu, uint64_t value)
{
	if ((value & 0x80) && vcpu->notification_vector > 0xff)
		return TDX_TD_VMCS_FIELD_NOT_INITIALIZED | VMCS_NOTIFICATION_VECTOR;
	if ((value & 0x80) && vcpu->pid_hpa == NULL_PA)
		return TDX_TD_VMCS_FIELD_NOT_INITIALIZED | VMCS_PID_ADDRESS;
	vcpu->posted = value & 0x80;
	return TDX_SUCCESS;
}

/* As if the guest wrote it: bits that the module owns must be as the guest sees them. */
static uint64_t set_cr(uint64_t *cr, uint64_t owned, uint64_t shadow, uint64_t value)
{
	if ((value ^ shadow) & owned)
		return TDX_METADATA_FIELD_VALUE_NOT_VALID;
	*cr = (*cr & owned) | (value & ~owned);
	return TDX_SUCCESS;
}

/* Of these controls only those that the CPU has; a page log only where it has a page. */
static uint64_t set_secondary_controls(const struct md_query *query, uint64_t value)
{
	uint64_t capabilities = msr_sampled(query->call->model, IA32_VMX_PROCBASED_CTLS2);
	uint64_t log = 0;

	kept_value(query->vp, CLASS_VMCS, VMCS_PML_ADDRESS, &log);
	if ((value & ~(capabilities >> 32)) || ((value & CTLS2_PML) && log >> 63))
		return TDX_METADATA_FIELD_VALUE_NOT_VALID;
	query->vp->vcpu->secondary_controls = (uint32_t)value;
	return TDX_SUCCESS;
}

/* NOLINTNEXTLINE(readability-function-size): one case for each field */
static uint64_t set_vmcs_value(const struct md_query *query, uint32_t code, uint64_t value)
{
	struct vp *vp = query->vp;
	struct tdx_guest_state *s = vp->state;
	uint64_t *field = state_field(s, code);
	enum segment_part part;
	unsigned segment;

	if (field == &s->cr0)
		return set_cr(field, s->cr0_mask, s->cr0_shadow, value);
	if (field == &s->cr4)
		return set_cr(field, s->cr4_mask, s->cr4_shadow, value);
	if (field == &s->debugctl)
		value &= ~DEBUGCTL_UNCORE_PMI; /* the LP's own */
	if (field) {
		*field = value;
		return TDX_SUCCESS;
	}
	if (segment_part(code, &part, &segment)) {
		set_segment_value(&vp->state->segment[segment], part, value);
		return TDX_SUCCESS;
	}
	switch (code) {
	case VMCS_NOTIFICATION_VECTOR:
		if (value > 0xff)
			return TDX_METADATA_FIELD_VALUE_NOT_VALID;
		vp->vcpu->notification_vector = (uint16_t)value;
		return TDX_SUCCESS;
	case VMCS_PML_ADDRESS:
		if (check_shared_hpa(query->call, value, PAGE_4K, 0))
			return TDX_METADATA_FIELD_VALUE_NOT_VALID;
		keep_value(vp, CLASS_VMCS, code, value);
		return TDX_SUCCESS;
	case VMCS_PID_ADDRESS:
		if (check_shared_hpa(query->call, value, 64, 0))
			return TDX_METADATA_FIELD_VALUE_NOT_VALID;
		vp->vcpu->pid_hpa = value;
		return TDX_SUCCESS;
	case VMCS_SHARED_EPT:
		if (check_shared_hpa(query->call, value, PAGE_4K, 0))
			return TDX_METADATA_FIELD_VALUE_NOT_VALID;
		vp->vcpu->shared_ept = value;
		return TDX_SUCCESS;
	case 0x4000:
		return set_posted(vp->vcpu, value);
	case 0x4004:
		vp->vcpu->exception_bitmap = (uint32_t)value;
		return TDX_SUCCESS;
	case 0x401e:
		return set_secondary_controls(query, value);
	case 0x4024:
		vp->vcpu->instruction_timeout = (uint32_t)value;
		return TDX_SUCCESS;
	case 0x4810:
		vp->state->gdtr.limit = (uint32_t)value;
		return TDX_SUCCESS;
	case 0x4812:
		vp->state->idtr.limit = (uint32_t)value;
		return TDX_SUCCESS;
	case 0x4824:
		vp->state->interruptibility = (uint32_t)value;
		return TDX_SUCCESS;
	case 0x482a:
		vp->state->sysenter_cs = value;
		return TDX_SUCCESS;
	default:
		keep_value(vp, CLASS_VMCS, code, value);
		return TDX_SUCCESS;
	}
}

/* ---- vCPU: the rest ------------------------------------------------------- */

#define XBUFF_HEADER      64 /* the XSAVE header, 8 words that hardware interprets */
#define XBUFF_HEADER_SIZE 8

static uint64_t *xbuff_word(struct vp *vp, uint32_t i)
{
	uint64_t hpa = vp->vcpu->page_pa[TDVPS_XBUFF + i / 512];

	return (uint64_t *)page_at(vp->td.model, hpa) + i % 512;
}

static uint64_t *msr_field(struct tdx_guest_state *state, uint32_t code)
{
	switch (code) {
	case 0x48:
		return &state->spec_ctrl;
	case 0xda0:
		return &state->xss;
	case 0x2081:
		return &state->star;
	case 0x2082:
		return &state->lstar;
	case 0x2084:
		return &state->fmask;
	case 0x2102:
		return &state->kernel_gs_base;
	case 0x2103:
		return &state->tsc_aux;
	default:
		return NULL;
	}
}

/* Highest vector in a 256-bit APIC register, its priority class; 0 if none. */
static unsigned highest_class(const uint8_t *vapic, unsigned base)
{
	for (unsigned i = 8; i-- > 0;) {
		uint32_t bits;

		memcpy(&bits, vapic + base + (size_t)16 * i, sizeof(bits));
		if (bits)
			return (32 * i + 31 - (unsigned)__builtin_clz(bits)) >> 4;
	}
	return 0;
}

/* Bit 0: an interrupt that the guest would take is pending in its virtual APIC. */
static uint64_t vcpu_state_details(const struct vp *vp)
{
	unsigned rvi = vp->state->guest_interrupt_status & 0xff;
	unsigned ppr = highest_class(vp->vapic, 0x100);
	unsigned tpr = vp->vapic[0x80] >> 4;

	return rvi >> 4 > (ppr > tpr ? ppr : tpr);
}

static bool ve_value(const struct ve_info *ve, uint64_t id, uint64_t *value)
{
	switch (id & 0xff) {
	case 0:
		*value = ve->exit_reason;
		break;
	case 1:
		*value = ve->valid ? UINT32_MAX : 0;
		break;
	case 2:
		*value = ve->qualification;
		break;
	case 3:
		*value = ve->gla;
		break;
	case 4:
		*value = ve->gpa;
		break;
	case 0x10:
		*value = ve->instruction_length;
		break;
	case 0x11:
		*value = ve->instruction_info;
		break;
	default:
		*value = 0;
	}
	return true;
}

/* Copies of VMCS fields, one for each VM; of other fields what was kept. */
static uint64_t copied_value(struct vp *vp, uint32_t code, uint32_t vm)
{
	uint64_t value = 0;

	if (code == 0x98)
		return vm == 0 ? vp->vcpu->pid_hpa : 0;
	if (code == 0xac)
		return vm == 0 ? vp->vcpu->notification_vector : 0;
	kept_value(vp, CLASS_MANAGEMENT, code + vm, &value);
	return value;
}

static bool management_value(struct vp *vp, uint32_t code, uint32_t i, uint64_t *value)
{
	const struct vcpu *vcpu = vp->vcpu;

	switch (code) {
	case 0x00:
		*value = atomic_load(&vcpu->state);
		break;
	case 0x02:
		*value = vcpu->index;
		break;
	case 0x03:
		*value = vcpu->page_count;
		break;
	case 0x04:
		*value = atomic_load(&vcpu->lp);
		break;
	case 0x06:
		*value = vcpu->epoch;
		break;
	case 0x07:
		*value = vcpu->cpuid_supervisor_ve;
		break;
	case 0x08:
		*value = vcpu->cpuid_user_ve;
		break;
	case 0x0a:
		*value = vcpu->last_exit_tsc;
		break;
	case 0x0b:
		*value = vcpu->pend_nmi;
		break;
	case 0x0d:
		*value = vcpu->epf_gpa_count;
		break;
	case 0x0e:
		*value = vcpu->epf_count;
		break;
	case 0x0f:
		*value = vcpu->last_exit;
		break;
	case 0x10:
		*value = i < vcpu->page_count
				 ? with_keyid(vp->td.model, vcpu->page_pa[i], vp->td.tdr->keyid)
				 : 0;
		break;
	case 0x30:
		*value = vcpu->yields_since;
		break;
	case 0x31:
		*value = vcpu->yields_to_host;
		break;
	default:
		*value = copied_value(vp, code, i);
	}
	return true;
}

static bool vcpu_value(struct vp *vp, uint64_t id, uint32_t i, uint64_t *value)
{
	struct tdx_guest_state *state = vp->state;
	uint32_t code = (uint32_t)(id & 0xffffff);
	uint64_t *msr;

	switch (id >> 56 & 0x3f) {
	case CLASS_VMCS:
		*value = vmcs_value(vp, code);
		return true;
	case CLASS_VAPIC:
		*value = load64(vp->vapic, i);
		return true;
	case CLASS_VE_INFO:
		return ve_value(&vp->vcpu->ve, id, value);
	case CLASS_GPR:
		*value = state->gpr[code & 0xf];
		return true;
	case CLASS_STATE:
		*value = code < 8       ? state->dr[code]
			 : code == 0x20 ? state->xcr0
			 : code == 0x28 ? state->cr2
					: vcpu_state_details(vp);
		return true;
	case CLASS_XBUFF:
		*value = *xbuff_word(vp, i);
		return true;
	case CLASS_MSR:
		*value = 0;
		msr = msr_field(state, code);
		if (msr)
			*value = *msr;
		else
			kept_value(vp, CLASS_MSR, code + i, value);
		return true;
	case CLASS_MANAGEMENT:
		return management_value(vp, code, i, value);
	case CLASS_CPUID_CONTROL:
		*value = vp->vcpu->cpuid_control[i];
		return true;
	default:
		*value = 0;
		return true;
	}
}

static uint64_t set_management_value(const struct md_query *query, uint32_t code,
				     uint64_t value)
{
	struct vp *vp = query->vp;

	switch (code) {
	case 0x07:
		vp->vcpu->cpuid_supervisor_ve = value & 1;
		return TDX_SUCCESS;
	case 0x08:
		vp->vcpu->cpuid_user_ve = value & 1;
		return TDX_SUCCESS;
	case 0x0b:
		if (value > 1)
			return TDX_METADATA_FIELD_VALUE_NOT_VALID;
		vp->vcpu->pend_nmi = value;
		return TDX_SUCCESS;
	case MANAGEMENT_XFAM:
		if (!xfam_is_valid(query->call->model, value))
			return TDX_METADATA_FIELD_VALUE_NOT_VALID;
		break;
	default:
		break;
	}
	keep_value(vp, CLASS_MANAGEMENT, code, value);
	return TDX_SUCCESS;
}

static uint64_t set_vcpu_value(const struct md_query *query, uint64_t id, uint32_t i,
			       uint64_t value)
{
	struct tdx_guest_state *state = query->vp->state;
	uint32_t code = (uint32_t)(id & 0xffffff);
	uint64_t *msr;

	switch (id >> 56 & 0x3f) {
	case CLASS_VMCS:
		return set_vmcs_value(query, code, value);
	case CLASS_GPR:
		state->gpr[code & 0xf] = value;
		break;
	case CLASS_STATE:
		if (code < 8)
			state->dr[code] = value;
		else if (code == 0x28)
			state->cr2 = value;
		break;
	case CLASS_XBUFF:
		if (i - XBUFF_HEADER < XBUFF_HEADER_SIZE)
			return TDX_METADATA_FIELD_NOT_WRITABLE;
		*xbuff_word(query->vp, i) = value;
		break;
	case CLASS_MSR:
		msr = msr_field(state, code);
		if (msr)
			*msr = value;
		else
			keep_value(query->vp, CLASS_MSR, code + i, value);
		break;
	case CLASS_MANAGEMENT:
		return set_management_value(query, code + i, value);
	case CLASS_CPUID_CONTROL:
		query->vp->vcpu->cpuid_control[i] = (uint8_t)value;
		break;
	default:
		return TDX_METADATA_FIELD_NOT_WRITABLE;
	}
	return TDX_SUCCESS;
}

bool md_value(const struct md_query *query, uint64_t base_id, uint32_t offset, uint64_t *value)
{
	switch (query->context) {
	case MD_SYSTEM:
		*value = system_value(query->call->model, base_id, offset);
		return true;
	case MD_TD:
		return td_value(query->td, base_id, offset, value);
	case MD_VP:
		break;
	}
	return vcpu_value(query->vp, base_id, offset, value);
}

uint64_t md_set_value(const struct md_query *query, uint64_t base_id, uint32_t offset,
		      uint64_t value, uint64_t mask)
{
	switch (query->context) {
	case MD_SYSTEM:
		return TDX_METADATA_FIELD_NOT_WRITABLE;
	case MD_TD:
		return set_td_value(query->td, base_id, offset, value, mask);
	case MD_VP:
		break;
	}
	return set_vcpu_value(query, base_id, offset, value);
}
