; SPDX-License-Identifier: MIT
;
; Where an application processor starts after STARTUP: copied to a page below 1 MiB
; (boot/smp.c). All CPUs run it at once, so it has no stack and writes nothing. The copy's
; data at the end is filled in before. Goes on as boot_enter32 with EDX = ap_entry.

CR0_PROTECTED	equ 0x11			; also turns the caches on, which INIT left off
KERNEL_OFFSET	equ 0xffffffff80000000

%define AT(x) ((x) - trampoline_start)

	global	trampoline_start, trampoline_end
	global	trampoline_distance, trampoline_gdt_base, trampoline_entry
	extern	ap_entry

	section .rodata
	bits	16
trampoline_start:
	cli
	cld
	mov	ax, cs
	mov	ds, ax
	mov	ebp, [AT(trampoline_distance)]
	mov	edx, ap_entry - KERNEL_OFFSET
	o32 lgdt [AT(trampoline_gdt)]
	mov	eax, CR0_PROTECTED
	mov	cr0, eax
	jmp	dword far [AT(trampoline_entry)]

	align	4
trampoline_distance:
	dd	0				; from the Multiboot2 load address
trampoline_entry:
	dd	0				; physical address of boot_enter32
	dw	0x18				; its code segment
trampoline_gdt:
	dw	4 * 8 - 1
trampoline_gdt_base:
	dd	0				; physical address of boot_gdt
trampoline_end:
