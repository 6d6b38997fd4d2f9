/* SPDX-License-Identifier: MIT */
/* What the module says about itself (SYS.RD, SYS.INFO). Private to tdx/. */
#pragma once

#include <stdint.h>

#include "core/addr.h"
#include "core/status.h"
#include "tdx/tdx_abi.h"

struct tdx_global {
	uint64_t major, minor, update, build_date;
	uint64_t features0;
	uint64_t max_tdmrs, max_reserved;
	uint64_t pamt_entry_size[LEVEL_512G]; /* by enum page_level */
	uint64_t tdcs_size, tdvps_size;       /* bytes; TDVPS includes the TDVPR page */
	uint64_t attributes_fixed0, attributes_fixed1;
	uint64_t xfam_fixed0, xfam_fixed1;
	uint64_t config_flags_fixed0, config_flags_fixed1;
	uint64_t cpuid_config_count;
	struct tdx_cpuid_config_entry cpuid_config[TDX_MAX_CPUID_CONFIG];
	struct hpa_range cmrs[TDX_MAX_CMRS];
	unsigned cmr_count;
};

/*
 * Reads it all; LP.INIT has been done on this CPU. STATUS_NO_MEMORY; STATUS_UNSUPPORTED: a
 * field is missing or senseless, and was logged by name.
 */
MUST_CHECK enum status tdx_global_read(void);

/* All zero before tdx_global_read(). */
const struct tdx_global *tdx_global(void);
