/* SPDX-License-Identifier: MIT */
#include "tests/emu/l1probe/entry.h"

#define FLAGS_ALL 0xd5

	.text
	.globl	probe_load_segments
	.hidden	probe_load_segments
probe_load_segments:
	pop	%rax
	pushq	$PROBE_CS
	push	%rax
	mov	$PROBE_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	lretq

/*
 * void probe_seamcall(uint64_t gpr[16], uint64_t *flags);
 *
 *   in    rdi = registers in encoding order, rsi = where RFLAGS goes
 *   keeps rbx rbp r12-r15
 */
	.globl	probe_seamcall
	.hidden	probe_seamcall
probe_seamcall:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rsi
	push	%rdi
	lea	1f(%rip), %rax
	mov	%rax, trap_resume(%rip)
	mov	$(FLAGS_ALL << 8), %eax
	sahf
	mov	0(%rdi), %rax
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	40(%rdi), %rbp
	mov	48(%rdi), %rsi
	mov	64(%rdi), %r8
	mov	72(%rdi), %r9
	mov	80(%rdi), %r10
	mov	88(%rdi), %r11
	mov	96(%rdi), %r12
	mov	104(%rdi), %r13
	mov	112(%rdi), %r14
	mov	120(%rdi), %r15
	mov	56(%rdi), %rdi
	.byte	0x66, 0x0f, 0x01, 0xcf
1:	pushfq
	push	%rdi
	mov	16(%rsp), %rdi
	mov	%rax, 0(%rdi)
	mov	%rcx, 8(%rdi)
	mov	%rdx, 16(%rdi)
	mov	%rbx, 24(%rdi)
	mov	%rbp, 40(%rdi)
	mov	%rsi, 48(%rdi)
	mov	%r8, 64(%rdi)
	mov	%r9, 72(%rdi)
	mov	%r10, 80(%rdi)
	mov	%r11, 88(%rdi)
	mov	%r12, 96(%rdi)
	mov	%r13, 104(%rdi)
	mov	%r14, 112(%rdi)
	mov	%r15, 120(%rdi)
	pop	%rax
	mov	%rax, 56(%rdi)
	pop	%rax
	pop	%rdi
	pop	%rsi
	mov	%rax, (%rsi)
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* 256 stubs of 16 bytes: each builds a struct trap_frame and calls trap_handle(frame). */
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
 * The AP's trampoline: copied to a page below 1 MiB, entered in real mode by SIPI. Goes to
 * 64-bit mode in one step, on the first CPU's page tables, then to AP_ENTRY on AP_STACK.
 */
	.section .rodata
	.balign	16
	.globl	ap_begin, ap_long_mode, ap_end
	.hidden	ap_begin, ap_long_mode, ap_end
	.code16
ap_begin:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	AP_GDTR_LIMIT
	/* PAE MCE OSFXSR OSXMMEXCPT */
	mov	$0x660, %eax
	mov	%eax, %cr4
	mov	AP_CR3, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	/* LME NXE */
	mov	$0x900, %eax
	xor	%edx, %edx
	wrmsr
	mov	AP_GDTR_BASE, %ebx
	and	$0xff000, %ebx
	/* PG WP NE ET MP PE */
	mov	$0x80010033, %eax
	mov	%eax, %cr0
	ljmpl	*AP_FAR_OFFSET

	.code64
ap_long_mode:
	mov	AP_STACK(%rbx), %rsp
	mov	$PROBE_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%ebp, %ebp
	push	%rbp
	jmp	*AP_ENTRY(%rbx)
ap_end:
	.section .note.GNU-stack, "", @progbits
