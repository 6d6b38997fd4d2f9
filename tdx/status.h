/* SPDX-License-Identifier: MIT */
/* Leaves, completion statuses and operands by name. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tdx/tdx_abi.h"

/* "TDH.MEM.PAGE.AUG"; "TDH.?" for a leaf unknown to us. */
const char *tdx_leaf_name(uint64_t leaf);

/* "TDX_OPERAND_BUSY"; NULL for a code unknown to us. */
const char *tdx_code_name(uint32_t code);

/* "SEPT_TREE"; NULL for an identifier unknown to us. */
const char *tdx_operand_name(uint32_t operand);

/*
 * "TDX_OPERAND_BUSY(SEPT_TREE)", "TDX_PAMT_OVERLAP(0x1)", "TDX_SUCCESS",
 * "unknown status 0x...". Always terminated.
 */
void tdx_format_status(char *buf, size_t size, tdx_status_t s);
