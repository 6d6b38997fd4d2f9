/* SPDX-License-Identifier: MIT */
#pragma once

#include "drivers/acpi.h"

/* Tells power_end() the registers to use; until then it knows ports 0xcf9 and 0xf4 only. */
void power_set_source(const struct acpi_info *info);
