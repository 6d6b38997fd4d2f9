/* SPDX-License-Identifier: MIT */
#pragma once

#include "drivers/acpi.h"

/*
 * Clears bus mastering on every PCI function, through ports 0xcf8/0xcfc on segment 0 and
 * through the MCFG's windows on others. Returns how many functions had it set.
 */
unsigned pci_stop_bus_masters(const struct acpi_info *acpi);
