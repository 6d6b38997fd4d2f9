/* SPDX-License-Identifier: MIT */
#include "vm/vclock.h"

#define TICKS_MAX (UINT64_C(1) << 62)

/* (a * b) >> 48 without losing the upper half of the product. */
static uint64_t scale(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b >> VCLOCK_FRACTION_BITS;

	return product < TICKS_MAX ? (uint64_t)product : TICKS_MAX;
}

/* 2^96 / d rounded up, saturated: a long division by bits, since a 128-bit one needs a library.
 */
static uint64_t reciprocal(uint64_t d)
{
	unsigned __int128 rest = 1;
	uint64_t quotient = 0;

	for (unsigned bit = 0; bit < 2 * VCLOCK_FRACTION_BITS; bit++) {
		rest <<= 1;
		if (quotient >> 63 != 0)
			return UINT64_MAX;
		quotient <<= 1;
		if (rest >= d) {
			rest -= d;
			quotient |= 1;
		}
	}
	return quotient + (rest != 0);
}

void vclock_init(struct vclock *c, uint64_t multiplier, uint64_t offset, uint64_t hz)
{
	c->multiplier = multiplier;
	c->inverse = reciprocal(multiplier);
	c->offset = offset;
	c->hz = hz;
}

uint64_t vclock_to_host_ticks(const struct vclock *c, uint64_t ticks)
{
	return scale(ticks, c->inverse) + 1;
}

uint64_t vclock_to_virtual_ticks(const struct vclock *c, uint64_t ticks)
{
	return scale(ticks, c->multiplier);
}
