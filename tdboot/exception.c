/* SPDX-License-Identifier: MIT */
#include "tdboot/exception.h"

#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "guest-abi/tdcall_insn.h"
#include "tdboot/fatal.h"
#include "tdboot/text.h"

_Noreturn void tdboot_exception(const struct exception_frame *frame, uint64_t address)
{
	struct tdcall_regs regs = {.rax = TDG_VP_VEINFO_GET};
	char text[FATAL_TEXT_SIZE];

	if (frame->vector == VECTOR_VIRTUALIZATION) {
		tdcall(&regs);
		address = regs.r9;
	}
	text_exception(text, frame, address, regs.rcx);
	fatal(TDBOOT_ERROR_EXCEPTION, text);
}
