/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault in normal operation. When #GP or #UD hits the address
 * `fault`, execution goes on at `fixup` with the vector (13 or 6) in RAX; every other
 * register, the stack and the flags are as the faulting instruction found them.
 *
 *	In .S files:		1:	.byte 0x66, 0x0f, 0x01, 0xcf
 *				EXTABLE(1b, .Lfault)
 *	In *_insn.h files:	asm("1: rdmsr\n2:\n" EXTABLE("1b", "2b") ...)
 */
#pragma once

#ifdef __ASSEMBLER__
/* clang-format off */
#define EXTABLE(fault, fixup)                                                                  \
	.pushsection .extable, "a"; .balign 8; .quad fault, fixup; .popsection
/* clang-format on */
#else
#define EXTABLE(fault, fixup)                                                                  \
	".pushsection .extable, \"a\"\n.balign 8\n.quad " fault ", " fixup "\n.popsection\n"
#endif
