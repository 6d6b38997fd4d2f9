/* SPDX-License-Identifier: MIT */
	.text

/*
 * void svm_run(struct vmcb *v, uint64_t *gpr, struct vmcb *host);
 *
 *   in    rdi = guest VMCB, rsi = its registers in encoding order (RAX and RSP
 *         live in the VMCB), rdx = VMCB that holds our own VMSAVE state
 *   needs GIF = 0; interrupts are enabled for the time in the guest only, which
 *         V_INTR_MASKING asks for
 *   keeps rbx rbp r12-r15; returns with GIF = 0, IF = 0
 */
	.globl	svm_run
	.hidden	svm_run
	.type	svm_run, @function
svm_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdx
	push	%rsi
	mov	%rdi, %rax
	mov	8(%rsi), %rcx
	mov	16(%rsi), %rdx
	mov	24(%rsi), %rbx
	mov	40(%rsi), %rbp
	mov	56(%rsi), %rdi
	mov	64(%rsi), %r8
	mov	72(%rsi), %r9
	mov	80(%rsi), %r10
	mov	88(%rsi), %r11
	mov	96(%rsi), %r12
	mov	104(%rsi), %r13
	mov	112(%rsi), %r14
	mov	120(%rsi), %r15
	mov	48(%rsi), %rsi
	vmload	%rax
	sti
	vmrun	%rax
	cli
	vmsave	%rax
	xchg	%rsi, (%rsp)
	mov	%rcx, 8(%rsi)
	mov	%rdx, 16(%rsi)
	mov	%rbx, 24(%rsi)
	mov	%rbp, 40(%rsi)
	mov	%rdi, 56(%rsi)
	mov	%r8, 64(%rsi)
	mov	%r9, 72(%rsi)
	mov	%r10, 80(%rsi)
	mov	%r11, 88(%rsi)
	mov	%r12, 96(%rsi)
	mov	%r13, 104(%rsi)
	mov	%r14, 112(%rsi)
	mov	%r15, 120(%rsi)
	pop	%rax
	mov	%rax, 48(%rsi)
	pop	%rax
	vmload	%rax
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/*
 * void lp_wait(atomic_int *value): sleeps until *value >= 0.
 *
 * Woken by NMI. An NMI that comes between the look and the HLT would be lost,
 * so the NMI handler moves an RIP inside [lp_wait, lp_wait_end) back to lp_wait.
 */
	.globl	lp_wait, lp_wait_end
	.hidden	lp_wait, lp_wait_end
	.type	lp_wait, @function
lp_wait:
	cmpl	$0, (%rdi)
	jge	1f
	hlt
lp_wait_end:
	jmp	lp_wait
1:	ret

/* void stack_jump(uint64_t stack, void (*to)(void *), void *arg): does not return. */
	.globl	stack_jump
	.hidden	stack_jump
	.type	stack_jump, @function
stack_jump:
	mov	%rdi, %rsp
	xor	%ebp, %ebp
	mov	%rdx, %rdi
	push	%rbp
	jmp	*%rsi

/*
 * Interrupt entry: 256 stubs of 16 bytes. They build a struct trap_frame and
 * call trap_handle(frame).
 */
	.balign	16
	.globl	trap_stubs
	.hidden	trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	(vector != 8) && ((vector < 10) || (vector > 14)) && (vector != 17) && (vector != 21)
	push	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

trap_common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	cld
	call	trap_handle
	mov	%rbp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

/*
 * Instruction sequences that quirks.c runs as tiny guests; each ends in CPUID,
 * which exits. Guest RAX points to valid memory.
 */
	.globl	probe_vmxon, probe_cr4, probe_cmpxchg16b
	.hidden	probe_vmxon, probe_cr4, probe_cmpxchg16b
probe_vmxon:
	vmxon	(%rax)
	cpuid
probe_cr4:
	mov	%cr4, %rbx
	cpuid

/*
 * int probe_cmpxchg16b(void *aligned16): 1 if CMPXCHG16B leaves the flags
 * wrong. Not a guest: it runs directly.
 */
	.type	probe_cmpxchg16b, @function
probe_cmpxchg16b:
	push	%rbx
	movq	$1, (%rdi)
	movq	$0, 8(%rdi)
	xor	%eax, %eax
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	mov	$1, %r9d
	mov	$0x57beda30, %r8d
	push	$2
	popfq
	add	%r8, %r9
	xor	%r10d, %r10d
	cmpxchg16b (%rdi)
	pushfq
	pop	%rax
	and	$0x8d5, %eax
	xor	$4, %eax
	setne	%al
	movzbl	%al, %eax
	push	$2
	popfq
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
