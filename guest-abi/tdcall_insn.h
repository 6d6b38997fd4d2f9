/* SPDX-License-Identifier: MIT */
/*
 * TDCALL as code inside a TD executes it, CPL 0 and 64-bit mode. Raw registers in and
 * out: the caller knows its leaf. Registers that a leaf does not name keep their values.
 */
#pragma once

#include <stdint.h>

/* Completion status, RAX bits 63:32, of the leaves that guest code here calls. */
#define TDCALL_SUCCESS               UINT32_C(0x00000000)
#define TDCALL_PAGE_ALREADY_ACCEPTED UINT32_C(0x00000b0a)
#define TDCALL_OPERAND_BUSY          UINT32_C(0x80000200)
#define TDCALL_OPERAND_INVALID       UINT32_C(0xc0000100)
#define TDCALL_NO_VALID_VE_INFO      UINT32_C(0xc0000704)
#define TDCALL_PAGE_SIZE_MISMATCH    UINT32_C(0xc0000b0b)

/* Everything a leaf can take or return, but RSP and RBP, which no leaf here uses. */
struct tdcall_regs {
	uint64_t rax, rcx, rdx, rbx, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

/* RCX of TDG.VP.VMCALL: RDX, RBX, RSI, RDI and R8-R15 travel to the host and back. */
#define TDVMCALL_REGISTER_MASK UINT64_C(0xffcc)

static inline uint32_t tdcall_code(uint64_t rax) { return (uint32_t)(rax >> 32); }

static inline void tdcall(struct tdcall_regs *regs)
{
	register uint64_t r8 __asm__("r8") = regs->r8;
	register uint64_t r9 __asm__("r9") = regs->r9;
	register uint64_t r10 __asm__("r10") = regs->r10;
	register uint64_t r11 __asm__("r11") = regs->r11;
	register uint64_t r12 __asm__("r12") = regs->r12;
	register uint64_t r13 __asm__("r13") = regs->r13;
	register uint64_t r14 __asm__("r14") = regs->r14;
	register uint64_t r15 __asm__("r15") = regs->r15;

	/* binutils before 2.37 do not know the mnemonic. */
	__asm__ volatile(".byte 0x66, 0x0f, 0x01, 0xcc"
			 : "+a"(regs->rax), "+c"(regs->rcx), "+d"(regs->rdx), "+b"(regs->rbx),
			   "+S"(regs->rsi), "+D"(regs->rdi), "+r"(r8), "+r"(r9), "+r"(r10),
			   "+r"(r11), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
			 :
			 : "memory", "cc");
	regs->r8 = r8;
	regs->r9 = r9;
	regs->r10 = r10;
	regs->r11 = r11;
	regs->r12 = r12;
	regs->r13 = r13;
	regs->r14 = r14;
	regs->r15 = r15;
}
