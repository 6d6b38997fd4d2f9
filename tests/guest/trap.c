/* SPDX-License-Identifier: MIT */
#include "tests/guest/trap.h"

#include "guest-abi/ghci.h"
#include "guest-abi/tdcall_insn.h"
#include "tests/guest/probe_insn.h"
#include "tests/guest/tap.h"
#include "tests/guest/td.h"

#define FIRST_INTERRUPT      32
#define X2APIC_EOI           0x80b
#define REASON_EPT_VIOLATION 48

volatile unsigned trap_ve_count, trap_gp_count;
struct ve_info trap_ve;
volatile unsigned trap_skip;
volatile unsigned trap_interrupts[TRAP_VECTORS];

static void handle_ve(struct trap_frame *frame)
{
	struct tdcall_regs regs = {.rax = TDG_VP_VEINFO_GET};

	tdcall(&regs);
	if (regs.rax != 0)
		td_fatal("probe: #VE without VE_INFO");
	trap_ve = (struct ve_info){.reason = (uint32_t)regs.rcx,
				   .qualification = regs.rdx,
				   .linear = regs.r8,
				   .gpa = regs.r9,
				   .length = (uint32_t)regs.r10,
				   .instruction_info = (uint32_t)(regs.r10 >> 32)};
	trap_ve_count++;
	/* For EPT violations the length is not defined. */
	frame->rip += trap_ve.reason == REASON_EPT_VIOLATION ? trap_skip : trap_ve.length;
}

void trap_handle(struct trap_frame *frame)
{
	if (frame->vector >= FIRST_INTERRUPT) {
		trap_interrupts[frame->vector]++;
		wrmsr(X2APIC_EOI, 0);
	} else if (frame->vector == VECTOR_VE) {
		handle_ve(frame);
	} else if (frame->vector == VECTOR_GP && trap_skip != 0) {
		trap_gp_count++;
		frame->rip += trap_skip;
	} else {
		tap_value("exception", frame->vector);
		tap_value("at", frame->rip);
		tap_value("error code", frame->error);
		td_fatal("probe: unexpected exception");
	}
}
