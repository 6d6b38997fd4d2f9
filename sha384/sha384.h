/* SPDX-License-Identifier: MIT */
/*
 * SHA-384 (FIPS 180-4), incremental and freestanding. The context holds no
 * pointers, so it may lie in memory that is copied or moved between calls.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA384_DIGEST_SIZE 48
#define SHA384_BLOCK_SIZE  128

struct sha384 {
	uint64_t state[8];
	uint64_t length;                  /* bytes absorbed so far */
	uint8_t block[SHA384_BLOCK_SIZE]; /* its first length % 128 bytes wait */
};

void sha384_init(struct sha384 *ctx);

/* Absorbs `size` bytes; at most 2^61 bytes in all. */
void sha384_update(struct sha384 *ctx, const void *data, size_t size);

/* Ends the message. The context must be initialised again before further use. */
void sha384_final(struct sha384 *ctx, uint8_t digest[SHA384_DIGEST_SIZE]);

/* All three in one call. */
void sha384(const void *data, size_t size, uint8_t digest[SHA384_DIGEST_SIZE]);
