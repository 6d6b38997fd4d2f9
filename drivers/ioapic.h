/* SPDX-License-Identifier: MIT */
/* I/O APICs: everything masked, one line at a time routed to the BSP. */
#pragma once

#include <stdint.h>

#include "core/status.h"
#include "drivers/acpi.h"

/* Masks every line of every I/O APIC, and the legacy 8259s. `info` must stay. */
void ioapic_init(const struct acpi_info *info);

/* Routes ISA interrupt `irq` to CPU 0 as `vector`. STATUS_NOT_FOUND if no I/O APIC has it. */
MUST_CHECK enum status ioapic_route_isa(unsigned irq, uint8_t vector);
