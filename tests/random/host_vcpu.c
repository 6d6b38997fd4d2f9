/* SPDX-License-Identifier: MIT */
#include "tests/random/host_vcpu.h"

#include "core/hw.h"
#include "core/oncpu.h"
#include "guest-abi/ghci.h"
#include "tests/random/expect.h"
#include "tests/random/guest.h"
#include "tests/random/lp.h"
#include "tests/random/run.h"
#include "tests/random/unmap.h"
#include "vmx/exit.h"

#define ENTRIES_MAX 24U
/* Faults of one instruction in a row that make sense: tables, the page, a split. */
#define FAULTS_MAX 8U

enum action { AGAIN, LEAVE };

/* A vCPU that no other operation uses; NULL if there is none or it is used. */
static struct td_vcpu *take_vcpu(struct tenant *t, const struct op *op, unsigned *index)
{
	if (t->td.vcpu_count == 0)
		return NULL;
	*index = op->vcpu % t->td.vcpu_count;
	if (atomic_flag_test_and_set(&t->guests[*index].is_entered))
		return NULL;
	return &t->vcpus[*index];
}

static void give_vcpu(struct tenant *t, unsigned index)
{
	atomic_flag_clear(&t->guests[index].is_entered);
}

/* ---- Where a vCPU is ---- */

struct vcpu_work {
	struct td_vcpu *vcpu;
	enum status status;
	bool is_nmi;
};

static void flush(void *arg)
{
	struct vcpu_work *w = arg;

	w->status = td_vcpu_flush(w->vcpu);
}

static void flush_at_home(struct tenant *t, struct td_vcpu *v)
{
	struct vcpu_work w = {.vcpu = v};
	int home = atomic_load(&v->assoc_cpu);

	oncpu_run(home < 0 ? this_cpu() : (unsigned)home, flush, &w);
	say("vCPU %u leaves CPU %d", v->index, home);
	expect(t, w.status, EXPECT(OK));
	if (!w.status && atomic_load(&v->assoc_cpu) != -1)
		fail("TD %u: vCPU %u is flushed and still at home", t->index, v->index);
}

void host_flush_vcpu(struct tenant *t, const struct op *op)
{
	unsigned index;
	struct td_vcpu *v;

	/* What killed the TD may have left a vCPU without its pages. */
	if (t->was_killed)
		return;
	v = take_vcpu(t, op, &index);
	if (!v)
		return;
	flush_at_home(t, v);
	give_vcpu(t, index);
}

static void peek(void *arg)
{
	struct vcpu_work *w = arg;
	bool pending;

	w->status = w->is_nmi ? td_vcpu_pend_nmi(w->vcpu)
			      : td_vcpu_interrupt_pending(w->vcpu, &pending);
}

void host_peek(struct tenant *t, const struct op *op)
{
	uint8_t mrtd[48];
	unsigned index;
	struct td_vcpu *v;

	expect(t, td_read_mrtd(&t->td, mrtd), EXPECT(OK));
	v = take_vcpu(t, op, &index);
	if (!v)
		return;
	if (!t->td.is_dead) {
		struct vcpu_work w = {.vcpu = v, .is_nmi = op->a % 4 == 0};
		int home = atomic_load(&v->assoc_cpu);

		oncpu_run(home < 0 ? this_cpu() : (unsigned)home, peek, &w);
		expect(t, w.status, EXPECT(OK));
	}
	give_vcpu(t, index);
}

/* ---- Exits ---- */

static enum page_level wanted_level(uint64_t extended)
{
	if (tdx_exit_extension(extended) == TDX_EXIT_EXT_ACCEPT &&
	    tdx_exit_accept_level(extended) == LEVEL_4K)
		return LEVEL_4K;
	return LEVEL_2M;
}

/* The fault does not come back for ever, unless an unmap or memory is in the way. */
static enum action count_fault(struct tenant *t, unsigned index, gpa_t at, enum status s)
{
	struct guest_vcpu *g = &t->guests[index];

	g->faults = s == STATUS_OK && g->fault_at == at.raw ? g->faults + 1 : 0;
	g->fault_at = at.raw;
	if (lp_is_strict() && g->faults > FAULTS_MAX)
		fail("TD %u: vCPU %u faults on %#llx again and again", t->index, index,
		     (unsigned long long)at.raw);
	return s == STATUS_BUSY ? LEAVE : AGAIN;
}

static enum action private_fault(struct tenant *t, unsigned index, gpa_t at, uint64_t extended)
{
	uint32_t page = tenant_page_at(t, at);
	enum status s;

	if (page == UINT32_MAX) {
		fail("TD %u: faults at %#llx, which is no RAM", t->index,
		     (unsigned long long)at.raw);
		return LEAVE;
	}
	if (tdx_exit_extension(extended) == TDX_EXIT_EXT_PENDING_EPT_VIOLATION) {
		if (guest_touches_own_page(t, index))
			fail("TD %u: page %#llx, accepted and not given up, is pending",
			     t->index, (unsigned long long)at.raw);
		guest_drop_instruction(t, index);
		return AGAIN;
	}
	s = td_resolve_fault(&t->td, at, wanted_level(extended));
	say("fault at %#llx", (unsigned long long)at.raw);
	if (s == STATUS_BAD_ARG && (tenant_is_shared(t, page) || !lp_is_alone()))
		say("-> it is shared");
	else
		expect_memory(t, s, at, SIZE_4K);
	if (s != STATUS_OK && s != STATUS_BUSY)
		guest_drop_instruction(t, index);
	return count_fault(t, index, at, s);
}

