/* SPDX-License-Identifier: MIT */
/* The MSRs that a TD asks the host for; what the module serves itself never comes here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vm/vlapic.h"

/* False: the guest's instruction is to take #GP. `now` is host TSC. */
bool msr_read(const struct vlapic *apic, uint32_t msr, uint64_t now, uint64_t *value);
bool msr_write(struct vlapic *apic, uint32_t msr, uint64_t now, uint64_t value);
