/* SPDX-License-Identifier: MIT */
/* Between the walking of metadata fields and their values. */
#pragma once

#include "tests/model/model.h"

#define VMCS_NOTIFICATION_VECTOR 0x0002
#define VMCS_PML_ADDRESS         0x200e
#define VMCS_PID_ADDRESS         0x2016
#define VMCS_SHARED_EPT          0x203c

/* Element `offset` of the table entry that starts at `base_id`; false: it has no value now. */
bool md_value(const struct md_query *query, uint64_t base_id, uint32_t offset, uint64_t *value);

/*
 * Takes over a whole element, of which the caller writes the bits in `mask`; refuses values
 * that the field cannot have.
 */
uint64_t md_set_value(const struct md_query *query, uint64_t base_id, uint32_t offset,
		      uint64_t value, uint64_t mask);
