/* SPDX-License-Identifier: MIT */
/*
 * The virtual TSC of a TD against the host's: virtual = (host * multiplier >> 48) + offset,
 * modulo 2^64, as VMX TSC scaling does it.
 */
#pragma once

#include <stdint.h>

#define VCLOCK_FRACTION_BITS 48

struct vclock {
	uint64_t multiplier; /* with fraction bits */
	uint64_t inverse;    /* 1 / multiplier, with fraction bits */
	uint64_t offset;
	uint64_t hz; /* of the virtual TSC */
};

/* `multiplier` is not 0. */
void vclock_init(struct vclock *c, uint64_t multiplier, uint64_t offset, uint64_t hz);

static inline uint64_t vclock_now(const struct vclock *c, uint64_t host_tsc)
{
	unsigned __int128 scaled = (unsigned __int128)host_tsc * c->multiplier;

	return (uint64_t)(scaled >> VCLOCK_FRACTION_BITS) + c->offset;
}

/* Host ticks in `ticks` of the virtual TSC, rounded up; saturates at 2^62. */
uint64_t vclock_to_host_ticks(const struct vclock *c, uint64_t ticks);

/* The same the other way, rounded down. */
uint64_t vclock_to_virtual_ticks(const struct vclock *c, uint64_t ticks);
