/* SPDX-License-Identifier: MIT */
/*
 * Device side of a split virtqueue (VIRTIO 1.2, 2.7) in memory that the guest shares.
 * Every index, address and length in it is the guest's: each is read once, checked, and
 * a ring that breaks a rule is reported as VIRTQ_BROKEN, after which the device stops.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest-abi/virtio.h"
#include "vm/shared_mem.h"

#define VIRTQ_MAX_SIZE 256

struct virtq {
	uint16_t size; /* entries, a power of two, at most VIRTQ_MAX_SIZE */
	uint16_t msix_vector;
	bool is_enabled;
	uint16_t next_avail; /* free-running, as the rings' own indices */
	uint16_t next_used;
	uint64_t desc, avail, used; /* addresses as the driver gave them */
};

/* One descriptor chain, from virtq_pop() to virtq_push(). */
struct virtq_chain {
	uint16_t head;
	uint16_t next;
	uint16_t left; /* descriptors that may still follow: bounds a loop in the table */
};

enum virtq_result {
	VIRTQ_OK,
	VIRTQ_END, /* no chain available; no descriptor left in the chain */
	VIRTQ_BROKEN,
};

/* Takes the next available chain. */
MUST_CHECK enum virtq_result virtq_pop(struct virtq *q, struct shared_mem *mem,
				       struct virtq_chain *chain);

/* Fetches the chain's next descriptor into *desc. */
MUST_CHECK enum virtq_result virtq_chain_next(const struct virtq *q, struct shared_mem *mem,
					      struct virtq_chain *chain,
					      struct virtq_desc *desc);

/* Gives the chain back as used, `written` bytes written to it. VIRTQ_OK or VIRTQ_BROKEN. */
MUST_CHECK enum virtq_result virtq_push(struct virtq *q, struct shared_mem *mem,
					const struct virtq_chain *chain, uint32_t written);

/* Did the driver leave interrupts for used buffers on? */
bool virtq_wants_interrupt(const struct virtq *q, struct shared_mem *mem);

/* May the queue be enabled as it is configured? */
bool virtq_is_valid(const struct virtq *q);
