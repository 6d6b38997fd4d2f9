/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "core/power_action.h"

/* Does not return. `code` is used by POWER_PORT_EXIT only. TDs and the module are dealt with
 * before. */
_Noreturn void power_end(enum power_action action, uint8_t code);
