/* SPDX-License-Identifier: MIT */
/* The steps with which every leaf that works on a TD begins and ends. */
#include "tests/model/model.h"

_Static_assert(sizeof(struct tdr) <= PAGE_4K, "a TDR is one page");
_Static_assert(sizeof(struct tdcs) <= PAGE_4K, "TDCS fields fit in the first TDCX page");
_Static_assert(sizeof(struct vcpu) <= PAGE_4K, "vCPU fields fit in the TDVPR page");
_Static_assert(sizeof(struct tdx_guest_state) <= PAGE_4K, "guest state fits in one TDCX page");

struct tdcs *tdcs_of(struct tdx_model *model, const struct tdr *tdr)
{
	return tdr->tdcx_count == 0 ? NULL : page_at(model, tdr->tdcx_pa[TDCS_MAIN]);
}

void *tdcs_page(struct td *td, enum tdcs_page page)
{
	return page_at(td->model, td->tdr->tdcx_pa[page]);
}

static void td_map(struct call *call, uint64_t tdr_pa, struct td *td)
{
	td->model = call->model;
	td->tdr_pa = tdr_pa;
	td->tdr = page_at(call->model, tdr_pa);
	td->cs = tdcs_of(call->model, td->tdr);
	td->op_state_lock = LOCK_NONE;
}

uint64_t td_lock(struct call *call, uint64_t tdr_pa, unsigned operand, enum lock_mode mode,
		 struct td *td)
{
	uint64_t status;

	*td = (struct td){0};
	status = page_lock_4k(call, tdr_pa, operand, mode, PT_TDR, &td->tdr_lock);
	if (!status)
		td_map(call, tdr_pa, td);
	return status;
}

uint64_t td_lock_owner(struct call *call, const struct page_lock *page, struct td *td)
{
	uint64_t tdr_pa = pamt_owner(page->entry);

	*td = (struct td){0};
	td->tdr_lock.entry = pamt_entry_of(call->model, tdr_pa, LEVEL_4K);
	td->tdr_lock.mode = LOCK_SHARED;
	if (!take_lock(call->model, &td->tdr_lock.entry->lock, LOCK_SHARED)) {
		td->tdr_lock.entry = NULL;
		return TDX_OPERAND_BUSY | OPERAND_TDR;
	}
	td_map(call, tdr_pa, td);
	return TDX_SUCCESS;
}

static bool op_state_allows(enum op_state state, unsigned leaf)
{
	switch (leaf) {
	case TDH_MNG_ADDCX:
	case TDH_MNG_INIT:
		return state == OP_UNINITIALIZED;
	case TDH_MEM_PAGE_ADD:
	case TDH_VP_ADDCX:
	case TDH_VP_CREATE:
	case TDH_VP_INIT:
	case TDH_MR_EXTEND:
	case TDH_MR_FINALIZE:
		return state == OP_INITIALIZED;
	case TDH_VP_ENTER:
		return state == OP_RUNNABLE;
	default:
		return state != OP_UNINITIALIZED;
	}
}

uint64_t td_check_built(struct td *td)
{
	if (atomic_load(&td->tdr->fatal))
		return TDX_TD_FATAL;
	if (td->tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_TD_KEYS_NOT_CONFIGURED;
	if (td->tdr->tdcx_count < TDCX_MIN)
		return TDX_TDCS_NOT_ALLOCATED;
	return TDX_SUCCESS;
}

uint64_t td_check(struct td *td, unsigned leaf, enum lock_mode mode)
{
	uint64_t status = td_check_built(td);

	if (status)
		return status;
	if (!take_lock(td->model, &td->cs->op_state_lock, mode))
		return TDX_OPERAND_BUSY | OPERAND_OP_STATE;
	td->op_state_lock = mode;
	if (!op_state_allows(atomic_load(&td->cs->op_state), leaf))
		return TDX_OP_STATE_INCORRECT;
	return TDX_SUCCESS;
}

void td_unlock(struct td *td)
{
	if (td->op_state_lock != LOCK_NONE)
		drop_lock(td->model, &td->cs->op_state_lock, td->op_state_lock);
	td->op_state_lock = LOCK_NONE;
	pamt_unlock(&td->tdr_lock);
}

void td_add_children(struct td *td, int64_t pages)
{
	atomic_fetch_add(&td->tdr->child_count, (uint64_t)pages);
}

uint64_t vp_lock(struct call *call, uint64_t tdvpr_pa, unsigned operand, enum lock_mode mode,
		 struct vp *vp)
{
	uint64_t status;

	*vp = (struct vp){.tdvpr_pa = tdvpr_pa};
	status = page_lock_4k(call, tdvpr_pa, operand, mode, PT_TDVPR, &vp->tdvpr_lock);
	if (status)
		return status;
	vp->vcpu = page_at(call->model, tdvpr_pa);
	return td_lock_owner(call, &vp->tdvpr_lock, &vp->td);
}

void vp_unlock(struct vp *vp)
{
	td_unlock(&vp->td);
	pamt_unlock(&vp->tdvpr_lock);
}

bool vp_map(struct vp *vp)
{
	uint32_t needed = TDVPS_PAGES_MIN + 3u * vp->td.cs->l2_vm_count;

	if (vp->vcpu->page_count < needed)
		return false;
	vp->vapic = page_at(vp->td.model, vp->vcpu->page_pa[TDVPS_VAPIC]);
	vp->state = page_at(vp->td.model, vp->vcpu->page_pa[TDVPS_GUEST_STATE]);
	return true;
}

uint64_t vp_associate(struct call *call, struct vp *vp, bool *is_new)
{
	uint32_t nobody = NO_LP;

	*is_new = atomic_compare_exchange_strong(&vp->vcpu->lp, &nobody, call->lp);
	if (!*is_new && nobody != call->lp)
		return TDX_VCPU_ASSOCIATED;
	if (*is_new)
		atomic_fetch_add(&vp->td.cs->associated_count, 1);
	return TDX_SUCCESS;
}
