/* SPDX-License-Identifier: MIT */
/*
 * Physical frames, 4K/2M/1G, each with exactly one owner kind. Thread-safe.
 *
 * The sum over all owner kinds equals the RAM the boot path reported, always.
 *
 * Knows of each 2M whether its free frames are clean: no cache holds a line of them that the
 * host wrote. What it does not know to be clean it flushes before the module gets it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/boot_info.h"
#include "core/status.h"

enum frame_owner {
	FRAME_FREE,
	FRAME_HOST,        /* kernel image, heap, page tables, boot modules, ACPI */
	FRAME_PAMT,        /* given to the TDX module by SYS.CONFIG, for ever */
	FRAME_TD_CONTROL,  /* TDR, TDCX, TDVPR and TDVPS pages */
	FRAME_SEPT,        /* Secure EPT pages */
	FRAME_TD_PRIVATE,  /* a TD's private memory */
	FRAME_SHARED,      /* memory a TD shares with the host, and its shared EPT */
	FRAME_QUARANTINED, /* in doubt: never used again */
	FRAME_OWNER_COUNT,
};

const char *frame_owner_name(enum frame_owner o);

/* Takes the memory map. Everything that is not BOOT_MEM_USABLE becomes FRAME_HOST or is not
 * RAM. */
void frame_init(const struct boot_info *bi);

/*
 * Allocates one naturally aligned frame of level's size for `owner`. Owners PAMT,
 * TD_CONTROL, SEPT and TD_PRIVATE draw only from ranges given to
 * frame_set_tdx_usable(), and get frames that are clean: the caller writes nothing there.
 * The others prefer memory outside. Contents undefined. Waits for a CPU that flushes what
 * would be the last frame. STATUS_NO_MEMORY if none is free at that level; nothing changed
 * then.
 */
MUST_CHECK enum status frame_alloc(enum page_level level, enum frame_owner owner, hpa_t *out);

/*
 * This frame of 4K or 2M, for a TD. STATUS_NO_MEMORY: not all of it is free and usable for TDs;
 * nothing changed then.
 */
MUST_CHECK enum status frame_alloc_at(hpa_t at, enum page_level level, enum frame_owner owner);

/* Where the next free frame of 2M or 1G for a TD is; it stays free. STATUS_NO_MEMORY. */
MUST_CHECK enum status frame_find(enum page_level level, hpa_t *out);

/*
 * Allocates `size` bytes, contiguous, 4K multiple, aligned to `align`, inside [low, high);
 * clean or not.
 */
MUST_CHECK enum status frame_alloc_range(uint64_t size, uint64_t align, hpa_t low, hpa_t high,
					 enum frame_owner owner, hpa_t *out);

/*
 * Returns a frame (or part of a larger allocation, 4K multiples) to FREE, one that the host
 * may have written to. Adjacent free frames merge.
 */
void frame_free(hpa_t base, uint64_t size);

/* The same for a clean one: never used, or the module's until hw_reset_lines(). */
void frame_free_clean(hpa_t base, uint64_t size);

/* For idle CPUs: flushes one free 2M that a TD may want. False when all of them are clean. */
bool frame_flush_ahead(void);

/* WBINVD was executed on every package, and nothing was freed since the first began. */
void frame_all_clean(void);

/* The module says that it needs no flush of what it gets: none will be made. */
void frame_flush_never(void);

/* Changes the owner of an allocated range, e.g. to FRAME_QUARANTINED. */
void frame_set_owner(hpa_t base, uint64_t size, enum frame_owner owner);

enum frame_owner frame_owner_of(hpa_t at);

/* Declares [base, base+size) covered by an initialised TDMR and usable for TDs. */
void frame_set_tdx_usable(hpa_t base, uint64_t size);

/* Bytes per owner kind right now; sums to frame_total(). */
void frame_account(uint64_t bytes[FRAME_OWNER_COUNT]);
uint64_t frame_total(void);

/* Free frames of exactly `level` alignment that could be allocated for a TD right now. */
uint64_t frame_free_tdx(enum page_level level);
