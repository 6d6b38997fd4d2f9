/* SPDX-License-Identifier: MIT */
/* What the bring-up does on each CPU; contracts for boot/ only. */
#pragma once

#include <stdint.h>

/* Tops of the stacks that the CPU takes for NMI, #DF and #MC; 16-byte aligned. */
struct cpu_stacks {
	uint64_t nmi, double_fault, machine_check;
};

/*
 * Makes this CPU number `cpu`: its block behind GS, GDT, TSS and IDT. this_cpu() and
 * exceptions work from here on.
 */
void cpu_init_this(unsigned cpu, const struct cpu_stacks *stacks);

/* Control registers, XCR0 and machine-check banks of this CPU, as the host wants them. */
void cpu_set_features(void);

/* Name of a feature that this CPU lacks and Redoubt needs, or NULL. */
const char *cpu_missing_feature(void);

/* This CPU's APIC ID and its package's ID (CPUID 0x1F or 0xB). */
uint32_t cpu_read_apic_id(void);
uint32_t cpu_read_package_id(void);
