/* SPDX-License-Identifier: MIT */
/* What becomes of each VM exit: handled here, turned into an exception, or a TD exit. */
#include "tests/model/guest.h"

#define EVENT_VE  UINT32_C(0x80000314)
#define EVENT_GP  UINT32_C(0x80000b0d)
#define EVENT_UD  UINT32_C(0x80000306)
#define EVENT_DF  UINT32_C(0x80000b08)
#define EVENT_PF  UINT32_C(0x80000b0e)
#define EVENT_NMI UINT32_C(0x80000202)

#define REASON_ENTRY_FAILED     (UINT32_C(1) << 31)
#define REASON_BASIC(reason)    ((reason)&0xffff)
#define FAILED_BY_MACHINE_CHECK 41

#define INTERRUPTION_VECTOR(info) ((info)&0xff)
#define INTERRUPTION_TYPE(info)   ((info) >> 8 & 7)
#define TYPE_NMI                  2
#define TYPE_EXCEPTION            3
#define VECTOR_MC                 18
#define SMI_MSMI                  1
#define NOTIFY_CONTEXT_INVALID    1
#define NOTIFY_IRET_NMI           UINT64_C(0x1000)
#define BLOCKED_BY_NMI            8
#define RFLAGS_RF                 (UINT64_C(1) << 16)

/* EPT violation qualification. */
#define QUAL_WRITE        UINT64_C(2)
#define QUAL_FETCH        UINT64_C(4)
#define QUAL_GLA_VALID    UINT64_C(0x80)
#define QUAL_IRET_NMI     UINT64_C(0x1000)
#define QUAL_SHADOW_STACK UINT64_C(0x2000)
#define QUAL_NOT_SHOWN    UINT64_C(0x1f80) /* of the linear address: not the host's business */

unsigned guest_cpl(const struct guest *guest)
{
	return guest->vp->state->segment[TDX_SS].access_rights >> 5 & 3;
}

void guest_skip_instruction(struct guest *guest)
{
	guest->vp->state->rip += guest->exit.instruction_length;
	guest->rip_moved += guest->exit.instruction_length;
	guest->vp->state->interruptibility &= ~UINT32_C(3); /* STI and MOV SS blocking end */
}

/* Faults: the instruction runs again afterwards, without a debug exception of its own. */
enum guest_result guest_inject(struct guest *guest, uint32_t event, uint32_t error)
{
	guest->vp->state->event = event;
	guest->vp->state->event_error = error;
	guest->vp->state->rflags |= RFLAGS_RF;
	return GUEST_RESUME;
}

enum guest_result guest_inject_gp(struct guest *guest)
{
	return guest_inject(guest, EVENT_GP, 0);
}

enum guest_result guest_inject_ud(struct guest *guest)
{
	return guest_inject(guest, EVENT_UD, 0);
}

/* A #VE while the last one's information is still unread becomes #DF. */
enum guest_result guest_inject_ve(struct guest *guest, uint64_t qualification, uint64_t gpa,
				  uint64_t gla)
{
	struct ve_info *ve = &guest->vp->vcpu->ve;

	if (ve->valid)
		return guest_inject(guest, EVENT_DF, 0);
	*ve = (struct ve_info){.valid = true,
			       .exit_reason = guest->exit.reason,
			       .qualification = qualification,
			       .gla = gla,
			       .gpa = gpa,
			       .instruction_length = guest->exit.instruction_length,
			       .instruction_info = guest->exit.instruction_info};
	return guest_inject(guest, EVENT_VE, 0);
}

enum guest_result guest_unexpected_exit(struct guest *guest)
{
	return guest_async_exit(
		guest, td_is_debug(&guest->vp->td) ? TDX_SUCCESS : TDX_NON_RECOVERABLE_TD,
		guest->exit.qualification, 0, 0, 0);
}

bool tdx_model_deliver_ept_ve(struct tdx_model *model, const struct tdx_vcpu_view *vcpu,
			      const struct tdx_exit *violation)
{
	struct vcpu *v = page_at(model, vcpu->tdvpr_hpa);

	if (v->ve.valid)
		return false;
	v->ve = (struct ve_info){.valid = true,
				 .exit_reason = EXIT_EPT_VIOLATION,
				 .qualification = violation->qualification,
				 .gla = violation->gla,
				 .gpa = violation->gpa,
				 .instruction_length = violation->instruction_length,
				 .instruction_info = violation->instruction_info};
	vcpu->state->event = EVENT_VE;
	vcpu->state->event_error = 0;
	return true;
}

/* ---- EPT violations ------------------------------------------------------- */

