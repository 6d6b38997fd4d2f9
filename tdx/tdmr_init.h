/* SPDX-License-Identifier: MIT */
/*
 * Initialisation of the TDMRs, piece by piece: one GiB before the module counts as ready,
 * the rest from the idle loops of all CPUs, one TDMR a CPU, and whatever somebody
 * waits for. Each GiB goes to frame_set_tdx_usable() as soon as the module lets pages of
 * it be used. A TDMR whose initialisation fails for good is logged and counted, and
 * what is left of it stays ordinary RAM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "tdx/tdmr_plan.h"

/*
 * Takes over the plan that SYS.CONFIG accepted, which must stay as it is, and initialises
 * the GiB with most to offer. BSP, module SYS_READY, nobody else at work yet.
 * STATUS_HW_FAULT when no TDMR can be initialised; *why is then what the module said last.
 */
MUST_CHECK enum status tdmr_init_begin(const struct tdmr_plan *plan, tdx_status_t *why);

/*
 * Any CPU, between two looks around while idle: goes on with some TDMR until `tsc` or
 * until another CPU wants something of this one, one call at least; false when there is
 * none to go on with.
 */
bool tdmr_init_until(uint64_t tsc);

/*
 * Returns when `bytes` are free for TDs, initialising no more than that takes, together
 * with the idle CPUs. Drains this CPU's mailbox meanwhile. STATUS_NO_MEMORY when there will
 * not be that much; nothing was initialised for it then, unless a TDMR failed on the way.
 */
MUST_CHECK enum status tdmr_init_need(uint64_t bytes);

/*
 * For who found no free frame: makes one more GiB usable, or waits a moment for one that
 * another CPU is at; false when none is left. Callable with locks held and interrupts off.
 */
bool tdmr_init_one_more(void);

/* Ends it for ever: when this returns no CPU is in TDMR.INIT or will call it. */
void tdmr_init_stop(void);

/* Bytes of TDMRs initialised so far, and bytes given up. */
uint64_t tdmr_init_done_bytes(void);
uint64_t tdmr_init_failed_bytes(void);

/* Bytes that will be usable for TDs, free or not, once the rest is initialised. */
uint64_t tdmr_init_pending_bytes(void);
