/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

struct acpi_info;

/* Calibrates the TSC (CPUID 0x15/0x16, else ACPI PM timer) once, on the BSP. */
void timer_init(const struct acpi_info *acpi);

/* Prepares this CPU's LAPIC timer (TSC-deadline if CPUID has it, else one-shot). */
void timer_init_this_cpu(void);

/* One interrupt VECTOR_TIMER on this CPU at or after `tsc`; replaces the one before. */
void timer_arm(uint64_t tsc);

uint64_t timer_tsc_khz(void);
uint64_t timer_us_to_tsc(uint64_t us);

/* Microseconds since power-on of the hypervisor. */
uint64_t timer_now_us(void);
void timer_delay_us(uint64_t us);
