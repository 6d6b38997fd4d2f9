/* SPDX-License-Identifier: MIT */
/* A vCPU's state between the module's form (VMX) and the VMCB. */
#include "core/string.h"
#include "tests/emu/emu.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/td.h"

#define MSR_TSC_AUX 0xc0000103

#define AR_UNUSABLE (UINT32_C(1) << 16)

#define VMX_EVENT_TYPE(ev) ((ev) >> 8 & 7)
#define VMX_SOFT_EXCEPTION 6U
#define VMX_PRIV_SOFT      5U

#define HOST_FMASK UINT64_C(0x20200)
#define HOST_DR6   UINT64_C(0xffff0ff0)
#define HOST_DR7   UINT64_C(0x400)
#define XCR0_USER  UINT64_C(0x602ff) /* XFAM's user half: x87..PKRU, AMX */

static void segment_load(struct vmcb_seg *to, const struct tdx_segment *from)
{
	uint32_t ar = from->access_rights;

	to->selector = from->selector;
	to->attrib = (uint16_t)((ar & 0xff) | (ar >> 4 & 0xf00));
	if ((ar & AR_UNUSABLE) != 0)
		to->attrib &= (uint16_t)~SEG_ATTR_P;
	to->limit = from->limit;
	to->base = from->base;
}

static void segment_store(struct tdx_segment *to, const struct vmcb_seg *from)
{
	to->selector = from->selector;
	to->access_rights = (from->attrib & 0xffU) | (from->attrib & 0xf00U) << 4;
	if ((from->attrib & SEG_ATTR_P) == 0)
		to->access_rights |= AR_UNUSABLE;
	to->limit = from->limit;
	to->base = from->base;
}

/* Both use one numbering for interrupts, NMIs, exceptions and INT n. */
static uint32_t event_to_svm(uint32_t event)
{
	unsigned type = VMX_EVENT_TYPE(event);

	if ((event & EVENT_VALID) == 0)
		return 0;
	if (type == VMX_SOFT_EXCEPTION || type == VMX_PRIV_SOFT)
		return (event & ~EVENT_TYPE_MASK) | EVENT_TYPE_EXC;
	return event;
}

static void load_segments(struct vmcb *v, const struct tdx_guest_state *s)
{
	segment_load(&v->es, &s->segment[TDX_ES]);
	segment_load(&v->cs, &s->segment[TDX_CS]);
	segment_load(&v->ss, &s->segment[TDX_SS]);
	segment_load(&v->ds, &s->segment[TDX_DS]);
	segment_load(&v->fs, &s->segment[TDX_FS]);
	segment_load(&v->gs, &s->segment[TDX_GS]);
	segment_load(&v->ldtr, &s->segment[TDX_LDTR]);
	segment_load(&v->tr, &s->segment[TDX_TR]);
	segment_load(&v->gdtr, &s->gdtr);
	segment_load(&v->idtr, &s->idtr);
	v->cpl = v->ss.attrib >> 5 & 3;
}

static void store_segments(const struct vmcb *v, struct tdx_guest_state *s)
{
	segment_store(&s->segment[TDX_ES], &v->es);
	segment_store(&s->segment[TDX_CS], &v->cs);
	segment_store(&s->segment[TDX_SS], &v->ss);
	segment_store(&s->segment[TDX_DS], &v->ds);
	segment_store(&s->segment[TDX_FS], &v->fs);
	segment_store(&s->segment[TDX_GS], &v->gs);
	segment_store(&s->segment[TDX_LDTR], &v->ldtr);
	segment_store(&s->segment[TDX_TR], &v->tr);
	s->gdtr = (struct tdx_segment){.limit = v->gdtr.limit, .base = v->gdtr.base};
	s->idtr = (struct tdx_segment){.limit = v->idtr.limit, .base = v->idtr.base};
}

static void load_controls(struct td_run *r)
{
	struct vmcb *v = r->vmcb;

	v->exceptions = 1U << 6;
	v->intercept1 = ICPT_INTR | ICPT_NMI | ICPT_VINTR | ICPT_RDPMC | ICPT_CPUID |
			ICPT_INVD | ICPT_HLT | ICPT_INVLPGA | ICPT_IOIO | ICPT_MSR |
			ICPT_TASKSWITCH | ICPT_SHUTDOWN;
	v->intercept2 = ICPT2_AMD_ONLY | ICPT_WBINVD | ICPT_MONITOR | ICPT_MWAIT;
	v->iopm = (uint64_t)emu.iopm_td;
	v->msrpm = (uint64_t)emu.msrpm_td;
	v->tsc_offset = r->view->tsc_offset;
	v->asid = 2;
	v->nested_ctl = 1;
	v->nested_cr3 = (uint64_t)r->td->npt.root;
}

