/* SPDX-License-Identifier: MIT */
#pragma once

/* An empty IDT turns the next exception into a shutdown of the CPU, which resets the machine.
 */
static inline _Noreturn void insn_triple_fault(void)
{
	static const struct {
		unsigned short limit;
		unsigned long base;
	} __attribute__((packed)) empty = {0, 0};

	for (;;)
		asm volatile("lidt %0; ud2" : : "m"(empty) : "memory");
}
