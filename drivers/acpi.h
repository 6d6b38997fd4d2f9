/* SPDX-License-Identifier: MIT */
/*
 * The few facts that Redoubt takes from the ACPI tables (ACPI 6.5, §5.2): processors and
 * interrupt controllers (MADT), power (FADT and \_S5 in the DSDT), PCI (MCFG). Firmware is
 * not trusted to be well-formed: every length is checked, a broken table is skipped by name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/cpu.h"
#include "core/status.h"

#define ACPI_MAX_IOAPICS 16
#define ACPI_MAX_ECAMS   16
#define ACPI_ISA_IRQS    16

struct acpi_ioapic {
	hpa_t base;
	uint32_t gsi_base;
};

/* How an ISA interrupt reaches the IOAPICs. */
struct acpi_isa_irq {
	uint32_t gsi;
	bool is_low_active;
	bool is_level;
};

/* Configuration space of buses first_bus..last_bus of a PCI segment; base is that of bus 0. */
struct acpi_ecam {
	hpa_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
};

struct acpi_info {
	uint32_t apic_id[MAX_CPUS]; /* enabled processors in the table's order, each once */
	unsigned cpu_count;
	unsigned cpu_excess; /* enabled ones that did not fit */

	struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
	unsigned ioapic_count;
	struct acpi_isa_irq isa_irq[ACPI_ISA_IRQS];

	struct acpi_ecam ecam[ACPI_MAX_ECAMS];
	unsigned ecam_count;

	uint16_t pm1a_control, pm1b_control; /* ports; 0 = none */
	uint16_t pm_timer;                   /* port; 0 = none */
	uint16_t smi_command;                /* port; 0 = none */
	uint8_t acpi_enable;                 /* value for it */

	bool has_reset;
	bool reset_is_memory; /* else an I/O port */
	uint64_t reset_address;
	uint8_t reset_value;

	bool has_s5;
	uint8_t s5_type_a, s5_type_b;
};

/*
 * Returns `size` bytes of physical memory at `at`, mapped for as long as the parser
 * runs, or NULL if that is no memory that can be read.
 */
typedef const void *(*acpi_map_fn)(hpa_t at, uint64_t size);

/*
 * Reads the tables behind the RSDP. STATUS_NOT_FOUND if there is no valid RSDP, root
 * table or MADT with a CPU; *out is filled as far as it was found and never out of bounds.
 */
MUST_CHECK enum status acpi_parse(hpa_t rsdp, acpi_map_fn map, struct acpi_info *out);
