/* SPDX-License-Identifier: MIT */
/* What becomes of each VM exit: handled here, turned into an exception, or a TD exit. */
#include "tests/model/guest.h"

#include <string.h>

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

/*
 * An exit that this module never asked the CPU for. The host of a debuggable TD may have;
 * otherwise the TD is dead.
 */
static enum guest_result unexpected_exit(struct guest *guest)
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

/* ---- operands of TDCALL in memory ----------------------------------------- */

#define EPT_READ        UINT64_C(1)
#define EPT_WRITE       UINT64_C(2)
#define EPT_EXECUTE     UINT64_C(4)
#define EPT_RWX         UINT64_C(7)
#define EPT_TYPE(entry) ((entry) >> 3 & 7)
#define EPT_LEAF        UINT64_C(0x80)
#define EPT_HPA         UINT64_C(0x000ffffffffff000)
#define EPT_SUPPRESS_VE (UINT64_C(1) << 63)
#define EXECUTE_ONLY    UINT64_C(1) /* of IA32_VMX_EPT_VPID_CAP */

enum ept_walk {
	WALK_DONE,
	WALK_VIOLATION,
	WALK_CONVERTIBLE, /* a violation that the CPU would tell the guest of */
	WALK_MISCONFIGURED,
};

static bool ept_maps_page(uint64_t entry, unsigned level)
{
	return level == LEVEL_4K || (entry & EPT_LEAF);
}

/* SDM vol. 3, "EPT misconfigurations"; the host's tables may be in no private memory. */
static bool is_misconfigured(struct guest *guest, uint64_t entry, unsigned level)
{
	uint64_t type = EPT_TYPE(entry);
	uint64_t low = level_size(level) - 1;

	if ((entry & EPT_WRITE) && !(entry & EPT_READ))
		return true;
	if ((entry & EPT_EXECUTE) && !(entry & EPT_READ) &&
	    !(msr_sampled(guest->call->model, IA32_VMX_EPT_VPID_CAP) & EXECUTE_ONLY))
		return true;
	if (!(entry & EPT_RWX))
		return false;
	if (!ept_maps_page(entry, level))
		return (entry & 0x78) ||
		       check_shared_hpa(guest->call, entry & EPT_HPA, PAGE_4K, 0);
	return level > LEVEL_1G || type == 2 || type == 3 || type == 7 ||
	       (level > LEVEL_4K && (entry & low & EPT_HPA));
}

/* The host's own EPT for shared GPAs. */
static enum ept_walk shared_walk(struct guest *guest, uint64_t gpa, uint64_t access,
				 uint64_t *rights, uint64_t *hpa)
{
	struct tdx_model *model = guest->call->model;
	uint64_t plain = (UINT64_C(1) << keyid_shift(model)) - 1;
	uint64_t table = guest->vp->vcpu->shared_ept & EPT_HPA;

	for (unsigned level = (unsigned)(guest->vp->td.cs->eptp >> 3 & 7);; level--) {
		uint64_t index = gpa / level_size(level) & 511, entry;

		memcpy(&entry, (uint8_t *)page_at(model, table & plain) + 8 * index,
		       sizeof(entry));
		*rights &= entry;
		if (is_misconfigured(guest, entry, level))
			return WALK_MISCONFIGURED;
		if (!(entry & EPT_RWX) || (access & ~entry))
			return ((entry & EPT_RWX) && !ept_maps_page(entry, level)) ||
					       (entry & EPT_SUPPRESS_VE)
				       ? WALK_VIOLATION
				       : WALK_CONVERTIBLE;
		table = entry & EPT_HPA;
		if (!ept_maps_page(entry, level))
			continue;
		*hpa = (table & ~(level_size(level) - 1)) | (gpa & (level_size(level) - 1));
		if (check_shared_hpa(guest->call, *hpa & ~(PAGE_4K - 1), PAGE_4K, 0))
			return WALK_MISCONFIGURED;
		*hpa &= plain;
		return WALK_DONE;
	}
}

static enum ept_walk private_walk(struct guest *guest, uint64_t gpa, uint64_t *rights,
				  uint64_t *hpa)
{
	struct sept_walk walk;

	sept_walk_to(&guest->vp->td, gpa, LEVEL_4K, &walk);
	*hpa = sept_hpa(walk.entry, walk.level) | (gpa & (level_size(walk.level) - 1));
	if (sept_state(walk.entry) == SEPT_MAPPED)
		return WALK_DONE;
	*rights = 0;
	return sept_state(walk.entry) == SEPT_PENDING ? WALK_CONVERTIBLE : WALK_VIOLATION;
}

