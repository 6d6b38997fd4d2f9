/* SPDX-License-Identifier: MIT */
/*
 * Which memory the TDX module shall manage: TDMRs, their PAMTs, their reserved areas. A pure
 * function of the machine's memory; what it asks for besides is a place for each PAMT.
 *
 * It plans every valid machine. When reserved areas or TDMRs run out it gives up the
 * smallest pieces of memory and says how much (lost_bytes); their content stays ordinary RAM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/status.h"
#include "tdx/tdx_abi.h"

struct tdmr_plan_input {
	const struct hpa_range *memory; /* RAM that TDs may get: ascending, not overlapping */
	unsigned memory_count;
	const struct hpa_range *cmrs; /* ascending, not overlapping, none empty */
	unsigned cmr_count;
	unsigned max_tdmrs;                   /* 1..TDX_MAX_TDMRS */
	unsigned max_reserved;                /* 1..TDX_MAX_RESERVED, per TDMR */
	unsigned pamt_entry_size[LEVEL_512G]; /* bytes, by enum page_level */
	unsigned split_to; /* more TDMRs than needed, up to so many; 0 = as few as possible */

	/*
	 * Takes `size` bytes (4K multiple) of RAM inside [low, high), 4K-aligned, for a PAMT;
	 * false if there is no such place. unplace() gives back what place() took.
	 */
	bool (*place)(void *ctx, uint64_t size, hpa_t low, hpa_t high, hpa_t *out);
	void (*unplace)(void *ctx, hpa_t base, uint64_t size);
	void *ctx;
};

/* One more than there can be PAMT pieces. */
#define TDMR_PLAN_MAX_PAMT_RANGES (TDX_MAX_TDMRS * 3)

struct tdmr_plan {
	struct tdx_tdmr_info tdmrs[TDX_MAX_TDMRS];
	unsigned tdmr_count;
	struct hpa_range pamts[TDMR_PLAN_MAX_PAMT_RANGES]; /* as place() returned them */
	unsigned pamt_count;
	uint64_t pamt_bytes;
	uint64_t tdmr_bytes;
	uint64_t lost_bytes; /* of `memory` in CMRs, but not covered */
};

/* STATUS_NOT_FOUND: no memory lies in a CMR, or there is no place for any PAMT; nothing is
 * kept. */
MUST_CHECK enum status tdmr_plan(const struct tdmr_plan_input *in, struct tdmr_plan *out);

/* Gives all PAMT memory back, for a plan that the module refused. */
void tdmr_plan_release(const struct tdmr_plan_input *in, struct tdmr_plan *plan);

/*
 * The lowest range in [*at, end) that the TDMR covers and does not reserve; *at moves behind
 * it. False when there is none.
 */
bool tdmr_next_usable(const struct tdx_tdmr_info *t, uint64_t *at, uint64_t end,
		      struct hpa_range *out);
