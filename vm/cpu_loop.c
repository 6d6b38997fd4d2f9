/* SPDX-License-Identifier: MIT */
#include "vm/cpu_loop.h"

#include <stddef.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/oncpu.h"
#include "drivers/timer.h"
#include "tdx/tdmr_init.h"
#include "vm/background.h"
#include "vm/cpu_queue.h"
#include "vm/exit.h"
#include "vm/teardown.h"
#include "vm/vcpu.h"

#define BSP           0U
#define SLICE_US      10000U /* a turn while others wait; how often the shell looks */
#define BACKGROUND_US 1000U  /* background work between two looks around while idle */

/* One CPU's part; only it writes here, except for `attention`. */
struct cpu_state {
	_Alignas(64) struct vcpu *vcpus;
	struct vcpu *last;     /* whose turn was the last */
	struct vcpu *current;  /* whose exit is being handled, or that runs */
	uint64_t armed;        /* what the timer was set to, 0 = it fired or never was */
	atomic_bool attention; /* leave the guest, go round once */
};

static struct cpu_state states[MAX_CPUS];
static void (*bsp_poll)(void);
static uint64_t slice, background_time;

static struct cpu_state *mine(void) { return &states[this_cpu()]; }

void cpu_loop_set_poll(void (*poll)(void)) { bsp_poll = poll; }

/* Interrupts: each only has to end a guest's run or a sleep. */

static void on_timer(void)
{
	mine()->armed = 0;
	atomic_store_explicit(&mine()->attention, true, memory_order_relaxed);
}

static void on_kick(void)
{
	atomic_store_explicit(&mine()->attention, true, memory_order_relaxed);
}

/* Came too late for the guest it was for: ON is still set, so the next entry sends it again. */
static void on_notification(void) {}

void cpu_queue_init(void)
{
	irq_register(VECTOR_TIMER, on_timer);
	irq_register(VECTOR_KICK, on_kick);
	irq_register(VECTOR_POSTED_NOTIFY, on_notification);
	slice = timer_us_to_tsc(SLICE_US);
	background_time = timer_us_to_tsc(BACKGROUND_US);
}

void cpu_queue_call_bsp(void)
{
	atomic_store(&states[BSP].attention, true);
	cpu_queue_kick(BSP);
}

/* Timer */

void cpu_queue_want_timer(uint64_t tsc)
{
	struct cpu_state *c = mine();

	if (c->armed == 0 || tsc < c->armed) {
		c->armed = tsc;
		timer_arm(tsc);
	}
}

/* Fires what is due; returns when the next is, or 0. */
static uint64_t run_timers(struct cpu_state *c, uint64_t now)
{
	uint64_t next = 0;

	for (struct vcpu *v = c->vcpus; v != NULL; v = v->next) {
		vcpu_run_timer(v, now);
		if (v->apic.deadline != 0 && (next == 0 || v->apic.deadline < next))
			next = v->apic.deadline;
	}
	return next;
}

/* Queue */

static bool wants_to_run(const struct vcpu *v)
{
	return atomic_load(&v->run) == VCPU_RUNNABLE &&
	       (atomic_load(&v->vm->gate) & GATE_STOP) == 0;
}

static unsigned runnable_count(const struct cpu_state *c)
{
	unsigned n = 0;

	for (const struct vcpu *v = c->vcpus; v != NULL; v = v->next)
		n += wants_to_run(v);
	return n;
}

static struct vcpu *after(const struct cpu_state *c, const struct vcpu *v)
{
	return v != NULL && v->next != NULL ? v->next : c->vcpus;
}

/* The first runnable vCPU after the one whose turn was the last, round the list. */
static struct vcpu *pick(const struct cpu_state *c)
{
	struct vcpu *start = after(c, c->last);
	struct vcpu *v = start;

	do {
		if (v == NULL || wants_to_run(v))
			return v;
		v = after(c, v);
	} while (v != start);
	return NULL;
}

struct queue_request {
	struct vcpu *v;
	bool is_in_use; /* not given up yet: ask again */
	enum status result;
};

static void attach_here(void *arg)
{
	struct queue_request *r = arg;

	r->v->cpu = this_cpu();
	r->v->posted->destination = cpus[this_cpu()].apic_id;
	r->v->next = mine()->vcpus;
	mine()->vcpus = r->v;
}