/* Of a pending page the TD's configuration says whether the guest or the host hears. */
static enum guest_result operand_fault(struct guest *guest, uint64_t gpa,
				       uint64_t qualification, enum ept_walk walk)
{
	uint64_t page = gpa & ~(PAGE_4K - 1);

	guest->exit.reason =
		walk == WALK_MISCONFIGURED ? EXIT_EPT_MISCONFIG : EXIT_EPT_VIOLATION;
	if (walk == WALK_MISCONFIGURED)
		return guest_async_exit(guest, TDX_SUCCESS, 0, 0, page, 0);
	if (walk == WALK_VIOLATION)
		return guest_async_exit(guest, TDX_SUCCESS, qualification, EEQ_NONE, page, 0);
	if (gpa_is_private(&guest->vp->td, gpa) &&
	    (guest->vp->td.cs->td_ctls & TD_CTLS_PENDING_VE_DISABLE))
		return guest_async_exit(guest, TDX_SUCCESS, qualification, EEQ_PENDING, page,
					0);
	return guest_inject_ve(guest, qualification, gpa, 0);
}

void *guest_memory(struct guest *guest, uint64_t gpa, uint64_t access,
		   enum guest_result *result)
{
	uint64_t hpa, rights = EPT_RWX;
	enum ept_walk walk = gpa_is_private(&guest->vp->td, gpa)
				     ? private_walk(guest, gpa, &rights, &hpa)
				     : shared_walk(guest, gpa, access, &rights, &hpa);

	if (walk == WALK_DONE)
		return page_at(guest->call->model, hpa);
	*result = operand_fault(guest, gpa, (access & ~rights) | rights << 3, walk);
	return NULL;
}

/* ---- control registers ---------------------------------------------------- */

#define CR0_PE   (UINT64_C(1) << 0)
#define CR0_NE   (UINT64_C(1) << 5)
#define CR0_WP   (UINT64_C(1) << 16)
#define CR0_NW   (UINT64_C(1) << 29)
#define CR0_CD   (UINT64_C(1) << 30)
#define CR0_PG   (UINT64_C(1) << 31)
#define CR0_LMSW UINT64_C(0xe) /* what LMSW can change: TS, EM, MP */
/* Bits whose new value is silently dropped. */
#define CR0_IGNORED (UINT64_C(0x1ff80000) | UINT64_C(1) << 17 | UINT64_C(0xffc0))

#define CR4_MCE      (UINT64_C(1) << 6)
#define CR4_VMXE     (UINT64_C(1) << 13)
#define CR4_SMXE     (UINT64_C(1) << 14)
#define CR4_PKE      (UINT64_C(1) << 22)
#define CR4_CET      (UINT64_C(1) << 23)
#define CR4_KL       (UINT64_C(1) << 19)
#define CR4_PKS      (UINT64_C(1) << 24)
#define CR4_UINTR    (UINT64_C(1) << 25)
#define CR4_RESERVED (~UINT64_C(0x3ff7fff))

#define CR_NUMBER(qual)   ((unsigned)((qual)&0xf))
#define CR_TYPE(qual)     ((unsigned)((qual) >> 4 & 3))
#define CR_REGISTER(qual) ((unsigned)((qual) >> 8 & 0xf))
#define CR_MOV_TO         0
#define CR_LMSW           3

/*
 * The CPU brings only writes that would change a bit which the module owns. What the CPU
 * itself refuses is #GP, the rest #VE, but for bits whose new value it drops silently.
 */
static enum guest_result write_cr0(struct guest *guest, uint64_t value)
{
	const struct tdx_model *model = guest->call->model;
	struct tdx_guest_state *s = guest->vp->state;
	uint64_t fixed0 = msr_sampled(model, IA32_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG);

