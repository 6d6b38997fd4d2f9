/* SPDX-License-Identifier: MIT */
/* The tdboot image as the kernel carries it. */
	.section .rodata
	.globl	tdboot_image_start, tdboot_image_end
	.balign	4096
tdboot_image_start:
	.incbin "tdboot/tdboot.bin"
tdboot_image_end:
	.section .note.GNU-stack, "", @progbits
