/* SPDX-License-Identifier: MIT */
/* Which vCPUs a CPU's loop runs, and what makes it look around; vm/cpu_loop.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/compiler.h"
#include "core/cpu.h"
#include "core/hw.h"
#include "core/status.h"

struct vcpu;

/* Registers the loops' interrupt handlers; once, before the loops run. */
void cpu_queue_init(void);

/*
 * Moves the vCPU to `cpu`: its CPU flushes it out of the module's association and forgets
 * it, the new one takes it. Waits for both CPUs. STATUS_HW_FAULT when it cannot be flushed.
 */
MUST_CHECK enum status cpu_queue_move(struct vcpu *v, unsigned cpu);

/*
 * Takes the vCPU off its CPU for good: no loop knows it afterwards, the module can release
 * it. Its TD's gate is closed. Waits for that CPU.
 */
MUST_CHECK enum status cpu_queue_remove(struct vcpu *v);

/* This CPU's timer has to fire by `tsc`. Interrupts off. */
void cpu_queue_want_timer(uint64_t tsc);

/* Another CPU leaves the guest or its sleep, and looks around; nothing if it is this one. */
static inline void cpu_queue_kick(unsigned cpu)
{
	if (cpu != this_cpu())
		hw_send_ipi(cpu, VECTOR_KICK);
}

/* The BSP leaves the guest, and looks at what ended and what was printed. */
void cpu_queue_call_bsp(void);

/* One round of this CPU's loop: cpu_loop() repeats it for ever, hosted tests as they need. */
void cpu_loop_round(void);
