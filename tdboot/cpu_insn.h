/* SPDX-License-Identifier: MIT */
/* Instructions that tdboot's C needs and C has no words for. */
#pragma once

#include <stdint.h>

static inline uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static inline void cpu_pause(void) { __asm__ volatile("pause"); }
