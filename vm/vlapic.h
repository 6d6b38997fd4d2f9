/* SPDX-License-Identifier: MIT */
/*
 * What of a TD vCPU's x2APIC the host has to hold: identity, local vector table, timer, ICR.
 * TPR, PPR, EOI, ISR, TMR, IRR and SELF_IPI never exit (virtual APIC page). Used by the
 * vCPU's own CPU only; times are host TSC unless said otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vm/vclock.h"

#define X2APIC_FIRST 0x800U
#define X2APIC_LAST  0x8ffU
#define X2APIC_ICR   0x830U

enum {
	LVT_CMCI,
	LVT_TIMER,
	LVT_THERMAL,
	LVT_PERFMON,
	LVT_LINT0,
	LVT_LINT1,
	LVT_ERROR,
	LVT_COUNT
};

struct vlapic {
	const struct vclock *clock;
	uint32_t id;
	uint32_t spurious;
	uint32_t lvt[LVT_COUNT];
	uint32_t initial_count, divide;
	uint64_t icr;
	uint64_t tsc_deadline; /* virtual; 0 = disarmed */
	uint64_t deadline;     /* next timer event; 0 = none */
	uint64_t period;       /* 0 = the event is the last */
};

void vlapic_init(struct vlapic *l, uint32_t id, const struct vclock *clock);

/* MSRs 0x800..0x8ff and TSC_DEADLINE. False: no such register, or not that value. */
bool vlapic_read(const struct vlapic *l, uint32_t msr, uint64_t now, uint64_t *value);
/* Changes l->deadline where the timer is concerned. An ICR write only stores: the caller sends.
 */
bool vlapic_write(struct vlapic *l, uint32_t msr, uint64_t now, uint64_t value);

/*
 * The timer's event at l->deadline <= now happened: rearms or stops it. Returns the
 * vector to post, or -1 when the timer's vector is masked or not a valid one.
 */
int vlapic_timer_expired(struct vlapic *l, uint64_t now);

/* ICR fields. */
enum ipi_shorthand { IPI_DESTINATION, IPI_SELF, IPI_ALL, IPI_OTHERS };

static inline uint8_t icr_vector(uint64_t icr) { return (uint8_t)icr; }
static inline unsigned icr_delivery(uint64_t icr) { return (unsigned)(icr >> 8 & 7); }
static inline enum ipi_shorthand icr_shorthand(uint64_t icr)
{
	return (enum ipi_shorthand)(icr >> 18 & 3);
}

#define ICR_DELIVERY_FIXED  0U
#define ICR_DELIVERY_LOWEST 1U
#define ICR_DELIVERY_NMI    4U

/* Does the ICR's destination field (physical or logical) name the x2APIC `id`? */
bool icr_names(uint64_t icr, uint32_t id);
