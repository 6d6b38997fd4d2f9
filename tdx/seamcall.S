/* SPDX-License-Identifier: MIT */
/*
 * uint64_t seamcall_raw(uint64_t rax, struct seamcall_regs *regs);
 *
 *   in   rdi = leaf and version, rsi = regs (order: rcx rdx rbx rbp rsi rdi r8..r15)
 *   out  rax = completion status; *regs = the registers after the call
 *        CF=1, #UD, #GP: rax = TDX_SW_* in bits 63:32, *regs unchanged
 *   keeps what the C ABI says; the module itself may change any GPR but rsp
 */
#include "core/extable.h"

	.text
	.globl	seamcall_raw
	.type	seamcall_raw, @function
seamcall_raw:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rsi
	mov	%rdi, %rax
	mov	0(%rsi), %rcx
	mov	8(%rsi), %rdx
	mov	16(%rsi), %rbx
	mov	24(%rsi), %rbp
	mov	40(%rsi), %rdi
	mov	48(%rsi), %r8
	mov	56(%rsi), %r9
	mov	64(%rsi), %r10
	mov	72(%rsi), %r11
	mov	80(%rsi), %r12
	mov	88(%rsi), %r13
	mov	96(%rsi), %r14
	mov	104(%rsi), %r15
	mov	32(%rsi), %rsi
1:	.byte	0x66, 0x0f, 0x01, 0xcf		/* seamcall: binutils < 2.36 */
	EXTABLE(1b, .Lfault)
	jc	.Lvmfail_invalid
	xchg	%rsi, (%rsp)			/* rsi = regs; the module's rsi waits */
	mov	%rcx, 0(%rsi)
	mov	%rdx, 8(%rsi)
	mov	%rbx, 16(%rsi)
	mov	%rbp, 24(%rsi)
	mov	%rdi, 40(%rsi)
	mov	%r8, 48(%rsi)
	mov	%r9, 56(%rsi)
	mov	%r10, 64(%rsi)
	mov	%r11, 72(%rsi)
	mov	%r12, 80(%rsi)
	mov	%r13, 88(%rsi)
	mov	%r14, 96(%rsi)
	mov	%r15, 104(%rsi)
	mov	(%rsp), %rcx
	mov	%rcx, 32(%rsi)
.Lreturn:
	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
.Lvmfail_invalid:
	xor	%eax, %eax
.Lfault:					/* rax = vector, 6 or 13 */
	shl	$32, %rax
	movabs	$0x8000ff0000000000, %rcx
	or	%rcx, %rax
	jmp	.Lreturn
	.size	seamcall_raw, . - seamcall_raw

	.section .note.GNU-stack, "", @progbits
