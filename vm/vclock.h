/* SPDX-License-Identifier: MIT */
/*
 * The virtual TSC of a TD against the host's: virtual = (host * multiplier >> 48) + offset,
 * modulo 2^64, as VMX TSC scaling does it.
 */
#pragma once

#include <stdint.h>

struct vclock {
	uint64_t multiplier; /* 48 fraction bits */
	uint64_t inverse;    /* 1 / multiplier, 48 fraction bits */
	uint64_t offset;
	uint64_t hz; /* of the virtual TSC */
};

/* `multiplier` is not 0. */
void vclock_init(struct vclock *c, uint64_t multiplier, uint64_t offset, uint64_t hz);

uint64_t vclock_now(const struct vclock *c, uint64_t host_tsc);

/* Host ticks in `ticks` of the virtual TSC, rounded up; saturates at 2^62. */
uint64_t vclock_to_host_ticks(const struct vclock *c, uint64_t ticks);

/* The same the other way, rounded down. */
uint64_t vclock_to_virtual_ticks(const struct vclock *c, uint64_t ticks);
