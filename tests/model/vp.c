/* SPDX-License-Identifier: MIT */
/* TDH.VP: creating, initialising, reading, writing and flushing a vCPU. */
#include <string.h>

#include "tests/model/guest.h"

uint64_t tdh_vp_create(struct call *call)
{
	uint64_t tdvpr_pa = call->gpr[TDX_RCX];
	struct page_lock page;
	struct vcpu *vcpu;
	struct td td;
	uint64_t status = td_lock(call, call->gpr[TDX_RDX], OPERAND_RDX, LOCK_SHARED, &td);

	if (status)
		return status;
	status = td_check(&td, TDH_VP_CREATE, LOCK_SHARED);
	if (!status)
		status = page_lock_4k(call, tdvpr_pa, OPERAND_RCX, LOCK_EXCLUSIVE, PT_NDA,
				      &page);
	if (!status) {
		page_owner_changed(call->model, tdvpr_pa, PAGE_4K, true);
		vcpu = page_at(call->model, tdvpr_pa);
		memset(vcpu, 0, PAGE_4K);
		vcpu->page_pa[0] = tdvpr_pa;
		vcpu->page_count = 1;
		atomic_store(&vcpu->lp, NO_LP);
		td_add_children(&td, 1);
		pamt_set(&page, PT_TDVPR, td.tdr_pa);
		pamt_unlock(&page);
	}
	td_unlock(&td);
	return status;
}

static uint64_t addcx(struct call *call, struct vp *vp)
{
	uint64_t page_pa = call->gpr[TDX_RCX];
	struct page_lock page;
	uint64_t status = td_check(&vp->td, TDH_VP_ADDCX, LOCK_SHARED);

	if (status)
		return status;
	if (atomic_load(&vp->vcpu->state) != VCPU_UNINITIALIZED)
		return TDX_VCPU_STATE_INCORRECT;
	if (vp->vcpu->page_count == TDVPS_PAGES_MAX)
		return TDX_TDCX_NUM_INCORRECT;
	status = page_lock_4k(call, page_pa, OPERAND_RCX, LOCK_EXCLUSIVE, PT_NDA, &page);
	if (status)
		return status;
	page_owner_changed(call->model, page_pa, PAGE_4K, true);
	memset(page_at(call->model, page_pa), 0, PAGE_4K);
	vp->vcpu->page_pa[vp->vcpu->page_count++] = page_pa;
	td_add_children(&vp->td, 1);
	pamt_set(&page, PT_TDCX, vp->td.tdr_pa);
	pamt_unlock(&page);
	return TDX_SUCCESS;
}

uint64_t tdh_vp_addcx(struct call *call)
{
	struct vp vp;
	uint64_t status = vp_lock(call, call->gpr[TDX_RDX], OPERAND_RDX, LOCK_EXCLUSIVE, &vp);

	if (!status)
		status = addcx(call, &vp);
	vp_unlock(&vp);
	return status;
}

/* ---- TDH.VP.INIT ---------------------------------------------------------- */

static void init_segments(struct tdx_guest_state *s)
{
	for (unsigned i = TDX_ES; i <= TDX_GS; i++)
		s->segment[i] =
			(struct tdx_segment){.access_rights = 0xc093, .limit = 0xffffffff};
	s->segment[TDX_CS].access_rights = 0xc09b;
	s->segment[TDX_LDTR] = (struct tdx_segment){.access_rights = 0x10082, .limit = 0xffff};
	s->segment[TDX_TR] = (struct tdx_segment){.access_rights = 0x008b, .limit = 0xffff};
	s->gdtr.limit = 0xffff;
}

/* 32-bit protected mode, flat, paging off, LME already set. */
static void init_registers(const struct vp *vp)
{
	const struct tdx_model *model = vp->td.model;
	struct tdx_guest_state *s = vp->state;

	s->rip = 0xfffffff0;
	s->rflags = 0x2;
	s->cr0 = 0x21;
	s->cr4 = 0x2040;
	s->cr0_mask = guest_cr0_mask(model);
	s->cr0_shadow = 0x21;
	s->cr4_mask = guest_cr4_mask(model, vp->td.cs);
	s->cr4_shadow = 0x40;
	s->efer = 0x901;
	s->pat = 0x0007040600070406;
	s->xcr0 = 1;
	s->fmask = 0x20200;
	s->dr[6] = 0xffff0ff0;
	s->dr[7] = 0x400;
}

static void init_state(struct call *call, struct vp *vp)
{
	struct tdx_guest_state *s = vp->state;
	const struct cpuid_values *leaf_1 =
		(const struct cpuid_values *)tdcs_page(&vp->td, TDCS_CPUID) + cpuid_index(1, 0);

	init_registers(vp);
	init_segments(s);
	s->gpr[TDX_RBX] = td_gpa_bits(&vp->td);
	s->gpr[TDX_RCX] = s->gpr[TDX_R8] = call->gpr[TDX_RDX];
	s->gpr[TDX_RDX] = leaf_1->reg[0];
	s->gpr[TDX_RSI] = vp->vcpu->index;
	vp->vcpu->notification_vector = 0xffff;
	vp->vcpu->pid_hpa = NULL_PA;
	/* Until the host gives its own: an empty table of the TD's. */
	vp->vcpu->shared_ept =
		with_keyid(call->model, vp->td.tdr->tdcx_pa[TDCS_ZERO], vp->td.tdr->keyid);
}

