/* SPDX-License-Identifier: MIT */
/* Local APIC, xAPIC or x2APIC: one mode on all CPUs, the firmware's unless it must be x2APIC.
 */
#pragma once

#include <stdint.h>

#include "core/compiler.h"
#include "core/status.h"

/*
 * Chooses the mode, once, on the BSP: x2APIC if it is on already, if the CPU has it, or if
 * an APIC ID needs it. STATUS_UNSUPPORTED if an APIC ID needs x2APIC and the CPU lacks it.
 */
MUST_CHECK enum status lapic_init(uint32_t highest_apic_id);

/* Enables this CPU's LAPIC with everything local masked. */
void lapic_init_this_cpu(void);

/* INIT, and STARTUP at page `vector` below 1 MiB, to the CPU with this APIC ID. */
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, uint8_t vector);

/* The LAPIC's own timer, for drivers/timer_hw.c; ticks of the bus clock divided by 16. */
void lapic_timer_one_shot(uint32_t ticks);
void lapic_timer_deadline_mode(void);
uint32_t lapic_timer_current(void);
