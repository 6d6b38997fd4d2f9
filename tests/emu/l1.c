/* SPDX-License-Identifier: MIT */
#include "tests/emu/l1.h"

#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/lapic.h"
#include "tests/emu/smp.h"
#include "tests/emu/svm_insn.h"

#define MSR_EFER  0xc0000080
#define DR6_RESET UINT64_C(0xffff0ff0)
#define DR7_RESET UINT64_C(0x400)
#define PAT_RESET UINT64_C(0x0007040600070406)

static void set_controls(struct vmcb *v)
{
	v->cr_read = emu.cr4_read_icpt;
	v->cr_write = 1U << 4;
	v->exceptions = 1U << VECTOR_UD;
	v->intercept1 = ICPT_NMI | ICPT_CPUID | ICPT_INVLPGA | ICPT_MSR | ICPT_SHUTDOWN;
	v->intercept2 = ICPT2_AMD_ONLY;
	v->msrpm = (uint64_t)emu.msrpm_l1;
	v->asid = 1;
	v->nested_ctl = 1;
	v->nested_cr3 = (uint64_t)emu.l1_npt.root;
}

static void set_segment(struct vmcb_seg *s, uint16_t selector, uint16_t attrib, uint32_t limit,
			uint64_t base)
{
	*s = (struct vmcb_seg){
		.selector = selector, .attrib = attrib, .limit = limit, .base = base};
}

static void set_data_segments(struct vmcb *v, uint16_t selector, uint16_t attrib,
			      uint32_t limit)
{
	set_segment(&v->es, selector, attrib, limit, 0);
	set_segment(&v->ss, selector, attrib, limit, 0);
	set_segment(&v->ds, selector, attrib, limit, 0);
	set_segment(&v->fs, selector, attrib, limit, 0);
	set_segment(&v->gs, selector, attrib, limit, 0);
}

static void set_common(struct vmcb *v)
{
	set_controls(v);
	v->efer = EFER_SVME;
	v->dr6 = DR6_RESET;
	v->dr7 = DR7_RESET;
	v->pat = PAT_RESET;
	v->rflags = RFLAGS_FIXED;
	set_segment(&v->ldtr, 0, SEG_ATTR_LDT, 0xffff, 0);
	set_segment(&v->tr, 0, SEG_ATTR_TSS, 0xffff, 0);
	set_segment(&v->gdtr, 0, 0, 0xffff, 0);
	set_segment(&v->idtr, 0, 0, 0xffff, 0);
}

/* The state that a CPU has after SIPI. */
static void set_real_mode(struct lp *lp, unsigned sipi_vector)
{
	struct vmcb *v = lp->l1;

	memset(v, 0, sizeof(*v));
	set_common(v);
	v->cr0 = 0x10;
	set_segment(&v->cs, (uint16_t)(sipi_vector << 8), SEG_ATTR_CODE, 0xffff,
		    (uint64_t)sipi_vector << 12);
	set_data_segments(v, 0, SEG_ATTR_DATA, 0xffff);
	memset(lp->gpr, 0, sizeof(lp->gpr));
	lp->cr4 = 0;
	lp->in_nmi = false;
	lp->nmi_waits = false;
	l1_msr_reset(lp);
	l1_vmx_reset(lp);
}

static void set_multiboot(struct lp *lp, const struct l1_start *start)
{
	struct vmcb *v = lp->l1;

	set_common(v);
	v->cr0 = CR0_PE | 0x10;
	set_segment(&v->cs, 8, SEG_ATTR_CODE | SEG_ATTR_FLAT, 0xffffffff, 0);
	set_data_segments(v, 16, SEG_ATTR_DATA | SEG_ATTR_FLAT, 0xffffffff);
	v->rip = start->rip;
	lp->gpr[TDX_RAX] = start->eax;
	lp->gpr[TDX_RBX] = start->ebx;
}

static void copy_descriptor(struct vmcb_seg *s, uint16_t selector, uint64_t gdt_base)
{
	uint64_t d;

	*s = (struct vmcb_seg){.selector = selector};
	if ((selector & ~7U) == 0)
		return;
	memcpy(&d, (const void *)(gdt_base + (selector & ~7U)), sizeof(d));
	s->attrib = (uint16_t)((d >> 40 & 0xff) | (d >> 44 & 0xf00));
	s->limit = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));
	if ((s->attrib & 0x800) != 0)
		s->limit = s->limit << 12 | 0xfff;
	s->base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
}