/* A GPA above what the guest's page tables may hold: #PF as if that bit were reserved. */
static enum guest_result reserved_bit_fault(struct guest *guest)
{
	uint64_t qual = guest->exit.qualification;
	uint32_t error = 0x9; /* present, reserved bit */

	if (qual & QUAL_WRITE)
		error |= 0x2;
	if (guest_cpl(guest) == 3)
		error |= 0x4;
	if (qual & QUAL_FETCH)
		error |= 0x10;
	if (qual & QUAL_SHADOW_STACK)
		error |= 0x40;
	guest->vp->state->cr2 = guest->exit.gla;
	return guest_inject(guest, EVENT_PF, error);
}

static enum guest_result violation_exit(struct guest *guest, uint64_t extended)
{
	return guest_async_exit(guest, TDX_SUCCESS, guest->exit.qualification & ~QUAL_NOT_SHOWN,
				extended, guest->exit.gpa & ~(PAGE_4K - 1), 0);
}

enum guest_result guest_ept_violation(struct guest *guest)
{
	struct td *td = &guest->vp->td;
	uint64_t gpa = guest->exit.gpa;
	struct sept_walk walk;
	bool is_pending;

	if (guest->exit.qualification & QUAL_IRET_NMI)
		guest->vp->state->interruptibility |= BLOCKED_BY_NMI;
	if (gpa >> td_gpa_bits(td) != 0 && (guest->exit.qualification & QUAL_GLA_VALID))
		return reserved_bit_fault(guest);
	if (!gpa_is_private(td, gpa))
		return violation_exit(guest, EEQ_NONE);
	sept_walk_to(td, gpa, LEVEL_4K, &walk);
	is_pending = sept_state(walk.entry) == SEPT_PENDING;
	if (is_pending && !(td->cs->td_ctls & TD_CTLS_PENDING_VE_DISABLE))
		return guest_inject_ve(guest, guest->exit.qualification, gpa, guest->exit.gla);
	guest_log_fault(guest);
	return violation_exit(guest, is_pending ? EEQ_PENDING : EEQ_NONE);
}

static enum guest_result misconfiguration(struct guest *guest)
{
	if (gpa_is_private(&guest->vp->td, guest->exit.gpa))
		return guest_async_exit(guest, TDX_NON_RECOVERABLE_TD, 0, 0, 0, 0);
	return guest_async_exit(guest, TDX_SUCCESS, 0, 0, guest->exit.gpa & ~(PAGE_4K - 1), 0);
}

/* ---- the dispatcher ------------------------------------------------------- */

/* An exit that goes to the host with all that the CPU said. */
static enum guest_result host_exit(struct guest *guest, uint64_t status)
{
	return guest_async_exit(guest, status, guest->exit.qualification, 0, 0,
				guest->exit.interruption_info);
}

static enum guest_result exception(struct guest *guest)
{
	uint32_t info = guest->exit.interruption_info;

	if (INTERRUPTION_TYPE(info) == TYPE_NMI)
		return host_exit(guest, TDX_SUCCESS);
	if (INTERRUPTION_VECTOR(info) == VECTOR_MC)
		return host_exit(guest, TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE);
	return host_exit(guest,
			 td_is_debug(&guest->vp->td) ? TDX_SUCCESS : TDX_NON_RECOVERABLE_TD);
}

/* The guest can take the NMI that the host wants it to have, unless a #VE comes first. */
static enum guest_result nmi_window(struct guest *guest)
{
	struct vcpu *vcpu = guest->vp->vcpu;

	if (!vcpu->pend_nmi || vcpu->ve.valid)
		return GUEST_RESUME;
	vcpu->pend_nmi = false;
	guest->vp->state->event = EVENT_NMI;
	return GUEST_RESUME;
}

static enum guest_result notification(struct guest *guest)
{
	if (guest->exit.qualification & NOTIFY_IRET_NMI)
		guest->vp->state->interruptibility |= BLOCKED_BY_NMI;
	return guest_async_exit(guest,
				guest->exit.qualification & NOTIFY_CONTEXT_INVALID
					? TDX_NON_RECOVERABLE_TD
					: TDX_SUCCESS,
				guest->exit.qualification, 0, 0, 0);
}

static enum guest_result rdpmc(struct guest *guest)
{
	if (guest->vp->td.cs->attributes & ATTR_PERFMON)
		return guest_unexpected_exit(guest);
	return guest_inject_gp(guest);
}

/* The guest never ran: what its debugger wrote is no state, or a machine check was first. */
static enum guest_result failed_entry(struct guest *guest)
{
	if (REASON_BASIC(guest->exit.reason) != FAILED_BY_MACHINE_CHECK)
		return guest_unexpected_exit(guest);
	return guest_async_exit(guest, TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE,
				guest->exit.qualification, 0, 0, 0);
}

