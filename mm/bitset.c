/* SPDX-License-Identifier: MIT */
#include "mm/bitset.h"

#include "core/string.h"

static uint64_t words(uint64_t bits) { return (bits + 63) / 64; }

size_t bitset_bytes(uint64_t size)
{
	uint64_t total = 0;
	uint64_t n = size;

	for (unsigned l = 0; l < BITSET_LEVELS; l++) {
		n = words(n);
		total += n;
	}
	return (size_t)(total * sizeof(uint64_t));
}

void *bitset_init(struct bitset *s, uint64_t size, void *memory)
{
	uint64_t *p = memory;
	uint64_t n = size;

	memset(memory, 0, bitset_bytes(size));
	for (unsigned l = 0; l < BITSET_LEVELS; l++) {
		n = words(n);
		s->level[l] = p;
		p += n;
	}
	s->count = 0;
	return p;
}

void bitset_add(struct bitset *s, uint64_t member)
{
	s->count++;
	for (unsigned l = 0; l < BITSET_LEVELS; l++) {
		uint64_t *w = &s->level[l][member / 64];
		bool was_empty = *w == 0;

		*w |= UINT64_C(1) << member % 64;
		if (!was_empty)
			return;
		member /= 64;
	}
}

void bitset_remove(struct bitset *s, uint64_t member)
{
	s->count--;
	for (unsigned l = 0; l < BITSET_LEVELS; l++) {
		uint64_t *w = &s->level[l][member / 64];

		*w &= ~(UINT64_C(1) << member % 64);
		if (*w != 0)
			return;
		member /= 64;
	}
}

bool bitset_has_all(const struct bitset *s, uint64_t first, uint64_t count)
{
	for (uint64_t w = first / 64; w < (first + count) / 64; w++) {
		if (s->level[0][w] != UINT64_MAX)
			return false;
	}
	return true;
}

bool bitset_first(const struct bitset *s, uint64_t *member)
{
	uint64_t at = 0;

	if (s->count == 0)
		return false;
	for (unsigned l = BITSET_LEVELS; l-- > 0;)
		at = at * 64 + (uint64_t)__builtin_ctzll(s->level[l][at]);
	*member = at;
	return true;
}
