/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* APIC ids of the enabled CPUs in the MADT; returns how many. Dies without a MADT. */
unsigned acpi_cpus(uint64_t rsdp, uint32_t *ids, unsigned max);
