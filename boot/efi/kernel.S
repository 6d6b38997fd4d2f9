/* SPDX-License-Identifier: MIT */
/* The kernel inside its loader, as it lies in memory, without .bss. */
	.section .rodata
	.balign	4096
	.globl	kernel_image, kernel_image_end
kernel_image:
	.incbin	"kernel.bin"
kernel_image_end:
