/* SPDX-License-Identifier: MIT */
/*
 * What a TD shares with the host: its shared EPT and the frames below it. GPAs here may
 * carry the shared bit or not; it is ignored. Unless stated otherwise any CPU, no locks held.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/spinlock.h"
#include "core/status.h"
#include "vmx/ept.h"

/* Most pages of one shared_mem_unmap(): 16 MiB in 4K pages. */
#define SHARED_UNMAP_MAX 4096

struct shared_mem {
	struct spinlock
		lock; /* the EPT, and every copy in or out: a mapping seen under it stays */
	struct ept ept;
	atomic_uint_least64_t bytes; /* of RAM mapped and owned */
	hpa_t *doomed; /* unmapped frames until no CPU can reach them; the converter's */
};

/* *m zeroed. After a failure, too, shared_mem_destroy() frees what there is. */
MUST_CHECK enum status shared_mem_init(struct shared_mem *m);

/*
 * Frees the EPT and the RAM in it; no vCPU may run any more. Does nothing if
 * shared_mem_init() was not called, or the second time.
 */
void shared_mem_destroy(struct shared_mem *m);

/*
 * Copies between the host and shared RAM or files of the TD, all pages or false. The
 * guest may write meanwhile, so a value that is checked must have been copied once.
 */
MUST_CHECK bool shared_mem_read(struct shared_mem *m, uint64_t at, void *to, size_t size);
MUST_CHECK bool shared_mem_write(struct shared_mem *m, uint64_t at, const void *from,
				 size_t size);

/* Maps `size` bytes (4K multiples) of host memory at `at`, read-only for the TD; the host keeps
 * it. */
MUST_CHECK enum status shared_mem_map_file(struct shared_mem *m, gpa_t at, hpa_t from,
					   uint64_t size);

/* Makes the not-present entries of [at, at+size) raise #VE in the guest: emulated MMIO. */
MUST_CHECK enum status shared_mem_set_mmio(struct shared_mem *m, gpa_t at, uint64_t size);

/*
 * Backs [at, at+size) with zeroed frames, 2M where alignment and free memory allow; skips
 * what is mapped. STATUS_NO_MEMORY: only a part of it is backed.
 */
MUST_CHECK enum status shared_mem_populate(struct shared_mem *m, gpa_t at, uint64_t size);

/*
 * Unmaps [at, at+size), at most SHARED_UNMAP_MAX pages, everywhere, and frees its frames.
 * Waits for every CPU; one caller per TD at a time. STATUS_NO_MEMORY when a large page
 * could not be split; what was unmapped before stays unmapped.
 */
MUST_CHECK enum status shared_mem_unmap(struct shared_mem *m, gpa_t at, uint64_t size);

/* The size of the page that backs `at`; 0 if none does. */
uint64_t shared_mem_backed(struct shared_mem *m, gpa_t at);
