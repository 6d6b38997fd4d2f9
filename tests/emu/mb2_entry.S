/* SPDX-License-Identifier: MIT */
/*
 * GRUB enters here: 32-bit protected mode, EAX = magic, EBX = information.
 * Identity maps the low 4 GiB, enters 64-bit mode, relocates the image in place
 * and calls mb2_main(magic, information).
 */
#define MB2_MAGIC  0xe85250d6
#define CR4_PAE    0x20
#define EFER_LME   0x100
#define CR0_PG     0x80000000
#define PAGE_2M    0x83
#define PAGE_TABLE 3

	.section .mb2_header, "a"
	.balign	8
header:
	.long	MB2_MAGIC, 0, header_end - header
	.long	-(MB2_MAGIC + (header_end - header))
	.balign	8
	.short	6, 0		/* modules on page boundaries */
	.long	8
	.short	0, 0
	.long	8
header_end:

	.text
	.code32
	.globl	mb2_entry
	.hidden	mb2_entry
mb2_entry:
	cli
	cld
	mov	%eax, %esi	/* magic */
	/* Any stack will do for one CALL: the reserved word of the information. */
	lea	8(%ebx), %esp
	call	1f
1:	pop	%ebp
	lea	(stack_top - 1b)(%ebp), %esp
	push	$0
	push	%ebx
	push	$0
	push	%esi

	lea	(directories - 1b)(%ebp), %edi
	xor	%ecx, %ecx
	mov	$PAGE_2M, %eax
2:	mov	%eax, (%edi,%ecx,8)
	movl	$0, 4(%edi,%ecx,8)
	add	$0x200000, %eax
	inc	%ecx
	cmp	$2048, %ecx
	jne	2b

	lea	(pointers - 1b)(%ebp), %edx
	lea	PAGE_TABLE(%edi), %eax
	xor	%ecx, %ecx
3:	mov	%eax, (%edx,%ecx,8)
	movl	$0, 4(%edx,%ecx,8)
	add	$0x1000, %eax
	inc	%ecx
	cmp	$4, %ecx
	jne	3b

	lea	(top - 1b)(%ebp), %edi
	lea	PAGE_TABLE(%edx), %eax
	mov	%eax, (%edi)
	movl	$0, 4(%edi)
	mov	%edi, %cr3
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	or	$CR0_PG, %eax
	mov	%eax, %cr0

	lea	(gdt - 1b)(%ebp), %eax
	mov	%eax, (gdt_pointer - 1b + 2)(%ebp)
	lgdt	(gdt_pointer - 1b)(%ebp)
	lea	(long_mode - 1b)(%ebp), %eax
	push	$0x10
	push	%eax
	lret

	.code64
long_mode:
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	call	mb2_relocate_self
	pop	%rdi
	pop	%rsi
	call	mb2_main
	ud2

	.data
	.balign	8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	31
	.long	0, 0

	.bss
	.balign	4096
top:
	.skip	4096
pointers:
	.skip	4096
directories:
	.skip	4 * 4096
	.skip	65536
stack_top:

	.section .note.GNU-stack, "", @progbits
