/* SPDX-License-Identifier: MIT */
/*
 * L1's local APIC. TCG has an xAPIC without TSC deadline: x2APIC mode is
 * translated to it register by register, and the deadline is made with the
 * one-shot timer. INIT and SIPI never reach a CPU: they are messages between
 * LPs of the emulator.
 */
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/lapic.h"
#include "tests/emu/smp.h"
#include "tests/emu/svm_insn.h"

#define BASE_BSP    (UINT64_C(1) << 8)
#define BASE_X2APIC (UINT64_C(1) << 10)
#define BASE_ENABLE (UINT64_C(1) << 11)

#define LVT_MODE(lvt)     ((lvt) >> 17 & 3)
#define LVT_MODE_DEADLINE 2U

#define DIVIDE_BY_1   0xbU
#define DIVIDE_BY_128 0xaU

#define MSR_X2APIC_BASE UINT32_C(0x800)

static bool is_x2apic(const struct lp *lp) { return (lp->apic.base & BASE_X2APIC) != 0; }

void l1_apic_reset(struct lp *lp)
{
	lp->apic.base = LAPIC_BASE | BASE_ENABLE | (lp->is_bsp ? BASE_BSP : 0);
	lp->apic.deadline = 0;
	lp->apic.divide = lapic_read(LAPIC_TIMER_DIVIDE);
	lp->apic.lvt_timer = lapic_read(LAPIC_LVT_TIMER);
}

bool l1_apic_base_write(struct lp *lp, uint64_t value)
{
	uint64_t modes = BASE_ENABLE | BASE_X2APIC;

	if ((value & ~(modes | BASE_BSP)) != LAPIC_BASE || (value & modes) == BASE_X2APIC)
		return false;
	/* x2APIC mode ends only by disabling the APIC. */
	if (is_x2apic(lp) && (value & modes) == BASE_ENABLE)
		return false;
	lp->apic.base = (value & ~BASE_BSP) | (lp->apic.base & BASE_BSP);
	return true;
}

static bool uses_deadline(const struct lp *lp)
{
	return LVT_MODE(lp->apic.lvt_timer) == LVT_MODE_DEADLINE;
}

static void arm_deadline(const struct lp *lp)
{
	uint64_t now = insn_rdtsc();
	uint64_t ticks = lp->apic.deadline > now ? lp->apic.deadline - now : 0;
	uint64_t max = UINT64_C(0xffffffff) * (tsc_hz / 1000) / (lapic_hz / 1000);
	bool is_far = ticks >= max;
	uint64_t count;

	if (ticks > max * 127)
		ticks = max * 127;
	if (is_far)
		ticks /= 128;
	count = ticks * (lapic_hz / 1000) / (tsc_hz / 1000);
	lapic_write(LAPIC_TIMER_DIVIDE, is_far ? DIVIDE_BY_128 : DIVIDE_BY_1);
	lapic_write(LAPIC_TIMER_INITIAL, count == 0 ? 1 : (uint32_t)count);
}

uint64_t l1_deadline_read(struct lp *lp)
{
	if (lp->apic.deadline <= insn_rdtsc())
		lp->apic.deadline = 0;
	return lp->apic.deadline;
}

void l1_deadline_write(struct lp *lp, uint64_t deadline)
{
	if (!uses_deadline(lp))
		return;
	lp->apic.deadline = deadline;
	if (deadline == 0)
		lapic_write(LAPIC_TIMER_INITIAL, 0);
	else
		arm_deadline(lp);
}

static void write_lvt_timer(struct lp *lp, uint32_t value)
{
	bool had_deadline = uses_deadline(lp);

	lp->apic.lvt_timer = value;
	if (had_deadline != uses_deadline(lp)) {
		lapic_write(LAPIC_TIMER_INITIAL, 0);
		lapic_write(LAPIC_TIMER_DIVIDE, lp->apic.divide);
		lp->apic.deadline = 0;
	}
	lapic_write(LAPIC_LVT_TIMER, value);
}

/* x2APIC logical ids are derived: cluster in 31:16, one bit of 15:0. */
static uint32_t x2apic_logical_id(uint32_t apic_id)
{
	return (apic_id >> 4) << 16 | UINT32_C(1) << (apic_id & 15);
}

static uint32_t xapic_logical_id(uint32_t apic_id)
{
	/* The emulator does not follow other CPUs' LDR; flat ids as everybody programs them. */
	return apic_id < 8 ? UINT32_C(1) << apic_id : 0;
}

static bool logical_match(const struct lp *from, const struct lp *to, uint32_t destination)
{
	uint32_t id;

	if (!is_x2apic(from))
		return (xapic_logical_id(to->apic_id) & destination) != 0;
	id = x2apic_logical_id(to->apic_id);
	return id >> 16 == destination >> 16 && (id & destination & 0xffff) != 0;
}

static bool is_target(const struct lp *from, const struct lp *to, uint32_t icr,
		      uint32_t destination)
{
	switch (ICR_SHORTHAND(icr)) {
	case ICR_SHORTHAND_SELF:
		return to == from;
	case ICR_SHORTHAND_ALL:
		return true;
	case ICR_SHORTHAND_OTHER:
		return to != from;
	default:
		break;
	}
	if (destination == (is_x2apic(from) ? 0xffffffff : 0xff))
		return true;
	if ((icr & ICR_LOGICAL) != 0)
		return logical_match(from, to, destination);
	return to->apic_id == destination;
}

/* A CPU in VMX operation blocks INIT; one that waits for SIPI ignores it. */
static void send_init(struct lp *to)
{
	unsigned running = LP_RUNNING;

	if (to->vmx.is_on)
		return;
	if (atomic_compare_exchange_strong(&to->start, &running, LP_INIT))
		smp_kick(to, KICK_INIT);
}

