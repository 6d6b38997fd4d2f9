/* SPDX-License-Identifier: MIT */
/* What each host leaf can answer besides plain success: module 1.5, by the ABI's tables. */
#pragma once

#include <stdint.h>

#include "tests/faults/site.h"

struct fault_status {
	uint32_t code, operand;
	enum fault_effect effect;
};

#define FAULT_STATUSES_MAX 96

/* Fills `out`, returns how many; 0 when the table does not know the leaf. */
unsigned fault_statuses_of(unsigned leaf, struct fault_status out[FAULT_STATUSES_MAX]);