static enum action vmcall(struct tenant *t, unsigned index, struct seamcall_regs *regs)
{
	uint64_t at = regs->r12 & ~TD_SHARED_BIT;

	if (regs->r11 == TDVMCALL_MAP_GPA && regs->r12 & TD_SHARED_BIT)
		unmap_to_shared(t, gpa(at), regs->r13);
	else if (regs->r11 == TDVMCALL_MAP_GPA)
		unmap_to_private(t, gpa(at), regs->r13);
	t->guests[index].faults = 0;
	regs->r10 = 0;
	regs->r11 = 0;
	return AGAIN;
}

static enum action refused(struct tenant *t, struct td_vcpu *v, tdx_status_t s)
{
	switch (tdx_code(s)) {
	case TDX_HOST_PRIORITY_BUSY_TIMEOUT:
		return AGAIN;
	case TDX_OPERAND_BUSY:
	case TDX_OPERAND_BUSY_HOST_PRIORITY:
		if (lp_is_strict())
			fail("TD %u: vCPU %u is busy for nobody", t->index, v->index);
		return LEAVE;
	default:
		fail("TD %u: entering vCPU %u: status %#llx", t->index, v->index,
		     (unsigned long long)s.raw);
		return LEAVE;
	}
}

static enum action handle_exit(struct tenant *t, unsigned index, tdx_status_t s,
			       struct seamcall_regs *regs)
{
	if (tdx_code(s) != TDX_SUCCESS)
		return refused(t, &t->vcpus[index], s);
	switch (tdx_operand(s)) {
	case EXIT_EPT_VIOLATION:
		return private_fault(t, index, gpa(regs->r8), regs->rdx);
	case EXIT_TDCALL:
		return vmcall(t, index, regs);
	case EXIT_EXTERNAL_INTERRUPT:
		return AGAIN;
	default:
		fail("TD %u: vCPU %u exits with reason %u", t->index, index, tdx_operand(s));
		return LEAVE;
	}
}

/* A vCPU is associated with the LP that enters it, or with none. */
static bool bring_here(struct tenant *t, struct td_vcpu *v)
{
	int home = atomic_load(&v->assoc_cpu);

	if (home >= 0 && (unsigned)home != this_cpu())
		flush_at_home(t, v);
	home = atomic_load(&v->assoc_cpu);
	return home < 0 || (unsigned)home == this_cpu();
}

static tdx_status_t enter(struct tenant *t, unsigned index, struct seamcall_regs *regs)
{
	struct guest_vcpu *g = &t->guests[index];
	tdx_status_t s;

	atomic_store(&g->is_inside, true);
	s = td_vcpu_enter(&t->vcpus[index], regs);
	atomic_fetch_add(&g->exits, 1);
	atomic_store(&g->is_inside, false);
	return s;
}

static void enter_often(struct tenant *t, unsigned index)
{
	struct seamcall_regs regs = {0};
	unsigned entries = 0;
	enum action action = AGAIN;

	while (action == AGAIN && entries < ENTRIES_MAX && lp.steps > 0 && !has_failed()) {
		lp.kicks = atomic_load(&t->kicks);
		if (atomic_load(&t->is_quiet) || atomic_load(&t->is_wanted))
			break;
		if (!bring_here(t, &t->vcpus[index]))
			break;
		lp.tlb.count = 0;
		action = handle_exit(t, index, enter(t, index, &regs), &regs);
		oncpu_drain();
		entries++;
	}
	say("vCPU %u: %u entries", index, entries);
}

static void run_vcpu(struct tenant *t, const struct op *op, uint32_t sweep, uint32_t count)
{
	struct lp outer = lp;
	unsigned index;

	if (t->td.is_dead || !take_vcpu(t, op, &index))
		return;
	t->guests[index].faults = 0;
	lp.tenant = t;
	lp.vcpu = index;
	lp.sweep_at = sweep;
	lp.sweep_end = sweep + count;
	lp.steps = 4 + op->a % 60 + count / 512;
	lp.inside = lp_is_alone() && op->b % 4 == 0 ? 1 + (op->b >> 8) % 4 : 0;
	lp.rng = (struct rng){(uint64_t)op->c << 32 | op->a};
	enter_often(t, index);
	lp.tenant = outer.tenant;
	lp.vcpu = outer.vcpu;
	lp.sweep_at = outer.sweep_at;
	lp.sweep_end = outer.sweep_end;
	lp.steps = outer.steps;
	lp.kicks = outer.kicks;
	lp.inside = outer.inside;
	lp.rng = outer.rng;
	lp.tlb = outer.tlb;
	give_vcpu(t, index);
}

void host_run_vcpu(struct tenant *t, const struct op *op) { run_vcpu(t, op, 0, 0); }

void host_accept_gib(struct tenant *t, const struct op *op)
{
	run_vcpu(t, op, t->low_pages, GIB_PAGES);
}
