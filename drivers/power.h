/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "core/power_action.h"

struct acpi_info;

/* Tells power_end() the registers to use; until then it knows ports 0xcf9 and 0xf4 only. `info`
 * must stay. */
void power_init(const struct acpi_info *info);

/* Does not return. `code` is used by POWER_PORT_EXIT only. TDs and the module are dealt with
 * before. */
_Noreturn void power_end(enum power_action action, uint8_t code);
