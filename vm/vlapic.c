/* SPDX-License-Identifier: MIT */
#include "vm/vlapic.h"

#include "core/x86.h"

/* x2APIC MSRs (SDM vol. 3, table 11-6) that TDX leaves to the host. */
enum {
	X2APIC_ID = 0x802,
	X2APIC_VERSION = 0x803,
	X2APIC_LDR = 0x80d,
	X2APIC_SPURIOUS = 0x80f,
	X2APIC_ESR = 0x828,
	X2APIC_LVT_CMCI = 0x82f,
	X2APIC_LVT_TIMER = 0x832,
	X2APIC_LVT_ERROR = 0x837,
	X2APIC_INITIAL_COUNT = 0x838,
	X2APIC_CURRENT_COUNT = 0x839,
	X2APIC_DIVIDE = 0x83e,
};

/* Version 0x15, LVT entries minus one in 23:16. */
#define VERSION ((uint32_t)(LVT_COUNT - 1) << 16 | 0x15U)

#define LVT_MASKED   (UINT32_C(1) << 16)
#define LVT_WRITABLE UINT32_C(0x7f7ff)

/* LVT timer, 18:17. */
enum timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE };

#define SPURIOUS_RESET    UINT32_C(0xff)
#define SPURIOUS_WRITABLE UINT32_C(0x1ff)
#define VECTOR_FIRST      16U
#define ICR_LOGICAL       (UINT64_C(1) << 11)
#define ICR_PENDING       (UINT64_C(1) << 12)

/* The timer's input clock: the 25 MHz crystal that CPUID 0x15 tells every TD. */
#define TIMER_HZ UINT64_C(25000000)

#define PERIODS_PER_SECOND_MAX 20000

void vlapic_init(struct vlapic *l, uint32_t id, const struct vclock *clock)
{
	*l = (struct vlapic){.clock = clock, .id = id, .spurious = SPURIOUS_RESET};
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = LVT_MASKED;
}

static enum timer_mode timer_mode(const struct vlapic *l)
{
	return (enum timer_mode)(l->lvt[LVT_TIMER] >> 17 & 3);
}

/* Divide configuration register: bits 3, 1, 0; 7 means by 1. */
static unsigned divisor_shift(const struct vlapic *l)
{
	return ((l->divide & 3) + (l->divide >> 1 & 4) + 1) & 7;
}

/* Host ticks in `count` steps of the timer. */
static uint64_t count_to_ticks(const struct vlapic *l, uint32_t count)
{
	uint64_t steps = (uint64_t)count << divisor_shift(l);

	return vclock_to_host_ticks(l->clock, steps * (l->clock->hz / TIMER_HZ));
}

static uint32_t current_count(const struct vlapic *l, uint64_t now)
{
	uint64_t steps;

	if (l->deadline <= now || timer_mode(l) == TIMER_TSC_DEADLINE)
		return 0;
	steps = vclock_to_virtual_ticks(l->clock, l->deadline - now) /
		(l->clock->hz / TIMER_HZ);
	return (uint32_t)(steps >> divisor_shift(l));
}

/* A guest may ask for a period of nothing; the host does not follow it below this. */
static uint64_t shortest_period(const struct vlapic *l)
{
	return vclock_to_host_ticks(l->clock, l->clock->hz / PERIODS_PER_SECOND_MAX);
}

static void start_counting(struct vlapic *l, uint64_t now)
{
	uint64_t ticks = count_to_ticks(l, l->initial_count);

	l->deadline = 0;
	l->period = 0;
	if (l->initial_count == 0 || timer_mode(l) == TIMER_TSC_DEADLINE)
		return;
	l->deadline = now + ticks;
	if (timer_mode(l) == TIMER_PERIODIC)
		l->period = ticks > shortest_period(l) ? ticks : shortest_period(l);
}

/* A deadline in the past fires at once (SDM vol. 3, 11.5.4.1). */
static void set_tsc_deadline(struct vlapic *l, uint64_t now, uint64_t deadline)
{
	uint64_t virtual_now = vclock_now(l->clock, now);

	if (timer_mode(l) != TIMER_TSC_DEADLINE)
		return;
	l->tsc_deadline = deadline;
	l->period = 0;
	if (deadline == 0)
		l->deadline = 0;
	else if (deadline <= virtual_now)
		l->deadline = now;
	else
		l->deadline = now + vclock_to_host_ticks(l->clock, deadline - virtual_now);
}

