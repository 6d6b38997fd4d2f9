/* SPDX-License-Identifier: MIT */
/*
 * One entry per vector, at isr_stubs + 16 * v: it pushes an error code where the CPU pushes none,
 * then the vector, and saves the rest of struct trap_frame (core/trap.h).
 * trap_dispatch(frame) may change the frame; it is restored and left with IRET.
 */
	.text
	.balign	16
isr_common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	trap_dispatch
	mov	%rbp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

	/* CPUs push an error code for 8, 10-14, 17, 21, 29 and 30. */
	.globl	isr_stubs
	.balign	16
isr_stubs:
	.set	v, 0
	.rept	256
	.balign	16
	.if	!(v < 32 && (0x60227d00 >> (v & 31)) & 1)
	push	$0
	.endif
	push	$v
	jmp	isr_common
	.set	v, v + 1
	.endr
	.globl	isr_stubs_end
	.balign	16
isr_stubs_end:
