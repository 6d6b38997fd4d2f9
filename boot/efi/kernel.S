/* SPDX-License-Identifier: MIT */
/* The kernel inside its loader. */
	.section .rodata
	.balign	4096
	.globl	kernel_file, kernel_file_end
kernel_file:
	.incbin	"kernel.elf"
kernel_file_end:
