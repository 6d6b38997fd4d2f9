/* SPDX-License-Identifier: MIT */
/*
 * A bzImage of our own: setup header, 64-bit entry, tables, trap stubs.
 *
 *   in   64-bit mode, identity mapping, interrupts off, RSI = boot_params
 *   out  probe_main(boot_params) on its own stack, page tables, GDT and IDT
 *
 * Virtual = physical for private memory; SHARED_VIEW + GPA is the same GPA with the
 * shared bit (bit 47 of the entry).
 */
#include "tests/guest/trap.h"

#define LOAD         0x1000000
#define INIT_SIZE    0x100000
#define TABLE        0x23
#define LARGE_PAGE   0xe3
#define SHARED_BIT   (1 << 47)
#define SEL_CODE     0x10
#define SEL_DATA     0x18
#define SETUP_SECTS  1

	.section .setup, "a"
	.org	0x1f1
setup_header:
	.byte	SETUP_SECTS
	.org	0x1f4
	.long	payload_paragraphs	/* syssize */
	.org	0x1fe
	.word	0xaa55
	.byte	0xeb, setup_header_end - (. + 1)
	.ascii	"HdrS"
	.word	0x20f
	.org	0x211
	.byte	1			/* loadflags: LOADED_HIGH */
	.org	0x22c
	.long	0x7fffffff		/* initrd_addr_max */
	.long	0x200000		/* kernel_alignment */
	.byte	0			/* not relocatable */
	.byte	21
	.word	1			/* xloadflags: 64-bit entry */
	.long	2047			/* cmdline_size */
	.org	0x258
	.quad	LOAD
	.long	INIT_SIZE
	.long	0
setup_header_end:
	.org	(SETUP_SECTS + 1) * 512

	.section .entry, "ax"
	.code32
entry_start:
	ud2				/* the 32-bit entry is nobody's */
	.org	0x200
	.code64
	cli
	mov	$pml4, %eax
	mov	%rax, %cr3
	lea	boot_stack_top(%rip), %rsp
	call	load_tables
	mov	%rsi, %rdi
	xor	%ebp, %ebp
	call	probe_main
	ud2

/* Where the ACPI mailbox sends another vCPU: ap_stack_top and ap_online are probe's. */
	.globl	ap_entry
ap_entry:
	cli
	mov	$pml4, %eax
	mov	%rax, %cr3
	mov	ap_stack_top(%rip), %rsp
	call	load_tables
	xor	%ebp, %ebp
	call	probe_ap_main
	ud2

load_tables:
	lgdt	gdt_pointer(%rip)
	lidt	idt_pointer(%rip)
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	pop	%rax
	push	$SEL_CODE
	push	%rax
	lretq

/* Stubs of STUB_SIZE bytes; below LOAD + 64 KiB, so offsets fit the low word. */
#define STUB_SIZE 16
	.balign	STUB_SIZE
stubs:
	vector = 0
	.rept	TRAP_VECTORS
	.if	(vector < 32) && ((TRAP_HAS_ERROR_CODE >> (vector & 31)) & 1)
	.else
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	.balign	STUB_SIZE
	vector = vector + 1
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

	.balign	16
idt:
	vector = 0
	.rept	TRAP_VECTORS
	.word	stubs - entry_start + vector * STUB_SIZE, SEL_CODE, 0x8e00, LOAD >> 16
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
	.quad	gdt
idt_pointer:
	.word	idt_end - idt - 1
	.quad	idt

	.section .tables, "aw"
	.balign	4096
pml4:
	.quad	pdpt_private + TABLE
	.quad	pdpt_shared + TABLE
	.fill	510, 8, 0
pdpt_private:
	gib = 0
	.rept	512
	.quad	(gib << 30) | LARGE_PAGE
	gib = gib + 1
	.endr
pdpt_shared:
	gib = 0
	.rept	512
	.quad	(gib << 30) | SHARED_BIT | LARGE_PAGE
	gib = gib + 1
	.endr

	.section .stack, "aw"
	.balign	16
	.fill	16384, 1, 0
boot_stack_top:
	.section .note.GNU-stack, "", @progbits
