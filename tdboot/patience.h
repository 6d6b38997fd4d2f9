/* SPDX-License-Identifier: MIT */
#pragma once

#include "guest-abi/tdcall_insn.h"

/* While the host holds a lock that the leaf needs; on real machines that is microseconds. */
#define BUSY_RETRIES 1000000U

/* RAX of a leaf of at most two operands, which is repeated while it answers OPERAND_BUSY. */
static inline uint64_t tdcall_patiently(uint64_t leaf, uint64_t rcx, uint64_t rdx)
{
	struct tdcall_regs regs;
	unsigned tries = BUSY_RETRIES;

	do {
		regs = (struct tdcall_regs){.rax = leaf, .rcx = rcx, .rdx = rdx};
		tdcall(&regs);
	} while (tdcall_code(regs.rax) == TDCALL_OPERAND_BUSY && --tries > 0);
	return regs.rax;
}
