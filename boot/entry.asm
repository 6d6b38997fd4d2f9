; SPDX-License-Identifier: MIT
;
; The ways into the kernel. All end in C with paging on, interrupts off, on a stack:
;
;	boot_entry32	Multiboot2: 32-bit, no paging, EAX = magic, EBX = information.
;	boot_entry64	UEFI loader, after ExitBootServices: identity-mapped somewhere below
;			4 GiB on a 2 MiB boundary, RDI = physical address of struct boot_info.
;	boot_enter32	An application processor, from boot/trampoline.asm: 32-bit, no paging.
;
; The first page tables are static: RAM below 4 GiB at 0 and in the direct map, the image at
; its link address. They name the load address of Multiboot2; boot_entry64 adds the distance.

KERNEL_OFFSET	equ 0xffffffff80000000		; link address minus Multiboot2 load address
DIRECT_MAP	equ 0xffff800000000000
LOAD_ADDRESS	equ 0x200000
IMAGE_PAGES	equ 16				; of 2 MiB, see linker.ld

CR0_ON		equ 0x80010033			; PG WP NE ET MP PE
CR4_ON		equ 0x20			; PAE
MSR_EFER	equ 0xc0000080
EFER_LME	equ 0x100
EFER_NXE	equ 0x800

SEL_CODE64	equ 0x08
SEL_DATA	equ 0x10
SEL_CODE32	equ 0x18

%define LOADED(x) ((x) - KERNEL_OFFSET)

	extern	image_start, image_end, multiboot2_main, uefi_main, ap_main
	extern	ap_stack_tops, kernel_cr3
	global	boot_entry32, boot_entry64, boot_switch_stack, boot_enter32, boot_gdt, ap_entry

; ---- the image's first bytes -----------------------------------------------------------

	section .boot.header progbits alloc noexec nowrite align=8
	db	"Redoubt", 0			; the UEFI loader looks for this
	dq	image_start, image_end, boot_entry64

	align	8
header:
	dd	0xe85250d6, 0, header_end - header
	dd	(0x100000000 - (0xe85250d6 + (header_end - header))) & 0xffffffff
	dw	3, 0				; entry address
	dd	12
	dd	LOADED(boot_entry32)
	align	8
	dw	6, 0				; modules on page boundaries
	dd	8
	dw	0, 0
	dd	8
header_end:

; ---- 32 bits ---------------------------------------------------------------------------

	section .text
	bits	32
boot_entry32:
	cli
	cld
	xor	ebp, ebp			; distance from the Multiboot2 load address
	mov	esi, eax
	mov	edi, ebx
	mov	edx, multiboot2_start - KERNEL_OFFSET

; EBP = distance, EDX = where to go in 64-bit code, ESI and EDI pass through; paging is off.
enter_long_mode:
	mov	esp, edx
	lea	eax, [ebp + LOADED(boot_pml4)]
	mov	cr3, eax
	mov	eax, CR4_ON
	mov	cr4, eax
	mov	eax, 0x80000001
	cpuid
	mov	ebx, edx
	mov	ecx, MSR_EFER
	rdmsr
	or	eax, EFER_LME
	test	ebx, 1 << 20			; without NX hv_main says so and stops
	jz	.no_nx
	or	eax, EFER_NXE
.no_nx:
	wrmsr
	mov	eax, CR0_ON
	mov	cr0, eax
	lea	eax, [ebp + LOADED(boot_gdt)]
	mov	[ebp + LOADED(gdt_pointer) + 2], eax
	lgdt	[ebp + LOADED(gdt_pointer)]
	lea	eax, [ebp + LOADED(in_long_mode)]
	mov	[ebp + LOADED(long_jump)], eax
	jmp	far [ebp + LOADED(long_jump)]

	bits	64
in_long_mode:
	mov	eax, SEL_DATA
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	fs, eax
	mov	gs, eax
	mov	eax, esp			; the low half of the link address
	mov	rcx, KERNEL_OFFSET
	add	rax, rcx
	mov	rsp, boot_stack_top
	xor	ebp, ebp
	mov	edi, edi
	mov	esi, esi
	jmp	rax

