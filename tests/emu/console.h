/* SPDX-License-Identifier: MIT */
/* The emulator's voice: one banner on COM1, everything else on COM2. */
#pragma once

#include <stdint.h>

/* Values written to port 0xf4; QEMU ends with (value << 1) | 1. */
#define EMU_EXIT_FATAL        0x40 /* 129: the emulator's own fatal error */
#define EMU_EXIT_REFUSED      0x41 /* 131: the machine below is unsuitable */
#define EMU_EXIT_TRIPLE_FAULT 0x42 /* 133: L1 shut down (triple fault) */

void console_init(void);

/* Prints the one line that belongs on COM1. */
void console_banner(void);

/*
 * One line on COM2, written whole. Conversions: %s %c %d %u %x %#x with an
 * optional field width, `l` for 64-bit values.
 */
void emu_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As emu_log(), then leaves QEMU through port 0xf4 with `code`. */
void emu_die(uint8_t code, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
