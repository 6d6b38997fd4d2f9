/* SPDX-License-Identifier: MIT */
/* Between entry.S and exception.c. */
#pragma once

#define EXCEPTION_VECTORS 32

/* Vectors that push an error code: #DF #TS #NP #SS #GP #PF #AC #CP. */
#define EXCEPTION_HAS_ERROR_CODE 0x00227d00

#ifndef __ASSEMBLER__
#include <stdint.h>

struct exception_frame {
	uint64_t vector, error; /* pushed by the stub, error possibly by the CPU */
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Reports the exception as a fatal error; called by entry.S. */
_Noreturn void tdboot_exception(const struct exception_frame *frame, uint64_t cr2);
#endif
