/* SPDX-License-Identifier: MIT */
/* SVM exits of a TD as the VMX exits that the module expects. */
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/lapic.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/td.h"

enum {
	VMX_EXCEPTION = 0,
	VMX_INTERRUPT = 1,
	VMX_TRIPLE_FAULT = 2,
	VMX_TASK_SWITCH = 9,
	VMX_CPUID = 10,
	VMX_HLT = 12,
	VMX_INVD = 13,
	VMX_RDPMC = 15,
	VMX_IO = 30,
	VMX_MWAIT = 36,
	VMX_MONITOR = 39,
	VMX_WBINVD = 54,
	VMX_XSETBV = 55,
};

#define INTERRUPTION_NMI UINT32_C(0x80000202)

/* SVM's IOIO information */
#define IOIO_IN     UINT64_C(1)
#define IOIO_STRING (UINT64_C(1) << 2)
#define IOIO_REP    (UINT64_C(1) << 3)
#define IOIO_SIZE(i)                                                                           \
	((i) >> 4 & 7) /* one bit each for 1, 2, 4 bytes: the value is the size                \
			*/
#define IOIO_PORT(i)   ((i) >> 16 & 0xffff)
#define QUAL_IO_IN     (UINT64_C(1) << 3)
#define QUAL_IO_STRING (UINT64_C(1) << 4)
#define QUAL_IO_REP    (UINT64_C(1) << 5)
#define QUAL_IO_IMM    (UINT64_C(1) << 6)

struct gview td_view(struct td_run *r)
{
	return (struct gview){.vmcb = r->vmcb, .memory = td_memory, .ctx = r};
}

static bool report(struct td_run *r, unsigned reason, unsigned default_length)
{
	struct gview g = td_view(r);
	struct insn in;

	r->exit->reason = reason;
	r->exit->instruction_length = insn_decode(&g, r->gpr, &in) ? in.length : default_length;
	return true;
}

static bool report_event(struct td_run *r, unsigned reason)
{
	r->exit->reason = reason;
	return true;
}

static bool handle_cpuid(struct td_run *r)
{
	r->vcpu->asked_cpuid = true;
	r->vcpu->cpuid_leaf = (uint32_t)r->gpr[TDX_RAX];
	r->vcpu->cpuid_subleaf = (uint32_t)r->gpr[TDX_RCX];
	return report(r, VMX_CPUID, 2);
}

static bool handle_io(struct td_run *r)
{
	uint64_t info = r->vmcb->exit_info1;
	unsigned length = (unsigned)(r->vmcb->exit_info2 - r->vmcb->rip);
	uint64_t q = (IOIO_SIZE(info) - 1) | IOIO_PORT(info) << 16;

	if ((info & IOIO_IN) != 0)
		q |= QUAL_IO_IN;
	if ((info & IOIO_STRING) != 0)
		q |= QUAL_IO_STRING;
	if ((info & IOIO_REP) != 0)
		q |= QUAL_IO_REP;
	if ((info & IOIO_STRING) == 0 && length >= 2 && IOIO_PORT(info) <= 0xff &&
	    (uint16_t)r->gpr[TDX_RDX] != IOIO_PORT(info))
		q |= QUAL_IO_IMM;
	r->exit->reason = VMX_IO;
	r->exit->qualification = q;
	r->exit->instruction_length = length;
	return true;
}

static bool handle_wbinvd(struct td_run *r)
{
	struct gview g = td_view(r);
	struct insn in;
	bool is_invd = insn_decode(&g, r->gpr, &in) && in.opcode == 0x08;

	return report(r, is_invd ? VMX_INVD : VMX_WBINVD, 2);
}

static bool report_kicks(struct td_run *r)
{
	struct lp *lp = r->lp;

	l1_consume_kicks(lp);
	if (lp->nmi_waits) {
		/* The exit is the delivery: NMIs are blocked until the host's IRET. */
		lp->nmi_waits = false;
		lp->in_nmi = true;
		lp->l1->intercept1 |= ICPT_IRET;
		r->exit->interruption_info = INTERRUPTION_NMI;
		return report_event(r, VMX_EXCEPTION);
	}
	/* A machine check for L1 is queued: let it have the CPU. */
	return (lp->l1->event_inj & EVENT_VALID) != 0 && report_event(r, VMX_INTERRUPT);
}