multiboot2_start:
	xchg	rdi, rsi			; magic, information
	call	multiboot2_main
	ud2

uefi_start:
	mov	rax, DIRECT_MAP
	add	rdi, rax
	call	uefi_main			; struct boot_info *
	ud2

; ---- 64 bits, from UEFI ----------------------------------------------------------------

; Leaves long mode and comes back: the firmware may have 5-level paging on, which only
; paging off can change.
boot_entry64:
	cli
	cld
	lea	rbp, [rel image_start]
	sub	rbp, LOAD_ADDRESS
	call	correct_tables
	lea	rax, [rel boot_gdt]
	mov	[rel gdt_pointer + 2], rax
	lgdt	[rel gdt_pointer]
	lea	rsp, [rel boot_stack_top]
	push	SEL_CODE32
	lea	rax, [rel boot_enter32]
	push	rax
	mov	edx, LOADED(uefi_start)
	retfq

correct_tables:
	add	[rel boot_pml4], rbp
	add	[rel boot_pml4 + 256 * 8], rbp
	add	[rel boot_pml4 + 511 * 8], rbp
	add	[rel pdpt_high + 510 * 8], rbp
	lea	rax, [rel pdpt_low]
	mov	ecx, 4
	call	.add
	lea	rax, [rel pd_high + 8]
	mov	ecx, IMAGE_PAGES
.add:
	add	[rax], rbp
	add	rax, 8
	dec	ecx
	jnz	.add
	ret

	bits	32
; EBP and EDX as enter_long_mode wants them. Many processors at once: what it writes is always
; the same by then, and nothing is pushed before ap_entry.
boot_enter32:
	mov	eax, SEL_DATA
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	eax, CR0_ON & 0x7fffffff
	mov	cr0, eax
	jmp	enter_long_mode

; ---- application processors ------------------------------------------------------------

	bits	64
; The order of arrival gives each processor a stack; boot/smp.c finds out which one it is.
ap_entry:
	mov	rax, [abs kernel_cr3]
	mov	cr3, rax
	mov	edi, 1
	lock xadd [abs ap_arrived], edi
	mov	rsp, [ap_stack_tops + rdi * 8]
	test	rsp, rsp			; started once more than anybody asked for
	jz	.stop
	xor	ebp, ebp
	call	ap_main				; number of those before
.stop:
	hlt
	jmp	.stop

; void boot_switch_stack(uint64_t top, void (*go)(void *arg), void *arg)
boot_switch_stack:
	mov	rsp, rdi
	xor	ebp, ebp
	mov	rdi, rdx
	call	rsi
	ud2

; ---- data ------------------------------------------------------------------------------

	section .data align=4096
boot_pml4:
	dq	LOADED(pdpt_low) + 3
	times	255 dq 0
	dq	LOADED(pdpt_low) + 3
	times	254 dq 0
	dq	LOADED(pdpt_high) + 3
pdpt_low:
%assign i 0
%rep 4
	dq	LOADED(pd_low) + i * 4096 + 3
%assign i i + 1
%endrep
	times	508 dq 0
pdpt_high:
	times	510 dq 0
	dq	LOADED(pd_high) + 3, 0
pd_high:
	dq	0
%assign i 0
%rep IMAGE_PAGES
	dq	LOAD_ADDRESS + i * 0x200000 + 0x83
%assign i i + 1
%endrep
	times	511 - IMAGE_PAGES dq 0
pd_low:
%assign i 0
%rep 2048
	dq	i * 0x200000 + 0x83
%assign i i + 1
%endrep

	align	16
boot_gdt:
	dq	0
	dq	0x00af9b000000ffff		; code64
	dq	0x00cf93000000ffff		; data
	dq	0x00cf9b000000ffff		; code32
gdt_pointer:
	dw	4 * 8 - 1
	dq	0
long_jump:
	dd	0
	dw	SEL_CODE64
	align	4
ap_arrived:
	dd	0

	section .bss nobits alloc write align=16
	resb	16384
boot_stack_top:
