/* SPDX-License-Identifier: MIT */
/*
 * APIC virtualization for TDs (SDM vol. 3, 30): virtual-APIC page, virtual-
 * interrupt delivery, posted interrupts. A pending virtual interrupt is injected
 * at entry when the guest can take it; otherwise a VINTR window tells when.
 */
#include <stdatomic.h>

#include "core/string.h"
#include "tests/emu/lapic.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/td.h"

#define PID_PIR_WORDS 4U
#define PID_CONTROL   32U
#define PID_ON        UINT16_C(1)

#define VEC_CLASS(vector) ((vector) >> 4)

#define MSR_X2APIC UINT32_C(0x800)

static uint32_t vapic_get(const struct td_run *r, unsigned reg)
{
	uint32_t v;

	memcpy(&v, r->view->vapic + reg, sizeof(v));
	return v;
}

static void vapic_set(struct td_run *r, unsigned reg, uint32_t v)
{
	memcpy(r->view->vapic + reg, &v, sizeof(v));
}

static unsigned bit_word(unsigned base, unsigned vector) { return base + vector / 32 * 0x10; }

static void set_bit(struct td_run *r, unsigned base, unsigned vector)
{
	unsigned reg = bit_word(base, vector);

	vapic_set(r, reg, vapic_get(r, reg) | UINT32_C(1) << vector % 32);
}

static void clear_bit(struct td_run *r, unsigned base, unsigned vector)
{
	unsigned reg = bit_word(base, vector);

	vapic_set(r, reg, vapic_get(r, reg) & ~(UINT32_C(1) << vector % 32));
}

/* 0 stands for none, as in RVI and SVI. */
static unsigned highest_bit(const struct td_run *r, unsigned base)
{
	for (unsigned word = 8; word-- > 0;) {
		uint32_t bits = vapic_get(r, base + word * 0x10);

		if (bits != 0)
			return word * 32 + 31 - (unsigned)__builtin_clz(bits);
	}
	return 0;
}

static unsigned rvi(const struct td_run *r) { return r->state->guest_interrupt_status & 0xff; }
static unsigned svi(const struct td_run *r) { return r->state->guest_interrupt_status >> 8; }

static void set_status(struct td_run *r, unsigned requested, unsigned serviced)
{
	r->state->guest_interrupt_status = (uint16_t)(serviced << 8 | requested);
}

static void update_ppr(struct td_run *r)
{
	uint32_t tpr = vapic_get(r, LAPIC_TPR) & 0xff;
	uint32_t ppr = VEC_CLASS(tpr) >= VEC_CLASS(svi(r)) ? tpr : svi(r) & 0xf0;

	vapic_set(r, LAPIC_PPR, ppr);
}

bool td_apic_has_pending(const struct td_run *r)
{
	return VEC_CLASS(rvi(r)) > VEC_CLASS(vapic_get(r, LAPIC_PPR) & 0xff);
}

static void deliver(struct td_run *r)
{
	unsigned vector = rvi(r);

	set_bit(r, LAPIC_ISR, vector);
	clear_bit(r, LAPIC_IRR, vector);
	set_status(r, highest_bit(r, LAPIC_IRR), vector);
	vapic_set(r, LAPIC_PPR, vector & 0xf0);
	r->vmcb->event_inj = EVENT_VALID | EVENT_TYPE_INTR | vector;
}

static void request(struct td_run *r, unsigned vector)
{
	set_bit(r, LAPIC_IRR, vector);
	if (vector > rvi(r))
		set_status(r, vector, svi(r));
}

void td_apic_take_posted(struct td_run *r)
{
	char *pid = (char *)r->view->pid_hpa;
	_Atomic uint64_t *pir = (_Atomic uint64_t *)(void *)pid;
	_Atomic uint16_t *control = (_Atomic uint16_t *)(void *)(pid + PID_CONTROL);

	atomic_fetch_and(control, (uint16_t)~PID_ON);
	for (unsigned word = 0; word < PID_PIR_WORDS; word++) {
		uint64_t bits = atomic_exchange(&pir[word], 0);

		for (; bits != 0; bits &= bits - 1)
			request(r, word * 64 + (unsigned)__builtin_ctzl(bits));
	}
}

