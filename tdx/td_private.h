/* SPDX-License-Identifier: MIT */
/* What the td_*.c files share. Private to tdx/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "mm/frame.h"
#include "tdx/td.h"
#include "tdx/tdh.h"

/* Logs this CPU's last SEAMCALL with the TD's name and `what`. */
void td_log_failure(const struct td *td, const char *what);

/* The same, and marks the TD dead: only teardown is possible from here on. STATUS_HW_FAULT. */
enum status td_die(struct td *td, const char *what);

/* STATUS_BUSY for contention, missing entropy and interruption; else STATUS_HW_FAULT. */
enum status td_status_of(tdx_status_t s);

/* STATUS_OK, or td_status_of() an error, which it logs. */
enum status td_result(const struct td *td, tdx_status_t s, const char *what);

/* STATUS_BUSY for contention that outlived the retries; else td_die(). */
enum status td_fail(struct td *td, tdx_status_t s, const char *what);

/*
 * frame_alloc() for the module. Before giving up, more of the TDMRs is initialised, and memory
 * of the TD that waits for its write-back called in.
 */
MUST_CHECK enum status td_frame_take(struct td *td, enum page_level level,
				     enum frame_owner owner, hpa_t *out);

/* Says, once per TD, that there were no 2M frames for regions of it, if so. */
void td_log_scattered(struct td *td);

/* Takes a frame back that the module released: full-line reset, then free. */
void td_frame_return(hpa_t at, uint64_t size);

/*
 * The record of a frame that waits for td_write_back(): allocated before the frame is removed,
 * so that nothing can fail afterwards. NULL without memory; td_returned_put() takes it over.
 */
struct td_returned *td_returned_alloc(void);
void td_returned_free(struct td_returned *r);
/* `e`: what the slot's entry was, a leaf or a table. */
void td_returned_put(struct td *td, struct td_returned *r, struct sept_slot slot,
		     mirror_entry_t e);

/* td_write_back() by PAGE.WBINVD alone, which asks nothing of other CPUs: of one of those that
 * wait. STATUS_BUSY, and STATUS_NO_MEMORY when none does. */
MUST_CHECK enum status td_returned_collect(struct td *td);

/* At the TD's end: CACHE.WB has done it for all of them, or the key is lost. */
void td_returned_end(struct td *td);

/* The KeyID will not come back: what td_reclaim() finds from here on is quarantined. */
void td_lose_key(struct td *td);

/* A frame that may still be the module's: never used again. */
void td_frame_quarantine(struct td *td, hpa_t at, uint64_t size, const char *what);

/* Is [at, at+size) RAM of the TD? */
bool td_is_ram(const struct td *td, gpa_t at, uint64_t size);

/* Is any of [at, at+size) between begin and commit of an unmap? */
bool td_is_unmapping(const struct td *td, gpa_t at, uint64_t size);

/* Is all of the region of that level at `region` private RAM that stays so? */
bool td_is_all_private(const struct td *td, gpa_t region, enum page_level level);

/*
 * Gives the TD one page: ADDed with the content of `source`, or AUGed if that is NULL.
 * STATUS_EXISTS: something is there. STATUS_NO_MEMORY: no such frame. STATUS_BUSY,
 * STATUS_HW_FAULT.
 */
MUST_CHECK enum status td_install(struct td *td, gpa_t at, enum page_level level,
				  const void *source);

/* Waits a bounded time for the end of somebody else's claim; the entry, busy still if it does
 * not end. */
mirror_entry_t td_sept_settle(struct sept_slot slot);

/*
 * The lowest entry for `at` and its value, not busy, never a table: a blocked one is finished.
 * STATUS_BUSY: it is changing, or vCPUs have to be kicked first. STATUS_NO_MEMORY.
 */
MUST_CHECK enum status td_sept_locate(struct td *td, gpa_t at, struct sept_slot *slot,
				      mirror_entry_t *e);

/*
 * Ends the claim of an entry whose change the module refused: it is `e` as before. STATUS_BUSY:
 * not tracked yet, or contention; else the TD dies.
 */
MUST_CHECK enum status td_refused(struct td *td, struct sept_slot slot, mirror_entry_t e,
				  tdx_status_t s, const char *what);

/* RANGE.BLOCK and its opposite of a claimed entry, whatever it is; ends the claim. */
MUST_CHECK enum status td_block_claimed(struct td *td, struct sept_slot slot, mirror_entry_t e);
MUST_CHECK enum status td_unblock_claimed(struct td *td, struct sept_slot slot,
					  mirror_entry_t e);

/*
 * Takes what is claimed, blocked and tracked out: a leaf, or an empty Secure EPT page. The
 * frame waits for td_write_back(). Ends the claim. STATUS_BUSY: not tracked; STATUS_NO_MEMORY.
 */
MUST_CHECK enum status td_remove_claimed(struct td *td, struct sept_slot slot,
					 mirror_entry_t e);
/* The same of a blocked leaf, claimed here. STATUS_BUSY, too, if it is none. */
MUST_CHECK enum status td_remove_blocked(struct td *td, struct sept_slot slot);

/* BLOCKs a present leaf; no-op if it is. Tracking is the caller's, by td_track(). STATUS_BUSY.
 */
MUST_CHECK enum status td_block(struct td *td, struct sept_slot slot);

/* Takes a BLOCK back; no-op if there is none. STATUS_BUSY: not tracked yet. */
MUST_CHECK enum status td_unblock(struct td *td, struct sept_slot slot);

/* One TRACK for all that was blocked since the last. STATUS_BUSY: vCPUs of an older epoch still
 * run. */
MUST_CHECK enum status td_track(struct td *td);

/*
 * Puts a Secure EPT page below an entry that is `e`: a free one, or a blocked and tracked leaf
 * of 2M or 1G, which is split into 512. STATUS_BUSY, STATUS_NO_MEMORY, STATUS_HW_FAULT.
 */
MUST_CHECK enum status td_add_table(struct td *td, struct sept_slot slot, mirror_entry_t e);

/* The latter, if it is one. STATUS_BUSY: not tracked, or vCPUs of the old
 * epoch run. */
MUST_CHECK enum status td_demote_blocked(struct td *td, struct sept_slot slot);

/*
 * Takes the Secure EPT page below an entry of 2M out if it has no entries; no-op without one.
 * STATUS_EXISTS: it has some and is not blocked. STATUS_BUSY: not tracked, or vCPUs of the old
 * epoch run; nothing can be mapped there until it is repeated. STATUS_NO_MEMORY.
 */
MUST_CHECK enum status td_remove_table(struct td *td, struct sept_slot slot);

/*
 * Does what a table was blocked for: one without entries goes, one with all of them is
 * promoted, or unblocked if the module refuses that; no-op if it is not blocked. STATUS_BUSY:
 * vCPUs have to be kicked first. STATUS_NO_MEMORY.
 */
MUST_CHECK enum status td_finish_table(struct td *td, struct sept_slot slot);

/*
 * Gives the module control pages (TDCX) of the vCPU or, if that is NULL, of the TD, until there
 * are `bytes` of them. What it has taken is in tdcx[] also after a failure.
 */
MUST_CHECK enum status td_add_control_pages(struct td *td, struct td_vcpu *vcpu,
					    uint64_t bytes);

/* TD_PARAMS from what the operator, the CPU and the module want. STATUS_BAD_ARG was logged. */
MUST_CHECK enum status td_params_build(struct td *td, struct tdx_td_params *out);
