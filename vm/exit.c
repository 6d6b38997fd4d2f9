/* SPDX-License-Identifier: MIT */
#include "vm/exit.h"

#include <stddef.h>

#include "core/hw.h"
#include "guest-abi/ghci.h"
#include "tdx/status.h"
#include "vm/convert.h"
#include "vm/vcpu.h"
#include "vmx/exit.h"

#define REASON_MASK UINT64_C(0xffff) /* above it flags such as "bus lock detected" */

/* VM-exit interruption information (R9): type in 10:8, 2 = NMI. */
#define INTERRUPTION_TYPE_NMI 2U

static enum exit_action count(struct vcpu *v, enum exit_kind kind, enum exit_action action)
{
	v->exits[kind]++;
	return action;
}

const char *exit_kind_name(enum exit_kind k)
{
	static const char *const names[] = {
#define X(name, text) text,
		EXIT_KIND_LIST(X)
#undef X
	};

	return k < EXIT_KIND_COUNT ? names[k] : "?";
}

static enum exit_action crash(struct vcpu *v, tdx_status_t s, const char *what)
{
	const char *status = tdx_code_name(tdx_code(s));

	vm_end(v->vm, VM_CRASHED,
	       "vCPU %u: %s, TDH.VP.ENTER returned %s (%#lx) rcx %#lx r8 %#lx", v->td.index,
	       what, status != NULL ? status : "an unknown status", s.raw, v->regs.rcx,
	       v->regs.r8);
	return EXIT_LEAVE;
}

/* The module reports the NMI it met; NMIs stay blocked until a handler's IRET. */
static enum exit_action exception_or_nmi(struct vcpu *v, tdx_status_t s)
{
	if ((v->regs.r9 >> 8 & 7) != INTERRUPTION_TYPE_NMI)
		return crash(v, s, "exception");
	hw_run_nmi_handler();
	return EXIT_LEAVE;
}

static enum page_level fault_limit(uint64_t extended)
{
	if (tdx_exit_extension(extended) == TDX_EXIT_EXT_ACCEPT &&
	    tdx_exit_accept_level(extended) == LEVEL_4K)
		return LEVEL_4K;
	return LEVEL_2M;
}

/*
 * A page that is split waits until every vCPU left the epoch before; one that computes on and
 * on leaves it only if it is made to.
 */
static enum status resolve(struct vcpu *v, uint64_t at, enum page_level limit)
{
	enum status s = td_resolve_fault(&v->vm->td, gpa(at), limit);

	if (s != STATUS_BUSY)
		return s;
	vm_kick_and_wait(v->vm);
	return td_resolve_fault(&v->vm->td, gpa(at), limit);
}

static enum exit_action private_fault(struct vcpu *v, uint64_t at)
{
	char where[80];
	const char *what = "no such private RAM";
	enum status s;

	if (tdx_exit_extension(v->regs.rdx) == TDX_EXIT_EXT_PENDING_EPT_VIOLATION) {
		what = "access before it was accepted";
	} else {
		s = resolve(v, at, fault_limit(v->regs.rdx));
		if (s == STATUS_OK) {
			promote_note(v->vm, at);
			return EXIT_RESUME;
		}
		if (s == STATUS_BUSY)
			return EXIT_LEAVE;
		if (s != STATUS_BAD_ARG)
			what = status_name(s);
	}
	td_describe_gpa(&v->vm->td, gpa(at), where, sizeof(where));
	vm_end(v->vm, VM_CRASHED, "vCPU %u: private GPA %#lx: %s (%s)", v->td.index, at, what,
	       where);
	return EXIT_LEAVE;
}

static enum exit_action shared_fault(struct vcpu *v, uint64_t at)
{
	enum status s = convert_shared_fault(v->vm, at);

	if (s == STATUS_OK)
		return EXIT_RESUME;
	vm_end(v->vm, VM_CRASHED, "vCPU %u: shared GPA %#lx: %s", v->td.index, at,
	       s == STATUS_BAD_ARG ? "neither RAM nor a file nor a device" : status_name(s));
	return EXIT_LEAVE;
}

