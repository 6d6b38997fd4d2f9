/* SPDX-License-Identifier: MIT */
/*
 * Where every vCPU of the TD starts, and all that the CPU itself reads of the image.
 *
 *   in   32-bit flat protected mode, paging off, EBX = GPA width, ESI = vCPU index,
 *        CR0 = PE | NE, CR4 = MCE, EFER = SCE | LME | NXE (not to be written)
 *   out  vCPU 0: tdboot_main(GPA width) on the image's stack
 *        others: parked in the ACPI multiprocessor wakeup mailbox
 *
 * All pages of the image are measured, private and writable. Parked vCPUs use them
 * until the operating system starts them, so it is told to leave them alone.
 */
#include "tdboot/exception.h"

#define CR0_PG  0x80000000
#define CR4_PAE 0x20

/* Linux's 64-bit entry wants its __BOOT_CS and __BOOT_DS. */
#define SEL_CODE 0x10
#define SEL_DATA 0x18

#define TABLE      0x23 /* present, writable, accessed */
#define LARGE_PAGE 0xe3 /* the same, dirty, 1 GiB */
#define SHARED_BIT (1 << 47)
#define NO_EXECUTE (1 << 63)

	.section .reset, "ax"
	.code32
	jmp	start32

	.section .entry, "ax"
	.code32
image_start:
start32:
	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	lgdt	gdt_pointer
	mov	%cr0, %eax
	or	$CR0_PG, %eax
	mov	%eax, %cr0
	ljmp	$SEL_CODE, $start64

	.code64
start64:
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	lidt	idt_pointer(%rip)
	test	%esi, %esi
	jnz	park
	lea	stack_top(%rip), %rsp
	mov	%ebx, %edi
	xor	%ebp, %ebp
	call	tdboot_main
	ud2

/*
 * ESI = this vCPU's APIC id. The command must be gone before the jump: the operating
 * system waits for that. Vector and id are written before the command.
 */
park:
	lea	park_stack_top(%rip), %rsp
	lea	tdboot_mailbox(%rip), %rdi
1:	pause
	cmpw	$1, 0(%rdi)
	jne	1b
	cmp	%esi, 4(%rdi)
	jne	1b
	mov	8(%rdi), %rax
	movw	$0, 0(%rdi)
	jmp	*%rax

/*
 * void enter_kernel(uint64_t entry, uint64_t boot_params), does not return.
 * The 64-bit boot protocol: RSI = boot_params, interrupts off, flat segments.
 */
	.globl	enter_kernel
	.type	enter_kernel, @function
enter_kernel:
	cli
	cld
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	jmp	*%rdi

/* One stub of STUB_SIZE bytes per vector; what the CPU pushed becomes struct exception_frame. */
#define STUB_SIZE 16
	.balign	STUB_SIZE
stubs:
	vector = 0
	.rept	EXCEPTION_VECTORS
	.if	(EXCEPTION_HAS_ERROR_CODE >> vector) & 1
	.else
	push	$0
	.endif
	push	$vector
	jmp	exception
	.balign	STUB_SIZE
	vector = vector + 1
	.endr

/* Nothing is resumed, so nothing is saved. Parked vCPUs share one stack: two that fault at once spoil the text only. */
exception:
	mov	%rsp, %rdi
	mov	%cr2, %rsi
	and	$-16, %rsp
	cld
	call	tdboot_exception
	ud2

/* The image lies below 4 GiB, in the last 64 KiB: bits 31:16 of every address are ones. */
	.balign	16
idt:
	vector = 0
	.rept	EXCEPTION_VECTORS
	.word	stubs - image_start + vector * STUB_SIZE, SEL_CODE, 0x8e00, 0xffff
	.quad	0
	vector = vector + 1
	.endr
idt_end:
	.balign	16
gdt:
	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
idt_pointer:
	.word	idt_end - idt - 1
	.quad	idt

/* RAM at its own address, private; and the file window at its own address, shared. */
	.section .tables, "aw"
	.balign	4096
pml4:
	.quad	pdpt_private + TABLE
	.fill	63, 8, 0
	.quad	pdpt_files + TABLE
	.fill	447, 8, 0
pdpt_private:
	gib = 0
	.rept	512
	.quad	(gib << 30) | LARGE_PAGE
	gib = gib + 1
	.endr
pdpt_files:
	gib = 32768
	.rept	512
	.quad	(gib << 30) | SHARED_BIT | NO_EXECUTE | LARGE_PAGE
	gib = gib + 1
	.endr
	.globl	tdboot_mailbox
tdboot_mailbox:
	.fill	4096, 1, 0

	.section .stack, "aw"
	.balign	16
	.fill	1024, 1, 0
park_stack_top:
	.fill	8192, 1, 0
stack_top:
	.section .note.GNU-stack, "", @progbits