/* NMI window and NMI delivery; true if something is being injected now. */
static bool inject_nmi(struct td_run *r)
{
	const uint32_t nmi_blocked = 8;

	if (!r->view->pend_nmi || (r->state->interruptibility & nmi_blocked) != 0)
		return false;
	r->view->pend_nmi = false;
	r->state->interruptibility |= nmi_blocked;
	r->vmcb->event_inj = EVENT_VALID | EVENT_TYPE_NMI | 2;
	return true;
}

static void set_window(struct td_run *r, bool open)
{
	struct vmcb *v = r->vmcb;

	v->int_ctl &= ~(V_IRQ | V_PRIO_MASK);
	if (!open)
		return;
	/* TCG lets V_IRQ through if its priority is not below the TPR's class. */
	v->int_ctl |= V_IRQ | (VEC_CLASS(rvi(r)) - 1) << V_PRIO_SHIFT;
	v->int_vector = rvi(r);
}

void td_apic_before_run(struct td_run *r)
{
	struct vmcb *v = r->vmcb;
	bool busy;

	v->int_ctl = V_INTR_MASKING | VEC_CLASS(vapic_get(r, LAPIC_TPR) & 0xff);
	if ((r->state->interruptibility & 8) != 0)
		v->intercept1 |= ICPT_IRET;
	else
		v->intercept1 &= ~ICPT_IRET;
	update_ppr(r);
	busy = (v->event_inj & EVENT_VALID) != 0 || inject_nmi(r);
	if (!busy && td_apic_has_pending(r) && (v->rflags & RFLAGS_IF) != 0 &&
	    (v->int_state & INT_STATE_SHADOW) == 0) {
		deliver(r);
		busy = true;
	}
	/* The TPR may be lowered by MOV CR8 without an exit: ask for the window in any case. */
	set_window(r, rvi(r) != 0 && VEC_CLASS(rvi(r)) > VEC_CLASS(svi(r)));
}

void td_apic_after_run(struct td_run *r)
{
	uint32_t class = r->vmcb->int_ctl & V_TPR_MASK;

	if (class != VEC_CLASS(vapic_get(r, LAPIC_TPR) & 0xff))
		vapic_set(r, LAPIC_TPR, class << 4);
	update_ppr(r);
}

static void end_of_interrupt(struct td_run *r)
{
	clear_bit(r, LAPIC_ISR, svi(r));
	set_status(r, rvi(r), highest_bit(r, LAPIC_ISR));
	update_ppr(r);
}

bool td_apic_msr_read(struct td_run *r, uint32_t msr, uint64_t *value)
{
	unsigned reg = (msr - MSR_X2APIC) << 4;

	*value = vapic_get(r, reg & 0xff0);
	return reg != LAPIC_EOI && reg != LAPIC_SELF_IPI;
}

bool td_apic_msr_write(struct td_run *r, uint32_t msr, uint64_t value)
{
	switch ((msr - MSR_X2APIC) << 4) {
	case LAPIC_TPR:
		if (value > 0xff)
			return false;
		vapic_set(r, LAPIC_TPR, (uint32_t)value);
		r->vmcb->int_ctl =
			(r->vmcb->int_ctl & ~V_TPR_MASK) | VEC_CLASS((uint32_t)value);
		return true;
	case LAPIC_EOI:
		if (value != 0)
			return false;
		end_of_interrupt(r);
		return true;
	case LAPIC_SELF_IPI:
		if (value > 0xff || value < 16)
			return false;
		request(r, (unsigned)value);
		return true;
	default:
		return false;
	}
}