/* The vector waits for a CPU that has not seen its INIT yet. */
static void send_sipi(struct lp *to, unsigned vector)
{
	if (atomic_load(&to->start) == LP_RUNNING)
		return;
	atomic_store(&to->sipi_vector, (int)vector);
	smp_kick(to, 0);
}

static void send_message(struct lp *to, uint32_t icr)
{
	if (ICR_MODE(icr) == ICR_MODE_NMI)
		smp_kick(to, KICK_L1_NMI);
	else if (ICR_MODE(icr) == ICR_MODE_SIPI)
		send_sipi(to, icr & 0xff);
	else if ((icr & ICR_ASSERT) != 0 || (icr & ICR_LEVEL) == 0)
		send_init(to); /* the deassert form does nothing on any CPU of this century */
}

/* Fixed and lowest-priority interrupts go through the real APIC. */
static void send_interrupt(const struct lp *from, uint32_t icr, uint32_t destination)
{
	uint32_t command = icr & ~(ICR_LOGICAL | UINT32_C(3) << 18);

	if (!is_x2apic(from) || ICR_SHORTHAND(icr) != 0) {
		lapic_write(LAPIC_ICR_HIGH, destination << 24);
		lapic_write(LAPIC_ICR, icr);
		return;
	}
	for (unsigned i = 0; i < lp_count; i++) {
		if (is_target(from, &lps[i], icr, destination))
			lapic_send(lps[i].apic_id, command);
	}
}

static void write_icr(struct lp *lp, uint32_t icr, uint32_t destination)
{
	unsigned mode = ICR_MODE(icr);

	if (mode != ICR_MODE_NMI && mode != ICR_MODE_INIT && mode != ICR_MODE_SIPI) {
		send_interrupt(lp, icr, destination);
		return;
	}
	for (unsigned i = 0; i < lp_count; i++) {
		if (is_target(lp, &lps[i], icr, destination))
			send_message(&lps[i], icr);
	}
}

void l1_apic_mmio_write(struct lp *lp, unsigned reg, uint32_t value)
{
	if (is_x2apic(lp))
		return;
	switch (reg) {
	case LAPIC_ICR:
		write_icr(lp, value, lapic_read(LAPIC_ICR_HIGH) >> 24);
		break;
	case LAPIC_LVT_TIMER:
		write_lvt_timer(lp, value);
		break;
	case LAPIC_TIMER_DIVIDE:
		lp->apic.divide = value;
		if (!uses_deadline(lp))
			lapic_write(reg, value);
		break;
	case LAPIC_TIMER_INITIAL:
		if (!uses_deadline(lp))
			lapic_write(reg, value);
		break;
	default:
		lapic_write(reg, value);
		break;
	}
}

static bool x2apic_is_readable(unsigned reg)
{
	switch (reg) {
	case LAPIC_EOI:
	case LAPIC_DFR:
	case LAPIC_ICR_HIGH:
	case LAPIC_SELF_IPI:
		return false;
	default:
		return reg >= LAPIC_ID && reg <= LAPIC_TIMER_DIVIDE;
	}
}

bool l1_x2apic_read(struct lp *lp, uint32_t msr, uint64_t *value)
{
	unsigned reg = (msr - MSR_X2APIC_BASE) << 4;

	if (!is_x2apic(lp) || !x2apic_is_readable(reg))
		return false;
	switch (reg) {
	case LAPIC_ID:
		*value = lp->apic_id;
		break;
	case LAPIC_LDR:
		*value = x2apic_logical_id(lp->apic_id);
		break;
	case LAPIC_ICR:
		*value = lapic_read(LAPIC_ICR);
		break;
	case LAPIC_TIMER_DIVIDE:
		*value = lp->apic.divide;
		break;
	default:
		*value = lapic_read(reg);
		break;
	}
	return true;
}

static bool x2apic_is_writable(unsigned reg)
{
	switch (reg) {
	case LAPIC_TPR:
	case LAPIC_EOI:
	case LAPIC_SVR:
	case LAPIC_ESR:
	case LAPIC_ICR:
	case LAPIC_TIMER_INITIAL:
	case LAPIC_TIMER_DIVIDE:
	case LAPIC_SELF_IPI:
		return true;
	default:
		return reg >= LAPIC_LVT_TIMER && reg <= LAPIC_LVT_ERROR;
	}
}

bool l1_x2apic_write(struct lp *lp, uint32_t msr, uint64_t value)
{
	unsigned reg = (msr - MSR_X2APIC_BASE) << 4;

	if (!is_x2apic(lp) || !x2apic_is_writable(reg))
		return false;
	if (reg == LAPIC_ICR) {
		write_icr(lp, (uint32_t)value, (uint32_t)(value >> 32));
		return true;
	}
	if (value >> 32 != 0 || (reg == LAPIC_EOI && value != 0))
		return false;
	switch (reg) {
	case LAPIC_SELF_IPI:
		lapic_send(lp->apic_id, ICR_ASSERT | (uint32_t)(value & 0xff));
		break;
	case LAPIC_LVT_TIMER:
		write_lvt_timer(lp, (uint32_t)value);
		break;
	case LAPIC_TIMER_DIVIDE:
		lp->apic.divide = (uint32_t)value;
		if (!uses_deadline(lp))
			lapic_write(reg, (uint32_t)value);
		break;
	case LAPIC_TIMER_INITIAL:
		if (!uses_deadline(lp))
			lapic_write(reg, (uint32_t)value);
		break;
	default:
		lapic_write(reg, (uint32_t)value);
		break;
	}
	return true;
}
