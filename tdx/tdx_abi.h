/* SPDX-License-Identifier: MIT */
/* TDX module 1.5 host ABI: leaves, completion status, operand encodings (Intel TDX module ABI specification). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

/*
 * Completion status in RAX: 63 error, 62 non-recoverable, 61 fatal, 47:40 class,
 * 39:32 name, 31:0 details such as the offending operand. Wrapped, so nobody
 * compares the 64-bit value with `==` and forgets the detail bits.
 */
typedef struct {
	uint64_t raw;
} tdx_status_t;

static inline uint32_t tdx_code(tdx_status_t s) { return (uint32_t)(s.raw >> 32); }
static inline uint32_t tdx_operand(tdx_status_t s) { return (uint32_t)s.raw; }
static inline bool tdx_is_error(tdx_status_t s) { return s.raw >> 63; }

/* Pages that the module owns, by role. */
typedef struct {
	hpa_t pa;
} tdr_t;

typedef struct {
	hpa_t pa;
} tdvpr_t;
