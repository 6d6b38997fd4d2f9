/* SPDX-License-Identifier: MIT */
#include "tdboot/exception.h"

#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "guest-abi/tdcall_insn.h"
#include "tdboot/fatal.h"
#include "tdboot/text.h"

_Noreturn void tdboot_exception(const struct exception_frame *frame, uint64_t cr2)
{
	struct exception e = {.vector = frame->vector,
			      .error = frame->error,
			      .rip = frame->rip,
			      .address = cr2};
	char text[FATAL_TEXT_SIZE];

	if (e.vector == VECTOR_VIRTUALIZATION) {
		struct tdcall_regs regs = {.rax = TDG_VP_VEINFO_GET};

		tdcall(&regs);
		e.ve_reason = regs.rcx;
		e.address = regs.r9;
	}
	text_exception(text, &e);
	fatal(TDBOOT_ERROR_EXCEPTION, text);
}
