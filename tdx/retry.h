/* SPDX-License-Identifier: MIT */
/*
 * Which statuses may be answered by the same call again, and how often. The
 * module's locks are try-locks: BUSY means that another CPU is inside for a moment.
 *
 *	unsigned tries = 0;
 *	do {
 *		s = seamcall(leaf, regs);
 *	} while (tdx_retry(&tries, s));
 *
 * Statuses that need an action first (PREVIOUS_TLB_EPOCH_BUSY, VCPU_ASSOCIATED,
 * FLUSHVP_NOT_DONE, WBCACHE_NOT_COMPLETE, INTERRUPTED_RESUMABLE) are never repeated here.
 */
#pragma once

#include <stdbool.h>

#include "tdx/tdx_abi.h"

/* Does the status pass by itself, so that the same call may succeed later? */
bool tdx_is_transient(tdx_status_t s);

/* True when the caller shall call again; waits a little before. Bounded. */
bool tdx_retry(unsigned *tries, tdx_status_t s);
