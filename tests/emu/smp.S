/* SPDX-License-Identifier: MIT */
/*
 * The trampoline: one page below 1 MiB, copied there by smp.c. Two entries:
 *
 *   trampoline_begin   real mode, by SIPI; CS = page
 *   trampoline_from64  64-bit mode under a 4-level table that maps everything
 *                      low, ebx = page: CR4.LA57 can only change with paging off
 *
 * Both end in 64-bit mode, 5-level paging, SVM on, at trampoline_entry with
 * rdi = trampoline_arg on stack trampoline_stack.
 */
#define CODE32 8
#define CODE64 16
#define DATA   24

#define OFF(x) ((x) - trampoline_begin)

/* PAE PGE OSFXSR OSXMMEXCPT LA57 OSXSAVE */
#define HOST_CR4  0x416a0
/* SVME NXE LME */
#define HOST_EFER 0x1900
/* PG WP NE ET MP PE */
#define HOST_CR0  0x80010033

	.section .rodata
	.balign	16
	.globl	trampoline_begin, trampoline_end, trampoline_from64
	.globl	trampoline_fixups, trampoline_args
	.hidden	trampoline_begin, trampoline_end, trampoline_from64
	.hidden	trampoline_fixups, trampoline_args
	.code16
trampoline_begin:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	movzwl	%ax, %ebx
	shl	$4, %ebx
	lgdtl	OFF(gdtr)
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	*OFF(far32)

	.code64
trampoline_from64:
	lgdt	OFF(gdtr64)(%rbx)
	ljmpl	*OFF(far32)(%rbx)

	.code32
protected:
	mov	$DATA, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	%ax, %fs
	mov	%ax, %gs
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	mov	$HOST_CR4, %eax
	mov	%eax, %cr4
	mov	OFF(arg_cr3)(%ebx), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	mov	$HOST_EFER, %eax
	xor	%edx, %edx
	wrmsr
	mov	$HOST_CR0, %eax
	mov	%eax, %cr0
	ljmpl	*OFF(far64)(%ebx)

	.code64
long_mode:
	mov	OFF(arg_stack)(%rbx), %rsp
	mov	OFF(arg_value)(%rbx), %rdi
	xor	%ebp, %ebp
	push	%rbp
	jmp	*OFF(arg_entry)(%rbx)

	.balign	8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:
	.word	31
fix_gdtr:
	.long	OFF(gdt)
	.balign	8
gdtr64:
	.word	31
fix_gdtr64:
	.long	OFF(gdt), 0
	.balign	8
far32:
fix_far32:
	.long	OFF(protected)
	.word	CODE32
	.balign	8
far64:
fix_far64:
	.long	OFF(long_mode)
	.word	CODE64
	.balign	8
arg_cr3:
	.quad	0
arg_stack:
	.quad	0
arg_value:
	.quad	0
arg_entry:
	.quad	0
trampoline_end:

/* Offsets of the 32-bit words that need the page's address added. */
	.balign	4
trampoline_fixups:
	.long	OFF(fix_gdtr), OFF(fix_gdtr64), OFF(fix_far32), OFF(fix_far64)
/* Offset of cr3, stack, arg, entry. */
trampoline_args:
	.long	OFF(arg_cr3)

	.section .note.GNU-stack, "", @progbits
