/* SPDX-License-Identifier: MIT */
/* TDH.VP.ENTER: the way into the guest, the loop around its exits, the way out. */
#include "tests/model/guest.h"

#define ENTER_RESERVED           (UINT64_C(0xfff) | UINT64_C(0x3ff) << 54)
#define ENTER_HINT               (UINT64_C(1) << 52)
#define ENTER_RESUME_L1          (UINT64_C(1) << 53)
#define HOST_RECOVERABILITY_HINT (UINT64_C(1) << 60) /* of a guest's RAX */
#define MASK_XMMS                0xffff0000u
#define MASK_RBP                 (1u << TDX_RBP)

#define REASON_ENTRY_FAILED 33
#define EEQ_XSTATE_FAILED   4
#define QUAL_WRITE          2
#define QUAL_VM             (UINT64_C(3) << 32) /* whose exit it is: 0, the TD's own */

/* The vCPU's TLB epoch: as of this entry it holds no older translation. */
static bool enter_epoch(struct vp *vp)
{
	struct tdcs *cs = vp->td.cs;

	if (!take_lock(vp->td.model, &cs->epoch_lock, LOCK_SHARED))
		return false;
	vp->vcpu->epoch = atomic_load(&cs->epoch);
	atomic_fetch_add(&cs->refcount[vp->vcpu->epoch & 1], 1);
	lock_release(&cs->epoch_lock, LOCK_SHARED);
	return true;
}

static void leave_epoch(struct vp *vp)
{
	atomic_fetch_sub(&vp->td.cs->refcount[vp->vcpu->epoch & 1], 1);
}

static void set_exit_registers(struct call *call, uint64_t rcx, uint64_t rdx, uint64_t r8,
			       uint64_t r9)
{
	for (unsigned i = TDX_RCX; i < TDX_GPR_COUNT; i++)
		if (i != TDX_RSP && i != TDX_RBP)
			call->gpr[i] = 0;
	call->gpr[TDX_RCX] = rcx;
	call->gpr[TDX_RDX] = rdx;
	call->gpr[TDX_R8] = r8;
	call->gpr[TDX_R9] = r9;
}

static void set_host_rbp(struct call *call, const struct tdcs *cs)
{
	if (!(cs->config_flags & CONFIG_NO_RBP_MOD))
		call->gpr[TDX_RBP] = 0;
}

enum guest_result guest_async_exit(struct guest *guest, uint64_t status, uint64_t qualification,
				   uint64_t extended, uint64_t gpa, uint32_t interruption)
{
	struct vp *vp = guest->vp;

	switch (status) {
	case TDX_SUCCESS:
	case TDX_HOST_PRIORITY_BUSY_TIMEOUT:
		break;
	case TDX_NON_RECOVERABLE_VCPU:
		atomic_store(&vp->vcpu->state, VCPU_DISABLED);
		break;
	default:
		atomic_store(&vp->td.tdr->fatal, true);
		break;
	}
	set_exit_registers(guest->call, qualification & ~QUAL_VM, extended, gpa, interruption);
	set_host_rbp(guest->call, vp->td.cs);
	vp->vcpu->last_exit =
		status == TDX_HOST_PRIORITY_BUSY_TIMEOUT ? EXIT_ASYNC_TRAP : EXIT_ASYNC_FAULT;
	guest->status = status | guest->exit.reason;
	return GUEST_EXIT;
}

bool guest_vmcall(struct guest *guest)
{
	uint64_t *host = guest->call->gpr;
	const uint64_t *gpr = guest->vp->state->gpr;
	uint64_t mask = gpr[TDX_RCX];
	bool no_rbp = guest->vp->td.cs->config_flags & CONFIG_NO_RBP_MOD;

	if ((mask >> 32) || (mask & (1u << TDX_RAX | 1u << TDX_RCX | 1u << TDX_RSP)) ||
	    (no_rbp && (mask & MASK_RBP)))
		return false;
	set_exit_registers(guest->call, mask, 0, 0, 0);
	set_host_rbp(guest->call, guest->vp->td.cs);
	for (unsigned i = TDX_RDX; i < TDX_GPR_COUNT; i++)
		if (mask >> i & 1)
			host[i] = gpr[i];
	guest_skip_instruction(guest);
	guest->vp->vcpu->last_exit = EXIT_TDVMCALL;
	guest->status = TDX_SUCCESS | guest->exit.reason;
	return true;
}

/* The host answers a TDG.VP.VMCALL in the registers that the guest selected. */
static void finish_vmcall(struct call *call, struct vp *vp)
{
	uint64_t *gpr = vp->state->gpr;
	uint64_t mask = gpr[TDX_RCX];

	for (unsigned i = TDX_RDX; i < TDX_GPR_COUNT; i++)
		if (mask >> i & 1)
			gpr[i] = call->gpr[i];
	gpr[TDX_RAX] = TDX_SUCCESS;
}