/* NOLINTNEXTLINE(readability-function-size): one line per exit reason */
static enum guest_result handle(struct guest *guest)
{
	const struct tdx_exit *exit = &guest->exit;

	if (exit->reason & REASON_ENTRY_FAILED)
		return failed_entry(guest);
	switch (exit->reason) {
	case EXIT_EXCEPTION:
		return exception(guest);
	case EXIT_INTERRUPT:
	case EXIT_C_STATE_SMI:
		return host_exit(guest, TDX_SUCCESS);
	case EXIT_SMI:
		return host_exit(guest, exit->qualification & SMI_MSMI
						? TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE
						: TDX_SUCCESS);
	case EXIT_TRIPLE_FAULT:
		return guest_async_exit(guest, TDX_NON_RECOVERABLE_VCPU, exit->qualification, 0,
					0, 0);
	case EXIT_INIT:
	case EXIT_TASK_SWITCH:
	case EXIT_BUS_LOCK:
		return guest_async_exit(guest, TDX_SUCCESS, exit->qualification, 0, 0, 0);
	case EXIT_NMI_WINDOW:
		return nmi_window(guest);
	case EXIT_NOTIFY:
		return notification(guest);
	case EXIT_EPT_VIOLATION:
		return guest_ept_violation(guest);
	case EXIT_EPT_MISCONFIG:
		return misconfiguration(guest);
	case EXIT_TDCALL:
		return guest_tdcall(guest);
	case EXIT_CPUID:
		return guest_cpuid(guest);
	case EXIT_RDMSR:
		return guest_rdmsr(guest);
	case EXIT_WRMSR:
		return guest_wrmsr(guest);
	case EXIT_XSETBV:
		return guest_xsetbv(guest);
	case EXIT_CR_ACCESS:
		return guest_cr_access(guest);
	case EXIT_RDPMC:
		return rdpmc(guest);
	case EXIT_HLT:
	case EXIT_INVD:
	case EXIT_VMCALL:
	case EXIT_IO:
	case EXIT_MWAIT:
	case EXIT_MONITOR:
	case EXIT_WBINVD:
	case EXIT_APIC_WRITE:
	case EXIT_PCONFIG:
		return guest_inject_ve(guest, exit->qualification, 0, 0);
	case EXIT_ENQCMD:
		return guest_inject_gp(guest);
	case EXIT_GETSEC:
	case EXIT_RSM:
	case EXIT_VMCLEAR ... EXIT_VMXON:
	case EXIT_INVEPT:
	case EXIT_INVVPID:
	case EXIT_VMFUNC:
	case EXIT_ENCLS:
	case EXIT_ENCLV:
	case EXIT_ENQCMDS:
	case EXIT_SEAMCALL:
		return guest_inject_ud(guest);
	default:
		return guest_unexpected_exit(guest);
	}
}

/* An exception that the debugger of a debuggable TD waits for, before the guest gets it. */
static bool is_watched(const struct guest *guest)
{
	uint32_t event = guest->vp->state->event;

	return td_is_debug(&guest->vp->td) && event >> 31 &&
	       INTERRUPTION_TYPE(event) == TYPE_EXCEPTION &&
	       guest->vp->vcpu->exception_bitmap >> (event & 31) & 1;
}

/* Some exits that the guest does not see, the host does. */
static enum guest_result before_resuming(struct guest *guest)
{
	if (guest->bus_lock) {
		guest->exit.reason = EXIT_BUS_LOCK;
		return guest_async_exit(guest, TDX_SUCCESS, 0, 0, 0, 0);
	}
	if (!is_watched(guest))
		return GUEST_RESUME;
	guest->exit.reason = EXIT_EXCEPTION;
	return guest_async_exit(guest, TDX_SUCCESS, 0, 0, 0, guest->vp->state->event);
}

enum guest_result guest_handle_exit(struct guest *guest)
{
	enum guest_result result = GUEST_RESUME;

	/* Another vCPU has ended the TD. */
	if (atomic_load(&guest->vp->td.tdr->fatal))
		return host_exit(guest, TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE);
	switch (guest_filter_exit(guest)) {
	case FILTER_WRONG_APIC_MODE:
		return host_exit(guest, TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE);
	case FILTER_RESUME:
		return GUEST_RESUME;
	case FILTER_CONTINUE:
		result = handle(guest);
		break;
	}
	return result == GUEST_RESUME ? before_resuming(guest) : result;
}
