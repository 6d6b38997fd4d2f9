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
#define BUS_LOCK_PREEMPTED  (1u << 26)          /* of an exit reason */
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

void guest_set_exit_registers(struct call *call, uint64_t rcx, uint64_t rdx, uint64_t r8,
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

/* The host hears of a bus lock that was cut short once, with whatever exit comes first. */
static uint32_t exit_reason(struct guest *guest)
{
	uint32_t reason = guest->exit.reason | (guest->bus_lock ? BUS_LOCK_PREEMPTED : 0);

	guest->bus_lock = false;
	return reason;
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
	guest_set_exit_registers(guest->call, qualification & ~QUAL_VM, extended, gpa,
				 interruption);
	/* Observed: even if the TD was to leave RBP alone. */
	guest->call->gpr[TDX_RBP] = 0;
	vp->vcpu->last_exit =
		status == TDX_HOST_PRIORITY_BUSY_TIMEOUT ? EXIT_ASYNC_TRAP : EXIT_ASYNC_FAULT;
	guest->status = status | exit_reason(guest);
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
	guest_set_exit_registers(guest->call, mask, 0, 0, 0);
	if (!no_rbp)
		host[TDX_RBP] = 0;
	for (unsigned i = TDX_RDX; i < TDX_GPR_COUNT; i++)
		if (mask >> i & 1)
			host[i] = gpr[i];
	guest_skip_instruction(guest);
	guest->vp->vcpu->last_exit = EXIT_TDVMCALL;
	guest->status = TDX_SUCCESS | exit_reason(guest);
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
	if (mask & MASK_XMMS)
		vp->vcpu->xstate_broken = true;
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

static void count_progress(struct guest *guest)
{
	const struct tdx_exit *exit = &guest->exit;

	guest->rip_moved += exit->rip_advance;
	guest->ticks = guest->ticks + exit->tsc_in_guest < guest->ticks
			       ? UINT64_MAX
			       : guest->ticks + exit->tsc_in_guest;
}

static void run(struct guest *guest)
{
	const struct tdx_machine *machine = &guest->call->model->machine;
	struct vcpu *vcpu = guest->vp->vcpu;
	struct tdx_vcpu_view view = view_of(guest->vp);
	bool offered_nmi = view.pend_nmi;

	view.single_step = guest->is_stepping;
	guest->exit = (struct tdx_exit){0};
	machine->run_guest(machine->ctx, guest->call->lp, &view, &guest->exit);
	if (offered_nmi)
		vcpu->pend_nmi = view.pend_nmi;
	guest->bus_lock |= guest->exit.reason & BUS_LOCK_PREEMPTED;
	guest->exit.reason &= ~BUS_LOCK_PREEMPTED;
	vcpu->last_vmexit = guest->exit;
	count_progress(guest);
}

/*
 * Observed: a TDG.VP.VMCALL that selected an XMM register leaves an extended state that
 * cannot be loaded: every entry after it fails, and ends a TD that is not debuggable.
 */
static void fail_extended_state(struct guest *guest)
{
	guest->exit.reason = REASON_ENTRY_FAILED;
	guest_async_exit(guest,
			 td_is_debug(&guest->vp->td) ? TDX_SUCCESS : TDX_NON_RECOVERABLE_TD, 0,
			 EEQ_XSTATE_FAILED, 0, 0);
}

static uint64_t run_until_exit(struct guest *guest)
{
	const struct tdx_machine *machine = &guest->call->model->machine;
	struct vp *vp = guest->vp;

	if (vp->vcpu->xstate_broken) {
		fail_extended_state(guest);
	} else {
		vp->vcpu->launched = true;
		do
			run(guest);
		while (guest_handle_exit(guest) == GUEST_RESUME);
	}
	if (atomic_load(&vp->vcpu->state) == VCPU_ACTIVE)
		atomic_store(&vp->vcpu->state, VCPU_READY);
	vp->vcpu->last_exit_tsc = machine->rdtsc(machine->ctx, guest->call->lp);
	leave_epoch(vp);
	return guest->status;
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
	struct guest guest = {.call = call, .vp = vp};
	uint64_t status = check_vcpu(call, vp, flags);
	bool refused;

	if (status)
		return status;
	if (!enter_epoch(vp))
		return TDX_OPERAND_BUSY | OPERAND_TD_EPOCH;
	status = guest_filter_entry(&guest, &refused);
	if (refused) {
		leave_epoch(vp);
		return status;
	}
	guest_notify_of_faults(&guest);
	finish_tdcall(call, vp, flags);
	atomic_store(&vp->vcpu->state, VCPU_ACTIVE);
	drop_lock(call->model, &vp->td.cs->op_state_lock, vp->td.op_state_lock);
	vp->td.op_state_lock = LOCK_NONE;
	return run_until_exit(&guest);
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
