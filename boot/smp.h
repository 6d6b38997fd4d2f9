/* SPDX-License-Identifier: MIT */
/* Stacks of all CPUs and the start of the application processors. */
#pragma once

#include <stdint.h>

#include "core/boot_info.h"
#include "core/cpu_hw.h"
#include "drivers/acpi.h"

/* Guarded stacks for one CPU: returns the top of its own, fills the others; panics without
 * memory. */
uint64_t smp_create_stacks(struct cpu_stacks *out);

/*
 * Starts every processor of the MADT but this one, in parallel. Afterwards cpus[],
 * cpu_count, package_count and cpu_missing_count are final, oncpu.h works, and the others
 * drain their mailboxes until smp_release().
 */
void smp_start(const struct boot_info *bi, const struct acpi_info *acpi);

/* Lets the application processors go to `loop`. */
void smp_release(void (*loop)(void));
