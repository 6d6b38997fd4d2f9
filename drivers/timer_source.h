/* SPDX-License-Identifier: MIT */
#pragma once

#include "drivers/acpi.h"

/* Lets timer_init() calibrate by the ACPI PM timer; before it. `acpi` must stay. */
void timer_set_source(const struct acpi_info *acpi);