/* Changing the mode disarms the timer. */
static void set_lvt_timer(struct vlapic *l, uint32_t value)
{
	enum timer_mode before = timer_mode(l);

	l->lvt[LVT_TIMER] = value & LVT_WRITABLE;
	if (timer_mode(l) == before)
		return;
	l->deadline = 0;
	l->period = 0;
	l->tsc_deadline = 0;
}

int vlapic_timer_expired(struct vlapic *l, uint64_t now)
{
	uint32_t lvt = l->lvt[LVT_TIMER];

	if (l->period != 0) {
		l->deadline += l->period;
		if (l->deadline <= now)
			l->deadline = now + l->period;
	} else {
		l->deadline = 0;
		l->tsc_deadline = 0;
	}
	if ((lvt & LVT_MASKED) != 0 || (lvt & 0xff) < VECTOR_FIRST)
		return -1;
	return (int)(lvt & 0xff);
}

/* Logical x2APIC ID: cluster in 31:16, a bit for the place in it (SDM vol. 3, 11.12.10.2). */
static uint32_t logical_id(uint32_t id) { return (id >> 4) << 16 | UINT32_C(1) << (id & 0xf); }

bool icr_names(uint64_t icr, uint32_t id)
{
	uint32_t destination = (uint32_t)(icr >> 32);
	uint32_t logical = logical_id(id);

	if (destination == UINT32_MAX)
		return true;
	if ((icr & ICR_LOGICAL) == 0)
		return destination == id;
	return destination >> 16 == logical >> 16 && (destination & logical & 0xffff) != 0;
}

static int lvt_index(uint32_t msr)
{
	if (msr == X2APIC_LVT_CMCI)
		return LVT_CMCI;
	if (msr >= X2APIC_LVT_TIMER && msr <= X2APIC_LVT_ERROR)
		return (int)(LVT_TIMER + msr - X2APIC_LVT_TIMER);
	return -1;
}

bool vlapic_read(const struct vlapic *l, uint32_t msr, uint64_t now, uint64_t *value)
{
	int lvt = lvt_index(msr);

	if (lvt >= 0) {
		*value = l->lvt[lvt];
		return true;
	}
	switch (msr) {
	case MSR_TSC_DEADLINE:
		*value = l->tsc_deadline;
		return true;
	case X2APIC_ID:
		*value = l->id;
		return true;
	case X2APIC_VERSION:
		*value = VERSION;
		return true;
	case X2APIC_LDR:
		*value = logical_id(l->id);
		return true;
	case X2APIC_SPURIOUS:
		*value = l->spurious;
		return true;
	case X2APIC_ESR:
		*value = 0;
		return true;
	case X2APIC_ICR:
		*value = l->icr;
		return true;
	case X2APIC_INITIAL_COUNT:
		*value = l->initial_count;
		return true;
	case X2APIC_CURRENT_COUNT:
		*value = current_count(l, now);
		return true;
	case X2APIC_DIVIDE:
		*value = l->divide;
		return true;
	default:
		return false;
	}
}

static bool write_lvt(struct vlapic *l, int index, uint64_t value)
{
	if (value > UINT32_MAX)
		return false;
	if (index == LVT_TIMER)
		set_lvt_timer(l, (uint32_t)value);
	else
		l->lvt[index] = (uint32_t)value & LVT_WRITABLE;
	return true;
}

bool vlapic_write(struct vlapic *l, uint32_t msr, uint64_t now, uint64_t value)
{
	int lvt;

	if (msr == MSR_TSC_DEADLINE) { /* first: nothing else is written as often */
		set_tsc_deadline(l, now, value);
		return true;
	}
	lvt = lvt_index(msr);
	if (lvt >= 0)
		return write_lvt(l, lvt, value);
	if (msr != X2APIC_ICR && value > UINT32_MAX)
		return false;
	switch (msr) {
	case X2APIC_SPURIOUS:
		l->spurious = (uint32_t)value & SPURIOUS_WRITABLE;
		return true;
	case X2APIC_ESR:
		return value == 0;
	case X2APIC_ICR:
		l->icr = value & ~ICR_PENDING;
		return true;
	case X2APIC_INITIAL_COUNT:
		l->initial_count = (uint32_t)value;
		start_counting(l, now);
		return true;
	case X2APIC_DIVIDE:
		l->divide = (uint32_t)value & 0xb;
		return true;
	default:
		return false;
	}
}