/* Both kinds may take frames and flush caches: long enough to let interrupts in. */
static enum exit_action ept_violation(struct vcpu *v)
{
	uint64_t at = v->regs.r8 & ~TD_SHARED_BIT;
	bool is_shared = (v->regs.r8 & TD_SHARED_BIT) != 0;
	enum exit_action action;

	v->exits[is_shared ? EXIT_KIND_EPT_SHARED : EXIT_KIND_EPT_PRIVATE]++;
	hw_irq_restore(true);
	action = is_shared ? shared_fault(v, at) : private_fault(v, at);
	hw_irq_disable();
	return action;
}

static enum exit_action triple_fault(struct vcpu *v)
{
	if (atomic_load(&v->vm->resets_itself))
		vm_end(v->vm, VM_STOPPED, "the guest reset itself, which takes a new TD");
	else
		vm_end(v->vm, VM_CRASHED, "vCPU %u: triple fault", v->td.index);
	return EXIT_LEAVE;
}

/* NOLINTNEXTLINE(readability-function-size): one line for each exit reason */
static OUT_OF_LINE enum exit_action dispatch(struct vcpu *v, tdx_status_t s)
{
	switch (s.raw & REASON_MASK) {
	case EXIT_TDCALL: /* with flags above the reason */
		return vcpu_handle_tdvmcall(v);
	case EXIT_EXTERNAL_INTERRUPT:
		return count(v, EXIT_KIND_INTERRUPT, EXIT_LEAVE);
	case EXIT_EXCEPTION_NMI:
		return count(v, EXIT_KIND_NMI, exception_or_nmi(v, s));
	case EXIT_EPT_VIOLATION:
		return ept_violation(v);
	case EXIT_EPT_MISCONFIG:
		return count(v, EXIT_KIND_OTHER, crash(v, s, "EPT misconfiguration"));
	case EXIT_TRIPLE_FAULT:
		return count(v, EXIT_KIND_TRIPLE_FAULT, triple_fault(v));
	case EXIT_INIT:
	case EXIT_OTHER_SMI:
	case EXIT_BUS_LOCK:
	case EXIT_NOTIFY:
		return count(v, EXIT_KIND_OTHER, EXIT_LEAVE);
	default:
		return count(v, EXIT_KIND_OTHER, crash(v, s, "unexpected exit"));
	}
}

/* Contention and interruptions are nobody's failure: the vCPU has its turn again. */
static OUT_OF_LINE enum exit_action did_not_run(struct vcpu *v, tdx_status_t s)
{
	switch (tdx_code(s)) {
	case TDX_OPERAND_BUSY:
	case TDX_SYS_BUSY:
	case TDX_OPERAND_BUSY_HOST_PRIORITY:
	case TDX_HOST_PRIORITY_BUSY_TIMEOUT:
	case TDX_INTERRUPTED_RESUMABLE:
	case TDX_INTERRUPTED_RESTARTABLE:
		return count(v, EXIT_KIND_BUSY, EXIT_LEAVE);
	case TDX_NON_RECOVERABLE_VCPU:
		if ((s.raw & REASON_MASK) == EXIT_TRIPLE_FAULT)
			return count(v, EXIT_KIND_TRIPLE_FAULT, triple_fault(v));
		return count(v, EXIT_KIND_OTHER, crash(v, s, "the vCPU is lost"));
	case TDX_NON_RECOVERABLE_TD:
	case TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE:
	case TDX_NON_RECOVERABLE_TD_CORRUPTED_MD:
	case TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE:
	case TDX_TD_FATAL:
		return count(v, EXIT_KIND_OTHER, crash(v, s, "the TD is lost"));
	default:
		return count(v, EXIT_KIND_OTHER, crash(v, s, "the TD cannot run"));
	}
}

/* First what is most of all exits: it needs no registers saved for the others. */
enum exit_action vcpu_handle_exit(struct vcpu *v, tdx_status_t s)
{
	if (s.raw == EXIT_TDCALL)
		return vcpu_handle_tdvmcall(v);
	return tdx_code(s) == TDX_SUCCESS ? dispatch(v, s) : did_not_run(v, s);
}
