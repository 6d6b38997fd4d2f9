/* SPDX-License-Identifier: MIT */
/* What entry.S offers. */
#pragma once

#define PROBE_CS 0x10
#define PROBE_DS 0x18

/* Where the AP's trampoline page keeps what ap.c fills in. */
#define AP_GDTR_LIMIT  0x80
#define AP_GDTR_BASE   0x82
#define AP_FAR_OFFSET  0x88
#define AP_FAR_SEGMENT 0x8c
#define AP_CR3         0x90
#define AP_STACK       0x98
#define AP_ENTRY       0xa0
#define AP_GDT         0xa8

#ifndef __ASSEMBLER__
#include <stdint.h>

extern const char trap_stubs[];
extern const char ap_begin[], ap_long_mode[], ap_end[];

void probe_load_segments(void);

/* SEAMCALL with these registers (encoding order; RSP is left alone); they and RFLAGS are as
 * it left them, whether it faulted or not. All arithmetic flags are set before it. */
void probe_seamcall(uint64_t gpr[16], uint64_t *flags);
#endif
