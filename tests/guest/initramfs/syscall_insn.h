/* SPDX-License-Identifier: MIT */
/* Linux system calls of a program without a library (x86-64 calling convention of the kernel).
 */
#pragma once

/* The result, or -errno. The kernel clobbers RCX and R11. */
static inline long syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
