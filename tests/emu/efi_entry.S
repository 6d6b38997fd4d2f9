/* SPDX-License-Identifier: MIT */
	.text
/*
 * void efi_enter_core(core_start_fn enter, const struct boot_args *args,
 *                     struct l1_start *start);
 *
 *   in    rdi = core_start in the resident copy, rsi, rdx = its arguments;
 *         start->rip and start->rsp are filled here
 *   Returns as L1: with all registers that the ABI keeps, and the flags.
 */
	.globl	efi_enter_core
	.hidden	efi_enter_core
	.type	efi_enter_core, @function
efi_enter_core:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushfq
	cli
	lea	1f(%rip), %rax
	mov	%rax, 8(%rdx)
	mov	%rsp, 16(%rdx)
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	and	$-16, %rsp
	call	*%rax
1:
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
