/* SPDX-License-Identifier: MIT */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/smp.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/td.h"

static void requeue_event(struct vmcb *v)
{
	uint32_t event = v->exit_int_info;

	v->event_inj = 0;
	/* INT n runs again by itself: RIP still points to it. */
	if ((event & EVENT_VALID) == 0 || (event & EVENT_TYPE_MASK) == EVENT_TYPE_SOFT)
		return;
	v->event_inj = vmcb_fix_event(event);
	v->event_inj_error = v->exit_int_error;
}

static void run_once(struct td_run *r)
{
	td_apic_before_run(r);
	r->vmcb->rax = r->gpr[TDX_RAX];
	r->vmcb->rsp = r->gpr[TDX_RSP];
	svm_run(r->vmcb, r->gpr, r->lp->host);
	r->gpr[TDX_RAX] = r->vmcb->rax;
	r->gpr[TDX_RSP] = r->vmcb->rsp;
	td_apic_after_run(r);
	requeue_event(r->vmcb);
}

static void carry_out_options(struct td_run *r)
{
	if (emu.has_flip && !r->td->flipped)
		td_flip_shared(r);
}

void td_run_guest(void *ctx, unsigned lp, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	struct td_run r = {.lp = &lps[lp],
			   .vcpu = td_vcpu_get(view),
			   .view = view,
			   .state = view->state,
			   .exit = exit,
			   .gpr = view->state->gpr};
	uint64_t rip = view->state->rip;

	(void)ctx;
	r.td = r.vcpu->td;
	r.vmcb = r.vcpu->vmcb;
	r.vcpu->xfam = view->xfam;
	r.td->shared_root = view->shared_ept_root;
	memset(exit, 0, sizeof(*exit));
	carry_out_options(&r);
	td_cpuid_filter(&r);
	if (r.lp->vcpu != r.vcpu)
		td_extended_state_enter(r.lp, r.vcpu, view->state->xcr0);
	td_state_load(&r);
	do {
		run_once(&r);
	} while (!td_handle_exit(&r));
	td_state_store(&r);
	exit->rip_advance = r.state->rip - rip;
	exit->tsc_in_guest = ~UINT64_C(0);
}
