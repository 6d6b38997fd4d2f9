/* SPDX-License-Identifier: MIT */
#include "tdboot/fatal.h"

#include "guest-abi/ghci.h"
#include "guest-abi/tdcall_insn.h"
#include "tdboot/text.h"

_Noreturn void fatal(enum tdboot_error code, const char *text)
{
	uint64_t words[FATAL_WORD_COUNT];

	text_pack(text, words);
	/* A host that enters this vCPU again is told again. */
	for (;;) {
		struct tdcall_regs regs = {.rax = TDG_VP_VMCALL,
					   .rcx = TDVMCALL_REGISTER_MASK,
					   .r11 = TDVMCALL_REPORT_FATAL_ERROR,
					   .r12 = code,
					   .r14 = words[0],
					   .r15 = words[1],
					   .rbx = words[2],
					   .rdi = words[3],
					   .rsi = words[4],
					   .r8 = words[5],
					   .r9 = words[6],
					   .rdx = words[7]};

		tdcall(&regs);
	}
}
