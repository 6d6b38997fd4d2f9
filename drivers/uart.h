/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* 16550 at `port` (0x3f8 = com1), `baud` 8N1, FIFO on. Output works from here on. */
void uart_init(uint16_t port, uint32_t baud);

/* Routes the UART's interrupt to the BSP (IOAPIC); without one, input is polled by uart_read().
 */
void uart_enable_interrupt(void);

/* Blocking, any context, atomic per call between CPUs. '\n' becomes CR LF. */
void uart_write(const char *text, size_t length);

/* Raw bytes as they are (a TD's console). */
void uart_write_raw(const char *bytes, size_t length);

/* Next received byte, or -1. BSP only. */
int uart_read(void);