/* The last exit may have left a TDCALL for this entry to complete. */
static void finish_tdcall(struct call *call, struct vp *vp, uint64_t flags)
{
	if (vp->vcpu->last_exit == EXIT_TDVMCALL)
		finish_vmcall(call, vp);
	else if (flags & ENTER_HINT)
		vp->state->gpr[TDX_RAX] |= HOST_RECOVERABILITY_HINT;
	vp->vcpu->last_exit = EXIT_ASYNC_FAULT;
}

/*
 * Observed: a TDG.VP.VMCALL that selected an XMM register leaves an extended state
 * that cannot be loaded, and the next entry kills the TD.
 */
static uint64_t extended_state_failed(struct call *call, struct vp *vp)
{
	atomic_store(&vp->td.tdr->fatal, true);
	set_exit_registers(call, 0, EEQ_XSTATE_FAILED, 0, 0);
	call->gpr[TDX_RBP] = 0;
	return TDX_NON_RECOVERABLE_TD | REASON_ENTRY_FAILED;
}

static bool extended_state_is_broken(const struct vp *vp)
{
	return vp->vcpu->last_exit == EXIT_TDVMCALL && (vp->state->gpr[TDX_RCX] & MASK_XMMS);
}

static struct tdx_vcpu_view view_of(struct vp *vp)
{
	struct tdx_model *model = vp->td.model;
	const struct vcpu *vcpu = vp->vcpu;
	uint64_t plain = (UINT64_C(1) << keyid_shift(model)) - 1;
	bool own_table = vcpu->shared_ept ==
			 with_keyid(model, vp->td.tdr->tdcx_pa[TDCS_ZERO], vp->td.tdr->keyid);

	return (struct tdx_vcpu_view){
		.state = vp->state,
		.vapic = vp->vapic,
		.tdvpr_hpa = vp->tdvpr_pa,
		.tdr_hpa = vp->td.tdr_pa,
		.vcpu_index = vcpu->index,
		.gpaw = td_gpa_bits(&vp->td),
		.shared_ept_root = own_table ? 0 : vcpu->shared_ept & plain,
		.pid_hpa = vcpu->pid_hpa & plain,
		.notification_vector = vcpu->notification_vector,
		.posted = vcpu->posted,
		.pend_nmi = vcpu->pend_nmi && !vcpu->ve.valid,
		.tsc_offset = vp->td.cs->tsc_offset,
		.tsc_multiplier = vp->td.cs->tsc_multiplier,
		.xfam = vp->td.cs->xfam,
	};
}

static void run(struct guest *guest)
{
	const struct tdx_machine *machine = &guest->call->model->machine;
	struct vcpu *vcpu = guest->vp->vcpu;
	struct tdx_vcpu_view view = view_of(guest->vp);
	bool offered_nmi = view.pend_nmi;

	guest->exit = (struct tdx_exit){0};
	machine->run_guest(machine->ctx, guest->call->lp, &view, &guest->exit);
	if (offered_nmi)
		vcpu->pend_nmi = view.pend_nmi;
	vcpu->last_vmexit = guest->exit;
}

static uint64_t run_until_exit(struct call *call, struct vp *vp)
{
	const struct tdx_machine *machine = &call->model->machine;
	struct guest guest = {.call = call, .vp = vp};

	do
		run(&guest);
	while (guest_handle_exit(&guest) == GUEST_RESUME);
	if (atomic_load(&vp->vcpu->state) == VCPU_ACTIVE)
		atomic_store(&vp->vcpu->state, VCPU_READY);
	vp->vcpu->last_exit_tsc = machine->rdtsc(machine->ctx, call->lp);
	leave_epoch(vp);
	return guest.status;
}

/* ---- zero-step defence ---------------------------------------------------- */

/* Too many faults on one instruction are remembered with their private GPAs. */
#define EPF_THRESHOLD 6

void guest_count_fault(struct guest *guest)
{
	struct vcpu *vcpu = guest->vp->vcpu;
	uint64_t gpa = guest->exit.gpa;

	if (guest->exit.rip_advance != 0)
		vcpu->epf_count = vcpu->epf_gpa_count = 0;
	if (guest->exit.reason != EXIT_EPT_VIOLATION)
		return;
	if (vcpu->epf_count < EPF_THRESHOLD) {
		vcpu->epf_count++;
		return;
	}
	if (!gpa_is_private(&guest->vp->td, gpa) || vcpu->epf_gpa_count == EPF_LIST_SIZE)
		return;
	for (unsigned i = 0; i < vcpu->epf_gpa_count; i++)
		if (vcpu->epf_gpa[i] == gpa)
			return;
	vcpu->epf_gpa[vcpu->epf_gpa_count++] = gpa;
}