static void unlink_vcpu(struct cpu_state *c, const struct vcpu *v)
{
	struct vcpu **link = &c->vcpus;

	while (*link != NULL && *link != v)
		link = &(*link)->next;
	if (*link != NULL)
		*link = (*link)->next;
	if (c->last == v)
		c->last = NULL;
}

/* A vCPU whose exit is being handled further down this stack is not given up yet. */
static void detach_here(void *arg)
{
	struct queue_request *r = arg;

	r->is_in_use = mine()->current == r->v;
	if (r->is_in_use)
		return;
	unlink_vcpu(mine(), r->v);
	r->result = r->v->td.assoc_cpu < 0 ? STATUS_OK : td_vcpu_flush(&r->v->td);
}

enum status cpu_queue_remove(struct vcpu *v)
{
	struct queue_request r = {.v = v};

	do {
		oncpu_drain();
		oncpu_run(v->cpu, detach_here, &r);
	} while (r.is_in_use);
	return r.result;
}

enum status cpu_queue_move(struct vcpu *v, unsigned cpu)
{
	struct queue_request r = {.v = v};
	enum status s = cpu_queue_remove(v);

	if (s == STATUS_OK)
		oncpu_run(cpu, attach_here, &r);
	return s;
}

/* Running */

/*
 * The last look, interrupts off, after the entry counter became odd: whoever posts, kicks
 * or closes the gate from now on finds the vCPU inside and sends an IPI, which ends the
 * run; whoever did so before is seen here.
 */
static bool may_enter(const struct cpu_state *c, const struct vcpu *v)
{
	return !atomic_load_explicit(&c->attention, memory_order_relaxed) &&
	       atomic_load_explicit(&v->vm->gate, memory_order_relaxed) == 0 &&
	       atomic_load_explicit(&v->run, memory_order_relaxed) == VCPU_RUNNABLE &&
	       !oncpu_pending();
}

static void deliver_pending(struct vcpu *v)
{
	if (atomic_load_explicit(&v->posted->control, memory_order_relaxed) & POSTED_ON)
		hw_send_ipi(this_cpu(), VECTOR_POSTED_NOTIFY);
	if (atomic_load_explicit(&v->nmi_wanted, memory_order_relaxed) &&
	    td_vcpu_pend_nmi(&v->td) == STATUS_OK)
		atomic_store(&v->nmi_wanted, false);
}

static void run(struct cpu_state *c, struct vcpu *v)
{
	enum exit_action action = EXIT_LEAVE;

	c->current = v;
	c->last = v;
	hw_irq_disable();
	do {
		tdx_status_t s;

		atomic_fetch_add(&v->entry, 1);
		if (!may_enter(c, v)) {
			atomic_fetch_add(&v->entry, 1);
			break;
		}
		deliver_pending(v);
		s = td_vcpu_enter(&v->td, &v->regs);
		atomic_fetch_add(&v->entry, 1);
		action = vcpu_handle_exit(v, s);
	} while (action == EXIT_RESUME);
	hw_irq_restore(true);
	c->current = NULL;
}

static void idle(struct cpu_state *c)
{
	hw_irq_disable();
	if (!atomic_load(&c->attention) && !oncpu_pending() && runnable_count(c) == 0)
		hw_halt_until_interrupt();
	hw_irq_restore(true);
}

/* When the timer has to fire: a deadline, or the end of a turn that others wait for. */
static uint64_t timer_needed(const struct cpu_state *c, uint64_t deadline, uint64_t now,
			     bool has_poll)
{
	if (!has_poll && runnable_count(c) < 2)
		return deadline;
	return deadline == 0 || now + slice < deadline ? now + slice : deadline;
}

void cpu_loop_round(void)
{
	struct cpu_state *c = mine();
	bool has_poll = this_cpu() == BSP && bsp_poll != NULL;
	uint64_t now;
	uint64_t timer;
	struct vcpu *v;

	atomic_store(&c->attention, false);
	oncpu_drain();
	if (this_cpu() == BSP)
		teardown_bsp_work();
	if (has_poll)
		bsp_poll();
	now = hw_rdtsc();
	timer = timer_needed(c, run_timers(c, now), now, has_poll);
	if (timer != 0) {
		hw_irq_disable();
		cpu_queue_want_timer(timer);
		hw_irq_restore(true);
	}
	v = pick(c);
	if (v != NULL)
		run(c, v);
	else if (!background_work_until(now + background_time) &&
		 !tdmr_init_until(now + background_time))
		idle(c);
}

void cpu_loop(void)
{
	hw_irq_restore(true);
	for (;;)
		cpu_loop_round();
}
