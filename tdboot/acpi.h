/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of every TD: RSDP, XSDT, FADT (hardware-reduced), MADT (a LAPIC
 * per vCPU, whose APIC id is the vCPU's index, and the multiprocessor wakeup
 * mailbox), MCFG and a fixed DSDT.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct acpi_inputs {
	uint32_t vcpu_count; /* 1..64 */
	uint64_t mailbox;    /* GPA */
	const uint8_t *dsdt;
	size_t dsdt_size;
};

/*
 * Writes the tables into `area`, `size` zero bytes which the TD sees at `gpa` (4K
 * aligned). Returns the GPA of the RSDP, or 0 if `size` is too small.
 */
uint64_t acpi_build(uint8_t *area, size_t size, uint64_t gpa, const struct acpi_inputs *in);
