/* SPDX-License-Identifier: MIT */
/*
 * Against a host that lets a guest run one instruction at a time, or none, and watches.
 *
 * Single-stepping: an interrupt that ends a run too soon is put back, and the guest goes on
 * for a random number of instructions, one by one, before the host may have it.
 * Zero-stepping: private GPAs that fault again and again at one instruction are remembered;
 * while one of them would fault once more, the guest is not entered at all.
 */
#include "tests/model/guest.h"

#define STEP_BYTES (2 * 15) /* two instructions of the greatest length */
#define STEP_TICKS 4096
#define STEPS_MASK 0x1fu
#define LFSR_TAPS  UINT32_C(0xb4bcd35c)
#define FAULTS_MAX 6

#define IA32_APIC_BASE    0x1b
#define APIC_BASE_ENABLED (UINT64_C(1) << 11)

#define VECTOR(info)      ((info)&0xff)
#define VECTOR_NMI        2
#define SMI_MSMI          1
#define QUAL_WRITE        2
#define QUAL_IRET_NMI     UINT64_C(0x1000)
#define BLOCKED_BY_NMI    8
#define NOTIFY_EPT_FAULTS 1

/* ---- single-stepping ------------------------------------------------------ */

static bool is_nmi(const struct tdx_exit *exit)
{
	return exit->reason == EXIT_EXCEPTION && VECTOR(exit->interruption_info) == VECTOR_NMI;
}

static bool is_interruption(const struct tdx_exit *exit)
{
	return exit->reason == EXIT_INTERRUPT || exit->reason == EXIT_MONITOR_TRAP ||
	       exit->reason == EXIT_INIT || is_nmi(exit) ||
	       (exit->reason == EXIT_SMI && !(exit->qualification & SMI_MSMI));
}

/* Has the guest come far enough since TDH.VP.ENTER for an interrupt to be just that? */
static bool ran_enough(const struct guest *guest)
{
	uint64_t moved = guest->rip_moved;

	if (moved >> 63)
		moved = -moved;
	return moved > STEP_BYTES || guest->ticks > STEP_TICKS;
}

static uint32_t next_random(struct lp_state *lp)
{
	lp->lfsr = lp->lfsr & 1 ? lp->lfsr >> 1 ^ LFSR_TAPS : lp->lfsr >> 1;
	return lp->lfsr;
}

static void raise(struct guest *guest, enum tdx_raised what, uint8_t vector)
{
	const struct tdx_machine *machine = &guest->call->model->machine;

	machine->raise(machine->ctx, guest->call->lp, what, vector);
}

static void begin_steps(struct guest *guest)
{
	guest->is_stepping = true;
	guest->steps_left =
		(next_random(&guest->call->model->lp[guest->call->lp]) & STEPS_MASK) + 1;
	if (guest->exit.reason == EXIT_INTERRUPT)
		raise(guest, TDX_RAISE_INTERRUPT, VECTOR(guest->exit.interruption_info));
}

/* What was held back comes out; after the last step the interrupts must end the next run. */
static enum guest_filter end_steps(struct guest *guest)
{
	if (guest->took_nmi && !is_nmi(&guest->exit))
		raise(guest, TDX_RAISE_NMI, 0);
	if (guest->took_init && guest->exit.reason != EXIT_INIT)
		raise(guest, TDX_RAISE_INIT, 0);
	guest->is_stepping = guest->took_nmi = guest->took_init = false;
	if (guest->exit.reason != EXIT_MONITOR_TRAP)
		return FILTER_CONTINUE;
	guest->ticks = UINT64_MAX;
	return FILTER_RESUME;
}

enum guest_filter guest_filter_exit(struct guest *guest)
{
	struct vcpu *vcpu = guest->vp->vcpu;

	if (guest->rip_moved != 0)
		vcpu->epf_count = vcpu->epf_gpa_count = 0;
	if (guest->call->model->machine.raise && is_interruption(&guest->exit)) {
		if (!guest->is_stepping) {
			if (ran_enough(guest))
				return FILTER_CONTINUE;
			if (!(rdmsr(guest->call, IA32_APIC_BASE) & APIC_BASE_ENABLED))
				return FILTER_WRONG_APIC_MODE;
			begin_steps(guest);
		}
		guest->took_nmi |= is_nmi(&guest->exit);
		guest->took_init |= guest->exit.reason == EXIT_INIT;
		if (guest->steps_left > 0) {
			guest->steps_left--;
			return FILTER_RESUME;
		}
	}
	return guest->is_stepping ? end_steps(guest) : FILTER_CONTINUE;
}

/* ---- zero-stepping -------------------------------------------------------- */

void guest_log_fault(struct guest *guest)
{
	struct vcpu *vcpu = guest->vp->vcpu;

	if (vcpu->epf_count < FAULTS_MAX) {
		vcpu->epf_count++;
		return;
	}
	if (vcpu->epf_gpa_count == EPF_LIST_SIZE)
		return;
	for (unsigned i = 0; i < vcpu->epf_gpa_count; i++)
		if (vcpu->epf_gpa[i] == guest->exit.gpa)
			return;
	vcpu->epf_gpa[vcpu->epf_gpa_count++] = guest->exit.gpa;
}

/* As if the guest had been entered and had faulted; RBP stays the host's. */
static uint64_t refuse_entry(struct guest *guest, uint64_t gpa)
{
	guest->vp->vcpu->last_exit = EXIT_ASYNC_FAULT;
	guest_set_exit_registers(guest->call, QUAL_WRITE, 0, gpa & ~(PAGE_4K - 1), 0);
	return TDX_SUCCESS | EXIT_EPT_VIOLATION;
}

uint64_t guest_filter_entry(struct guest *guest, bool *refused)
{
	struct td *td = &guest->vp->td;
	const struct vcpu *vcpu = guest->vp->vcpu;
	struct sept_walk walk;
	uint64_t status = TDX_SUCCESS;

	*refused = false;
	if (vcpu->epf_gpa_count == 0)
		return TDX_SUCCESS;
	if (!take_lock(td->model, &td->cs->sept_lock, LOCK_EXCLUSIVE)) {
		*refused = true;
		return TDX_OPERAND_BUSY | OPERAND_SEPT_TREE;
	}
	for (unsigned i = 0; i < vcpu->epf_gpa_count && !*refused; i++) {
		sept_walk_to(td, vcpu->epf_gpa[i], LEVEL_4K, &walk);
		*refused = sept_state(walk.entry) != SEPT_MAPPED;
		if (*refused)
			status = refuse_entry(guest, vcpu->epf_gpa[i]);
	}
	drop_lock(td->model, &td->cs->sept_lock, LOCK_EXCLUSIVE);
	return status;
}

/*
 * A guest that asked for it learns of the suspicion, by a #VE like that of the fault, unless
 * it can take none now.
 */
void guest_notify_of_faults(struct guest *guest)
{
	const struct vcpu *vcpu = guest->vp->vcpu;
	const struct tdx_exit *fault = &vcpu->last_vmexit;

	if (vcpu->epf_gpa_count == 0 ||
	    !(guest->vp->td.cs->notify_enables & NOTIFY_EPT_FAULTS) ||
	    fault->reason != EXIT_EPT_VIOLATION || !gpa_is_private(&guest->vp->td, fault->gpa))
		return;
	if ((guest->vp->state->interruptibility & BLOCKED_BY_NMI) ||
	    (fault->qualification & QUAL_IRET_NMI) || vcpu->ve.valid)
		return;
	guest->exit = *fault;
	guest_inject_ve(guest, fault->qualification, fault->gpa, 0);
}