/* With a suspicion pending, enter only if none of the GPAs would fault again. */
static uint64_t check_faulting(struct call *call, struct vp *vp, bool *refused)
{
	struct sept_walk walk;

	*refused = false;
	if (vp->vcpu->epf_gpa_count == 0)
		return TDX_SUCCESS;
	if (!take_lock(vp->td.model, &vp->td.cs->sept_lock, LOCK_EXCLUSIVE)) {
		*refused = true;
		return TDX_OPERAND_BUSY | OPERAND_SEPT_TREE;
	}
	for (unsigned i = 0; i < vp->vcpu->epf_gpa_count && !*refused; i++) {
		sept_walk_to(&vp->td, vp->vcpu->epf_gpa[i], LEVEL_4K, &walk);
		if (sept_state(walk.entry) == SEPT_MAPPED)
			continue;
		*refused = true;
		set_exit_registers(call, QUAL_WRITE, 0, vp->vcpu->epf_gpa[i] & ~(PAGE_4K - 1),
				   0);
	}
	lock_release(&vp->td.cs->sept_lock, LOCK_EXCLUSIVE);
	return *refused ? TDX_SUCCESS | EXIT_EPT_VIOLATION : TDX_SUCCESS;
}

/* ---- checks before entry -------------------------------------------------- */

static uint64_t check_platform(struct call *call, struct vp *vp)
{
	const struct tdx_machine *machine = &call->model->machine;
	uint64_t misc = rdmsr(call, IA32_MISC_ENABLE);

	if (rdmsr(call, IA32_TSC_ADJUST) != msr_sampled(call->model, IA32_TSC_ADJUST))
		return TDX_INCONSISTENT_MSR | IA32_TSC_ADJUST;
	if ((int64_t)(machine->rdtsc(machine->ctx, call->lp) - vp->vcpu->last_exit_tsc) < 0)
		return TDX_TSC_ROLLBACK;
	if (vp->td.cs->monitor && !(misc & MISC_ENABLE_MONITOR_FSM))
		return TDX_INCORRECT_MSR_VALUE | IA32_MISC_ENABLE;
	return TDX_SUCCESS;
}

static uint64_t check_vcpu(struct call *call, struct vp *vp, uint64_t flags)
{
	bool is_new;
	uint64_t status = td_check(&vp->td, TDH_VP_ENTER, LOCK_SHARED);

	if (status)
		return status;
	if (!vp_map(vp))
		return TDX_TDCX_NUM_INCORRECT;
	if (atomic_load(&vp->vcpu->state) != VCPU_READY)
		return TDX_VCPU_STATE_INCORRECT;
	status = vp_associate(call, vp, &is_new);
	if (status)
		return status;
	if (((flags & ENTER_HINT) && vp->vcpu->last_exit != EXIT_ASYNC_TRAP) ||
	    (flags & ENTER_RESUME_L1))
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	return check_platform(call, vp);
}

static uint64_t enter(struct call *call, struct vp *vp, uint64_t flags)
{
	uint64_t status = check_vcpu(call, vp, flags);
	bool refused;

	if (status)
		return status;
	status = check_faulting(call, vp, &refused);
	if (refused)
		return status;
	if (!enter_epoch(vp))
		return TDX_OPERAND_BUSY | OPERAND_TD_EPOCH;
	if (extended_state_is_broken(vp)) {
		leave_epoch(vp);
		return extended_state_failed(call, vp);
	}
	finish_tdcall(call, vp, flags);
	atomic_store(&vp->vcpu->state, VCPU_ACTIVE);
	vp->vcpu->launched = true;
	lock_release(&vp->td.cs->op_state_lock, vp->td.op_state_lock);
	vp->td.op_state_lock = LOCK_NONE;
	return run_until_exit(call, vp);
}

uint64_t tdh_vp_enter(struct call *call)
{
	uint64_t rcx = call->gpr[TDX_RCX];
	struct vp vp;
	uint64_t status;

	if (rdmsr(call, IA32_MISC_ENABLE) & MISC_ENABLE_LIMIT_CPUID)
		return TDX_LIMIT_CPUID_MAXVAL_SET;
	if (rcx & ENTER_RESERVED)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	status = vp_lock(call, rcx & ~(ENTER_HINT | ENTER_RESUME_L1), OPERAND_RCX, LOCK_SHARED,
			 &vp);
	if (!status)
		status = enter(call, &vp, rcx);
	vp_unlock(&vp);
	return status;
}