static bool handle_nmi(struct td_run *r)
{
	insn_open_gate(0);
	return report_kicks(r);
}

/*
 * The exit carries no vector. A posted-interrupt notification that is the
 * highest pending interrupt is ours: acknowledge it through our IDT. If another
 * one overtook it on the way, L1 gets that by injection.
 */
static bool handle_interrupt(struct td_run *r)
{
	struct lp *lp = r->lp;
	unsigned notification = r->view->notification_vector;

	if (!r->view->posted || lapic_highest(LAPIC_IRR) != (int)notification)
		return report_event(r, VMX_INTERRUPT);
	lp->taken_vector = 0;
	insn_open_gate(1);
	if (lp->taken_vector == notification) {
		lapic_write(LAPIC_EOI, 0);
		td_apic_take_posted(r);
	} else if (lp->taken_vector != 0) {
		lp->stolen_vector = (uint8_t)lp->taken_vector;
		return report_event(r, VMX_INTERRUPT);
	}
	return lp->nmi_seen && report_kicks(r);
}

/* Nobody above learns where it happened. */
static bool handle_triple_fault(struct td_run *r)
{
	const struct vmcb *v = r->vmcb;

	emu_log("tdxemu: cpu%u TD triple fault: rip %#lx rsp %#lx rflags %#lx cr0 %#lx cr2 "
		"%#lx cr3 %#lx cr4 %#lx efer %#lx idt %#lx event %#x",
		r->lp->index, v->rip, r->gpr[TDX_RSP], v->rflags, v->cr0, v->cr2, v->cr3,
		v->cr4, v->efer, v->idtr.base, v->exit_int_info);
	return report_event(r, VMX_TRIPLE_FAULT);
}

static bool handle_iret(struct td_run *r)
{
	r->state->interruptibility &= ~UINT32_C(8);
	return false;
}

static bool raise_ud(struct td_run *r)
{
	td_raise(r, VECTOR_UD);
	return false;
}

/* NOLINTNEXTLINE(readability-function-size): flat table of one-line calls */
bool td_handle_exit(struct td_run *r)
{
	switch (r->vmcb->exit_code) {
	case SVM_EXIT_CR0_READ:
	case SVM_EXIT_CR3_READ:
	case SVM_EXIT_CR4_READ:
	case SVM_EXIT_CR0_WRITE:
	case SVM_EXIT_CR3_WRITE:
	case SVM_EXIT_CR4_WRITE:
		return td_handle_cr(r);
	case SVM_EXIT_UD:
		return td_handle_ud(r);
	case SVM_EXIT_INTR:
		return handle_interrupt(r);
	case SVM_EXIT_NMI:
		return handle_nmi(r);
	case SVM_EXIT_VINTR:
		return false;
	case SVM_EXIT_RDPMC:
		return report(r, VMX_RDPMC, 2);
	case SVM_EXIT_CPUID:
		return handle_cpuid(r);
	case SVM_EXIT_IRET:
		return handle_iret(r);
	case SVM_EXIT_INVD:
		return report(r, VMX_INVD, 2);
	case SVM_EXIT_HLT:
		return report(r, VMX_HLT, 1);
	case SVM_EXIT_IOIO:
		return handle_io(r);
	case SVM_EXIT_MSR:
		return td_handle_msr(r);
	case SVM_EXIT_TASK_SWITCH:
		return report_event(r, VMX_TASK_SWITCH);
	case SVM_EXIT_SHUTDOWN:
		return handle_triple_fault(r);
	case SVM_EXIT_WBINVD:
		return handle_wbinvd(r);
	case SVM_EXIT_MONITOR:
		return report(r, VMX_MONITOR, 3);
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_MWAIT_ARMED:
		return report(r, VMX_MWAIT, 3);
	case SVM_EXIT_XSETBV:
		return report(r, VMX_XSETBV, 3);
	case SVM_EXIT_NPF:
		return td_handle_npf(r);
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMMCALL:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
		return raise_ud(r);
	default:
		emu_die(EMU_EXIT_FATAL,
			"TD exit %#lx info %#lx %#lx rip %#lx cr0 %#lx cr3 %#lx cr4 %#lx efer "
			"%#lx",
			r->vmcb->exit_code, r->vmcb->exit_info1, r->vmcb->exit_info2,
			r->vmcb->rip, r->vmcb->cr0, r->vmcb->cr3, r->vmcb->cr4, r->vmcb->efer);
	}
}