static void load_msrs(struct vmcb *v, const struct tdx_guest_state *s)
{
	v->star = s->star;
	v->lstar = s->lstar;
	v->sfmask = s->fmask;
	v->kernel_gs_base = s->kernel_gs_base;
	v->sysenter_cs = s->sysenter_cs;
	v->sysenter_esp = s->sysenter_esp;
	v->sysenter_eip = s->sysenter_eip;
	v->pat = s->pat;
	insn_wrmsr(MSR_TSC_AUX, s->tsc_aux);
}

static void load_debug_registers(struct vmcb *v, const struct tdx_guest_state *s)
{
	insn_write_dr0(s->dr[0]);
	insn_write_dr1(s->dr[1]);
	insn_write_dr2(s->dr[2]);
	insn_write_dr3(s->dr[3]);
	v->dr6 = s->dr[6];
	v->dr7 = s->dr[7];
}

void td_state_load(struct td_run *r)
{
	struct vmcb *v = r->vmcb;
	struct tdx_guest_state *s = r->state;

	load_controls(r);
	load_segments(v, s);
	load_msrs(v, s);
	load_debug_registers(v, s);
	td_paging_load(r);
	v->cr2 = s->cr2;
	v->rip = s->rip;
	v->rflags = s->rflags | RFLAGS_FIXED;
	v->int_state = (s->interruptibility & 3) != 0 ? INT_STATE_SHADOW : 0;
	v->event_inj = event_to_svm(s->event);
	v->event_inj_error = s->event_error;
	s->event = 0;
}

void td_state_store(struct td_run *r)
{
	const struct vmcb *v = r->vmcb;
	struct tdx_guest_state *s = r->state;

	store_segments(v, s);
	s->star = v->star;
	s->lstar = v->lstar;
	s->fmask = v->sfmask;
	s->kernel_gs_base = v->kernel_gs_base;
	s->sysenter_cs = v->sysenter_cs;
	s->sysenter_esp = v->sysenter_esp;
	s->sysenter_eip = v->sysenter_eip;
	s->dr[0] = insn_read_dr0();
	s->dr[1] = insn_read_dr1();
	s->dr[2] = insn_read_dr2();
	s->dr[3] = insn_read_dr3();
	s->dr[6] = v->dr6;
	s->dr[7] = v->dr7;
	td_paging_store(r);
	s->cr2 = v->cr2;
	s->xcr0 = insn_xgetbv(0);
	s->rip = v->rip;
	s->rflags = v->rflags;
	s->interruptibility &= ~UINT32_C(3);
	if ((v->int_state & INT_STATE_SHADOW) != 0)
		s->interruptibility |= 1;
	s->event = v->event_inj;
	s->event_error = v->event_inj_error;
}

/* XRSTOR from it puts every component into its INIT state. */
static const struct {
	_Alignas(64) uint8_t bytes[576];
} init_area = {{[24] = 0x80, [25] = 0x1f}};

void td_extended_state_enter(struct lp *lp, struct td_vcpu *vcpu, uint64_t xcr0)
{
	insn_xsetbv(0, emu.xcr0_mask);
	insn_xrstor(vcpu->xsave, emu.xcr0_mask);
	insn_xsetbv(0, (xcr0 & emu.xcr0_mask) | 1);
	lp->vcpu = vcpu;
}

static void extended_state_leave(struct lp *lp)
{
	insn_xsetbv(0, emu.xcr0_mask);
	insn_xsave(lp->vcpu->xsave, emu.xcr0_mask);
	insn_xrstor(&init_area, emu.xcr0_mask);
	insn_xsetbv(0, (lp->vcpu->xfam & XCR0_USER & emu.xcr0_mask) | 1);
}

void td_leave(struct lp *lp)
{
	struct vmcb *l1 = lp->l1;

	if (lp->vcpu == NULL)
		return;
	extended_state_leave(lp);
	lp->xss = lp->vcpu->xfam & ~XCR0_USER;
	lp->debugctl &= UINT64_C(0x5002); /* BTF, FREEZE_PERFMON_ON_PMI, FREEZE_WHILE_SMM */
	lp->vcpu = NULL;
	l1->star = 0;
	l1->lstar = 0;
	l1->sfmask = HOST_FMASK;
	l1->kernel_gs_base = 0;
	l1->cr2 = 0;
	l1->dr6 = HOST_DR6;
	l1->dr7 = HOST_DR7;
	insn_write_dr0(0);
	insn_write_dr1(0);
	insn_write_dr2(0);
	insn_write_dr3(0);
	insn_wrmsr(MSR_TSC_AUX, 0);
}