	if ((~value & fixed0) || (value & ~msr_sampled(model, IA32_VMX_CR0_FIXED1)))
		return guest_inject_gp(guest);
	if ((value & CR0_PG) && !(value & CR0_PE))
		return guest_inject_gp(guest);
	if (!(value & CR0_WP) && (s->cr4 & CR4_CET))
		return guest_inject_gp(guest);
	if (!(value & CR0_PE) || !(value & CR0_NE) || (value & (CR0_NW | CR0_CD)) ||
	    value >> 32)
		return guest_inject_ve(guest, guest->exit.qualification, 0, 0);
	s->cr0 = (s->cr0 & CR0_IGNORED) | (value & ~CR0_IGNORED);
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

/* Bits that the TD's configuration does not offer. */
static uint64_t cr4_not_offered(const struct tdcs *cs)
{
	uint64_t bits = CR4_KL;

	bits |= cs->xfam & 0x200 ? 0 : CR4_PKE;
	bits |= (cs->xfam & 0x1800) == 0x1800 ? 0 : CR4_CET;
	bits |= cs->xfam & 0x4000 ? 0 : CR4_UINTR;
	bits |= cs->attributes & ATTR_PKS ? 0 : CR4_PKS;
	return bits;
}

/* As CR0, but no change of an owned bit is ever carried out. */
static enum guest_result write_cr4(struct guest *guest, uint64_t value)
{
	const struct tdx_model *model = guest->call->model;
	uint64_t fixed0 = msr_sampled(model, IA32_VMX_CR4_FIXED0) & ~CR4_VMXE;

	if ((~value & fixed0) || (value & ~msr_sampled(model, IA32_VMX_CR4_FIXED1)))
		return guest_inject_gp(guest);
	if (value & cr4_not_offered(guest->vp->td.cs))
		return guest_inject_gp(guest);
	if ((value & CR4_CET) && !(guest->vp->state->cr0 & CR0_WP))
		return guest_inject_gp(guest);
	return guest_inject_ve(guest, guest->exit.qualification, 0, 0);
}

static enum guest_result load_msw(struct guest *guest, uint64_t word)
{
	struct tdx_guest_state *s = guest->vp->state;

	s->cr0 = (s->cr0 & ~CR0_LMSW) | (word & CR0_LMSW);
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

static enum guest_result cr_access(struct guest *guest)
{
	uint64_t qual = guest->exit.qualification;
	uint64_t value = guest->vp->state->gpr[CR_REGISTER(qual)];

	if (CR_TYPE(qual) == CR_LMSW)
		return load_msw(guest, qual >> 16);
	if (CR_TYPE(qual) == CR_MOV_TO && CR_NUMBER(qual) == 0)
		return write_cr0(guest, value);
	if (CR_TYPE(qual) == CR_MOV_TO && CR_NUMBER(qual) == 4)
		return write_cr4(guest, value);
	return unexpected_exit(guest);
}

/* Whatever a machine brings of CR0 and CR4, these bits the module owns. */
uint64_t guest_cr0_mask(const struct tdx_model *model)
{
	return (~CR0_PG & (msr_sampled(model, IA32_VMX_CR0_FIXED0) |
			   ~msr_sampled(model, IA32_VMX_CR0_FIXED1))) |
	       CR0_PE | CR0_NE | CR0_NW | CR0_CD | CR0_IGNORED | ~UINT64_C(0xffffffff);
}

uint64_t guest_cr4_mask(const struct tdx_model *model, const struct tdcs *cs)
{
	return msr_sampled(model, IA32_VMX_CR4_FIXED0) |
	       ~msr_sampled(model, IA32_VMX_CR4_FIXED1) | CR4_MCE | CR4_VMXE | CR4_SMXE |
	       CR4_RESERVED | cr4_not_offered(cs);
}

/* XCR0: x87 always, within XFAM, and AVX-512 and AMX as wholes. */
static enum guest_result xsetbv(struct guest *guest)
{
	struct tdx_guest_state *s = guest->vp->state;
	uint64_t value = (s->gpr[TDX_RDX] << 32) | (s->gpr[TDX_RAX] & UINT32_MAX);
	uint64_t user = UINT64_C(0x602e7) & guest->vp->td.cs->xfam;

	if ((s->gpr[TDX_RCX] & UINT32_MAX) != 0 || !(value & 1) || (value & ~user))
		return guest_inject_gp(guest);
	if ((value & 4) && !(value & 2))
		return guest_inject_gp(guest);
	if ((value & 0xe0) && (value & 0xe6) != 0xe6)
		return guest_inject_gp(guest);
	if ((value & 0x60000) && (value & 0x60000) != 0x60000)
		return guest_inject_gp(guest);
	s->xcr0 = value;
	guest_skip_instruction(guest);
	return GUEST_RESUME;
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
		return unexpected_exit(guest);
	return guest_inject_gp(guest);
}

/* The guest never ran: what its debugger wrote is no state, or a machine check was first. */
static enum guest_result failed_entry(struct guest *guest)
{
	if (REASON_BASIC(guest->exit.reason) != FAILED_BY_MACHINE_CHECK)
		return unexpected_exit(guest);
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
		return xsetbv(guest);
	case EXIT_CR_ACCESS:
		return cr_access(guest);
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
		return unexpected_exit(guest);
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
