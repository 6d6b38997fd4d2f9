; SPDX-License-Identifier: MIT
;
; Where an application processor starts after STARTUP: copied to a page below 1 MiB
; (boot/smp.c), which boot_pml4 identity-maps. All CPUs run it at once, so it has no stack
; and writes nothing. The copy's data at the end is filled in before.

CR0_ON		equ 0x80010033
CR0_PROTECTED	equ 0x11			; also turns the caches on, which INIT left off
MSR_EFER	equ 0xc0000080
EFER_ON		equ 0x900			; LME NXE

%define AT(x) ((x) - trampoline_start)

	global	trampoline_start, trampoline_end
	extern	ap_entry

	section .rodata
	bits	16
trampoline_start:
	cli
	cld
	mov	ax, cs
	mov	ds, ax
	movzx	ebp, ax
	shl	ebp, 4				; linear address of this page
	o32 lgdt [AT(trampoline_gdt_pointer)]
	mov	eax, CR0_PROTECTED
	mov	cr0, eax
	jmp	dword far [AT(trampoline_far32)]

	bits	32
	global	trampoline_start32, trampoline_start64
trampoline_start32:
	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	eax, 0x20			; PAE
	mov	cr4, eax
	mov	eax, [ebp + AT(trampoline_cr3)]
	mov	cr3, eax
	mov	ecx, MSR_EFER
	xor	edx, edx
	mov	eax, EFER_ON
	wrmsr
	mov	eax, CR0_ON
	mov	cr0, eax
	jmp	far [ebp + AT(trampoline_far64)]

	bits	64
trampoline_start64:
	mov	rax, ap_entry
	jmp	rax

	global	trampoline_gdt, trampoline_gdt_pointer, trampoline_far32, trampoline_far64
	global	trampoline_cr3
	align	8
trampoline_gdt:
	dq	0
	dq	0x00cf9b000000ffff		; 0x08 code32
	dq	0x00cf93000000ffff		; 0x10 data
	dq	0x00af9b000000ffff		; 0x18 code64
trampoline_gdt_pointer:
	dw	4 * 8 - 1
	dd	0				; linear address of the GDT
trampoline_far32:
	dd	0				; of trampoline_start32
	dw	0x08
trampoline_far64:
	dd	0				; of trampoline_start64
	dw	0x18
trampoline_cr3:
	dd	0
trampoline_end:
