/* SPDX-License-Identifier: MIT */
/* Linux starts a program with argc and argv on its stack. */
	.globl _start
_start:
	mov	(%rsp), %rdi
	lea	8(%rsp), %rsi
	and	$-16, %rsp
	call	traffic_main
	ud2

	.section .note.GNU-stack, "", @progbits
