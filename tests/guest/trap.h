/* SPDX-License-Identifier: MIT */
/* The probe's exceptions and interrupts. */
#pragma once

#define TRAP_VECTORS 64

/* Vectors that push an error code: #DF #TS #NP #SS #GP #PF #AC #CP. */
#define TRAP_HAS_ERROR_CODE 0x00227d00

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#define VECTOR_GP 13
#define VECTOR_VE 20

/* Interrupt vectors that the tests use. */
#define VECTOR_TIMER    0x30
#define VECTOR_SELF_IPI 0x31
#define VECTOR_IPI      0x32

/* What TDG.VP.VEINFO.GET said. */
struct ve_info {
	uint32_t reason;
	uint64_t qualification, linear, gpa;
	uint32_t length, instruction_info;
};

/* #VE and #GP so far, and the last #VE. An instruction that caused one was skipped. */
extern volatile unsigned trap_ve_count, trap_gp_count;
extern struct ve_info trap_ve;

/* Length of the instruction to skip where VE_INFO or the #GP does not tell it. */
extern volatile unsigned trap_skip;

/* Interrupts taken (and ended by EOI), by vector. */
extern volatile unsigned trap_interrupts[TRAP_VECTORS];

struct trap_frame {
	uint64_t gpr[15];
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* From probe_entry.S. Any other exception ends the TD by ReportFatalError. */
void trap_handle(struct trap_frame *frame);
#endif