static uint64_t take_index(struct vp *vp)
{
	uint32_t index = atomic_load(&vp->td.cs->vcpu_count);

	do {
		if (index >= vp->td.cs->max_vcpus)
			return TDX_MAX_VCPUS_EXCEEDED;
	} while (!atomic_compare_exchange_weak(&vp->td.cs->vcpu_count, &index, index + 1));
	vp->vcpu->index = index;
	return TDX_SUCCESS;
}

static uint64_t init_vcpu(struct call *call, struct vp *vp)
{
	uint64_t status = td_check(&vp->td, TDH_VP_INIT, LOCK_SHARED);
	bool is_new;

	if (status)
		return status;
	if (atomic_load(&vp->vcpu->state) != VCPU_UNINITIALIZED)
		return TDX_VCPU_STATE_INCORRECT;
	if (!vp_map(vp))
		return TDX_TDCX_NUM_INCORRECT;
	status = take_index(vp);
	if (status)
		return status;
	/* Observed: the index is used up even if this check fails. */
	if (rdmsr(call, IA32_TSC_ADJUST) != msr_sampled(call->model, IA32_TSC_ADJUST))
		return TDX_INCONSISTENT_MSR | IA32_TSC_ADJUST;
	vp_associate(call, vp, &is_new);
	init_state(call, vp);
	vp->vcpu->last_exit = EXIT_ASYNC_FAULT;
	vp->vcpu->last_exit_tsc =
		call->model->machine.rdtsc(call->model->machine.ctx, call->lp);
	atomic_store(&vp->vcpu->state, VCPU_READY);
	return TDX_SUCCESS;
}

uint64_t tdh_vp_init(struct call *call)
{
	struct vp vp;
	uint64_t status = vp_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_EXCLUSIVE, &vp);

	if (!status)
		status = init_vcpu(call, &vp);
	vp_unlock(&vp);
	return status;
}

/* ---- TDH.VP.FLUSH --------------------------------------------------------- */

static uint64_t flush(struct call *call, struct vp *vp)
{
	if (vp->td.tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_TD_KEYS_NOT_CONFIGURED;
	if (!vp_map(vp))
		return TDX_TDCX_NUM_INCORRECT;
	if (atomic_load(&vp->vcpu->lp) != call->lp)
		return TDX_VCPU_NOT_ASSOCIATED;
	vp->vcpu->launched = false;
	atomic_store(&vp->vcpu->lp, NO_LP);
	atomic_fetch_sub(&vp->td.cs->associated_count, 1);
	return TDX_SUCCESS;
}

uint64_t tdh_vp_flush(struct call *call)
{
	struct vp vp;
	uint64_t status = vp_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_EXCLUSIVE, &vp);

	if (!status)
		status = flush(call, &vp);
	vp_unlock(&vp);
	return status;
}

/* ---- TDH.VP.RD and WR ----------------------------------------------------- */

static uint64_t open_for_metadata(struct call *call, struct vp *vp, bool write,
				  struct md_query *query)
{
	bool is_new;
	uint64_t status = vp_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_SHARED, vp);
	enum vcpu_state state;

	if (!status)
		status = td_check(&vp->td, call->leaf, LOCK_SHARED);
	if (status)
		return status;
	if (!vp_map(vp))
		return TDX_TDCX_NUM_INCORRECT;
	state = atomic_load(&vp->vcpu->state);
	if (state == VCPU_UNINITIALIZED || state == VCPU_ACTIVE ||
	    (write && state == VCPU_DISABLED))
		return TDX_VCPU_STATE_INCORRECT;
	*query = (struct md_query){.call = call,
				   .context = MD_VP,
				   .access = td_is_debug(&vp->td) ? MD_HOST_DEBUG : MD_HOST,
				   .td = &vp->td,
				   .vp = vp};
	return vp_associate(call, vp, &is_new);
}

uint64_t tdh_vp_rd(struct call *call)
{
	uint64_t id = call->gpr[TDX_RDX], next = NULL_ID;
	struct md_query query;
	struct vp vp;
	uint64_t status;

	call->gpr[TDX_R8] = 0;
	if (call->version > 0)
		call->gpr[TDX_RDX] = NULL_ID;
	if (call->version > 1)
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	status = open_for_metadata(call, &vp, false, &query);
	if (!status) {
		status = md_read(&query, id, call->version > 0, &call->gpr[TDX_R8], &next);
		if (call->version > 0)
			call->gpr[TDX_RDX] = next;
	}
	vp_unlock(&vp);
	return status;
}

uint64_t tdh_vp_wr(struct call *call)
{
	uint64_t value = call->gpr[TDX_R8];
	struct md_query query;
	struct vp vp;
	uint64_t status;

	call->gpr[TDX_R8] = 0;
	status = open_for_metadata(call, &vp, true, &query);
	if (!status)
		status = md_write(&query, call->gpr[TDX_RDX], value, call->gpr[TDX_R9],
				  &call->gpr[TDX_R8]);
	vp_unlock(&vp);
	return status;
}
