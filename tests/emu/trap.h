/* SPDX-License-Identifier: MIT */
/* The emulator's own IDT and GDT. */
#pragma once

#include <stdint.h>

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

void trap_init(void);

/* Loads both tables on the calling CPU; GS is left alone. */
void trap_load(void);

/* The GDT's code segment is this selector, its data segment the next. */
#define EMU_CS 0x10
