/* SPDX-License-Identifier: MIT */
/*
 * Which cache lines may be dirty, and under which KeyID: a state per 4K page of the hosted
 * machine. The host's own pages are dirty under KeyID 0 as long as it has them; the module's
 * are dirty under their private KeyID, and stay so when they come back. The instructions and
 * SEAMCALLs that write lines back change the state. What would corrupt memory on a real machine
 * fails the running test:
 *
 *	a page goes to the module with lines of KeyID 0 that were not flushed, or not fenced;
 *	a page is reset, freed or given away with lines of a private KeyID;
 *	a page of the module's is freed or given away without the reset;
 *	a page is freed as a clean one that is not clean;
 *	the host flushes, resets or frees a page that is the module's.
 *
 * Sees frame_alloc() and its like only in programs linked with HOSTED_LDFLAGS.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct seamcall_regs;

/* Takes `bytes` of memory at `arena`: dirty under KeyID 0, nobody's. Forgets all else. */
void cache_start(void *arena, uint64_t bytes);

/* A successful call of the module: rax and the registers that went in. */
void cache_seamcall(uint64_t rax, const struct seamcall_regs *in);

/* During a call with these registers the module takes pages, or gives them back. */
void cache_owner_changed(uint64_t rax, const struct seamcall_regs *in, uint64_t hpa,
			 uint64_t size, bool module_owns);

bool cache_is_owned(uint64_t hpa);
uint64_t cache_owned_pages(void);

/* The host stores to a page that it does not have, which goes unseen otherwise. */
void cache_host_writes(uint64_t hpa);

/* The module of this machine needs no flush of what it gets. */
void cache_flush_not_needed(void);

/*
 * Violations from now on do not fail the test; returns what the last one was, "" if there was
 * none since the last call.
 */
const char *cache_caught(void);

/* Bytes of CLFLUSH since the start, and WBINVDs. */
uint64_t cache_flushed_bytes(void);
uint64_t cache_wbinvds(void);