/* L1 goes on where this CPU is now: firmware context, 64-bit. */
static void set_current(struct lp *lp, const struct l1_start *start)
{
	struct vmcb *v = lp->l1;
	struct insn_table gdt, idt;

	insn_sgdt(&gdt);
	insn_sidt(&idt);
	set_common(v);
	v->cr0 = insn_read_cr0();
	v->cr3 = insn_read_cr3();
	v->cr4 = insn_read_cr4();
	v->efer = insn_rdmsr(MSR_EFER) | EFER_SVME;
	set_segment(&v->gdtr, 0, 0, gdt.limit, gdt.base);
	set_segment(&v->idtr, 0, 0, idt.limit, idt.base);
	copy_descriptor(&v->cs, insn_read_cs(), gdt.base);
	copy_descriptor(&v->ss, insn_read_ss(), gdt.base);
	copy_descriptor(&v->ds, insn_read_ds(), gdt.base);
	copy_descriptor(&v->es, insn_read_es(), gdt.base);
	insn_vmsave((uint64_t)v);
	lp->cr4 = v->cr4;
	v->rip = start->rip;
	lp->gpr[TDX_RSP] = start->rsp;
}

void l1_prepare_bsp(struct lp *lp, const struct l1_start *start)
{
	l1_msr_reset(lp);
	l1_vmx_reset(lp);
	if (start->is_multiboot)
		set_multiboot(lp, start);
	else
		set_current(lp, start);
}

void l1_raise(struct lp *lp, unsigned vector)
{
	lp->l1->event_inj = EVENT_VALID | EVENT_TYPE_EXC | vector;
	lp->l1->event_inj_error = 0;
}

void l1_raise_error(struct lp *lp, unsigned vector, uint32_t error)
{
	lp->l1->event_inj = EVENT_VALID | EVENT_TYPE_EXC | EVENT_ERROR | vector;
	lp->l1->event_inj_error = error;
}

void l1_advance(struct lp *lp, unsigned length)
{
	struct vmcb *v = lp->l1;

	v->rip += length;
	if (!vmcb_is_64bit(v))
		v->rip &= UINT64_C(0xffffffff);
	v->int_state &= ~INT_STATE_SHADOW;
}

static void *l1_memory(void *ctx, uint64_t gpa)
{
	(void)ctx;
	return gpa >> EMU_HPA_BITS == 0 && l1_mem_owner(gpa) == 0 ? (void *)gpa : NULL;
}

struct gview l1_view(const struct lp *lp)
{
	return (struct gview){.vmcb = lp->l1, .memory = l1_memory};
}

static void handle_xsetbv(struct lp *lp)
{
	uint64_t value = (lp->gpr[TDX_RDX] << 32) | (uint32_t)lp->gpr[TDX_RAX];
	bool bad = (uint32_t)lp->gpr[TDX_RCX] != 0 || (value & 1) == 0 ||
		   (value & ~emu.xcr0_mask) != 0 || (value & 6) == 4 || lp->l1->cpl != 0;

	if ((lp->cr4 & CR4_OSXSAVE) == 0) {
		l1_raise(lp, VECTOR_UD);
		return;
	}
	if (bad) {
		l1_raise_error(lp, VECTOR_GP, 0);
		return;
	}
	insn_xsetbv(0, value);
	l1_advance(lp, 3);
}

/* The IRET that ends L1's NMI handler: it runs, and NMIs are open again. */
static void handle_iret(struct lp *lp)
{
	lp->in_nmi = false;
	lp->l1->intercept1 &= ~ICPT_IRET;
}

static void become_waiting(struct lp *lp)
{
	lapic_reset();
	set_real_mode(lp, smp_wait_sipi(lp));
}

