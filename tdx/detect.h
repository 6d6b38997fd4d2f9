/* SPDX-License-Identifier: MIT */
/* Is this machine a TDX host? Looks at every CPU; what it finds is printed by `tdx-check`.
 * Private to tdx/. */
#pragma once

#include <stdbool.h>

#include "tdx/module.h"

/*
 * Reads CPUID and MSRs of every CPU, sets IA32_TSC_ADJUST equal where it differs, and
 * fills the table. Returns the first row that rules TDX out, or NULL when none does: then the
 * KeyIDs are known (tdx/keyid.h).
 */
const struct tdx_check *tdx_detect(void);

/* Adds a row that only bring-up can fill (VMXON, P-SEAMLDR, the module). */
void tdx_check_add(const char *name, bool ok, const char *found, const char *needed,
		   const char *hint);
