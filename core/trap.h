/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts of the host; core/isr.S builds the frame. */
#pragma once

#include <stdint.h>

#include "core/compiler.h"

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

STATIC_ASSERT(sizeof(struct trap_frame) == 22 * sizeof(uint64_t), "core/isr.S pushes 22 words");

/* Fills the IDT; once, on the BSP, before the first cpu_init_this(). */
void trap_init(void);

/* Makes this CPU use the IDT. */
void trap_init_this_cpu(void);

/* End of interrupt to the LAPIC. Defined in drivers/. */
void irq_end(void);
