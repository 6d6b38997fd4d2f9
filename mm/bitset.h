/* SPDX-License-Identifier: MIT */
/*
 * A set of small integers that finds its least member fast: bits, and above them bits
 * that say which words below are not empty. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITSET_LEVELS 5 /* 64^5 members */

struct bitset {
	uint64_t *level[BITSET_LEVELS]; /* [0] are the members */
	uint64_t count;                 /* of members */
};

/* Bytes that bitset_init() wants for members 0..size-1; a multiple of 8. */
size_t bitset_bytes(uint64_t size);

/* Makes `s` an empty set for members 0..size-1 in `memory`, 8-byte aligned; returns its end. */
void *bitset_init(struct bitset *s, uint64_t size, void *memory);

void bitset_add(struct bitset *s, uint64_t member);    /* was not in it */
void bitset_remove(struct bitset *s, uint64_t member); /* was in it */

/* Are first..first+count-1, multiples of 64, all in it? */
bool bitset_has_all(const struct bitset *s, uint64_t first, uint64_t count);

/* The least member; false if the set is empty. */
bool bitset_first(const struct bitset *s, uint64_t *member);