void l1_consume_kicks(struct lp *lp)
{
	unsigned reasons = atomic_exchange(&lp->kicks, 0);

	lp->nmi_seen = false;
	if ((reasons & KICK_L1_NMI) != 0)
		lp->nmi_waits = true;
	if ((reasons & KICK_MC) != 0)
		l1_mc_join(lp);
	if ((reasons & KICK_INIT) != 0 && atomic_load(&lp->start) == LP_INIT) {
		atomic_store(&lp->start, LP_WAIT_SIPI);
		become_waiting(lp);
	}
}

/* The NMI is still pending after its exit: take it through our own handler. */
void l1_handle_nmi(struct lp *lp)
{
	insn_open_gate(0);
	l1_consume_kicks(lp);
}

/* NOLINTNEXTLINE(readability-function-size): flat table of one-line calls */
static void handle_exit(struct lp *lp)
{
	switch (lp->l1->exit_code) {
	case SVM_EXIT_CPUID:
		l1_handle_cpuid(lp);
		break;
	case SVM_EXIT_MSR:
		l1_handle_msr(lp);
		break;
	case SVM_EXIT_CR0_READ:
	case SVM_EXIT_CR4_READ:
		l1_handle_cr4(lp, false);
		break;
	case SVM_EXIT_CR4_WRITE:
		l1_handle_cr4(lp, true);
		break;
	case SVM_EXIT_UD:
		l1_handle_ud(lp);
		break;
	case SVM_EXIT_NMI:
		l1_handle_nmi(lp);
		break;
	case SVM_EXIT_IRET:
		handle_iret(lp);
		break;
	case SVM_EXIT_NPF:
		l1_handle_npf(lp);
		break;
	case SVM_EXIT_XSETBV:
		handle_xsetbv(lp);
		break;
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMMCALL:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
		l1_raise(lp, VECTOR_UD);
		break;
	case SVM_EXIT_SHUTDOWN:
		emu_die(EMU_EXIT_TRIPLE_FAULT,
			"L1 triple fault on CPU %u, rip %#lx rsp %#lx cr3 %#lx", lp->index,
			lp->l1->rip, lp->l1->rsp, lp->l1->cr3);
	default:
		emu_die(EMU_EXIT_FATAL,
			"L1 exit %#lx info %#lx %#lx rip %#lx cr0 %#lx cr4 %#lx efer %#lx",
			lp->l1->exit_code, lp->l1->exit_info1, lp->l1->exit_info2, lp->l1->rip,
			lp->l1->cr0, lp->l1->cr4, lp->l1->efer);
	}
}

/* An event whose delivery the exit cut short is delivered again. */
static void requeue_event(struct vmcb *v)
{
	uint32_t event = v->exit_int_info;

	v->event_inj = 0;
	if ((event & EVENT_VALID) == 0)
		return;
	v->event_inj = vmcb_fix_event(event);
	v->event_inj_error = v->exit_int_error;
}

static void inject_waiting(struct lp *lp)
{
	struct vmcb *v = lp->l1;

	if (lp->nmi_waits && !lp->in_nmi && (v->event_inj & EVENT_VALID) == 0) {
		lp->nmi_waits = false;
		lp->in_nmi = true;
		v->event_inj = EVENT_VALID | EVENT_TYPE_NMI | 2;
		v->intercept1 |= ICPT_IRET;
	}
	if (lp->stolen_vector != 0) {
		v->int_ctl = V_IRQ | V_IGN_TPR | V_PRIO_MASK;
		v->int_vector = lp->stolen_vector;
		lp->stolen_vector = 0;
	}
}

static void run_forever(struct lp *lp) __attribute__((noreturn));
static void run_forever(struct lp *lp)
{
	insn_clgi();
	for (;;) {
		inject_waiting(lp);
		lp->l1->rax = lp->gpr[TDX_RAX];
		lp->l1->rsp = lp->gpr[TDX_RSP];
		svm_run(lp->l1, lp->gpr, lp->host);
		lp->gpr[TDX_RAX] = lp->l1->rax;
		lp->gpr[TDX_RSP] = lp->l1->rsp;
		requeue_event(lp->l1);
		handle_exit(lp);
	}
}

void l1_bsp_main(void *arg)
{
	smp_setup_lp(arg);
	run_forever(arg);
}

void l1_ap_main(struct lp *lp)
{
	insn_clgi();
	become_waiting(lp);
	run_forever(lp);
}
