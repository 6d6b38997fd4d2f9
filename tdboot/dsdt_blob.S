/* SPDX-License-Identifier: MIT */
/* dsdt.asl as iasl compiled it. */
	.section .rodata
	.globl	tdboot_dsdt_start, tdboot_dsdt_end
	.balign	16
tdboot_dsdt_start:
	.incbin "tdboot/dsdt.aml"
tdboot_dsdt_end:
	.section .note.GNU-stack, "", @progbits
