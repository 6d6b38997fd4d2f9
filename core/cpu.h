/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#define MAX_CPUS     256
#define MAX_PACKAGES 8

/* One logical processor; filled while it comes up and constant afterwards. */
struct cpu {
	uint32_t apic_id;
	unsigned package; /* dense package number, 0-based */
};

extern struct cpu cpus[MAX_CPUS];
extern unsigned cpu_count; /* CPUs that are online; numbers 0..cpu_count-1 */
extern unsigned package_count;
extern unsigned cpu_missing_count; /* CPUs that the firmware lists and that did not come up */

/* Interrupt vectors of the host. */
enum {
	VECTOR_UART = 0x30,
	VECTOR_TIMER = 0xf0,
	VECTOR_KICK = 0xf1,          /* leave the guest, look at the mailbox; no other effect */
	VECTOR_POSTED_NOTIFY = 0xf2, /* posted-interrupt notification of TDs */
	VECTOR_SPURIOUS = 0xff,
};

/* Handlers run with interrupts disabled, after them the LAPIC gets its EOI. Register before
 * use. */
typedef void (*irq_handler_fn)(void);
void irq_register(uint8_t vector, irq_handler_fn handler);
