/* SPDX-License-Identifier: MIT */
/* Little-endian fields at any offset of a byte image. */
#pragma once

#include <stdint.h>

static inline uint64_t get_le(const uint8_t *at, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | at[bytes];
	return v;
}

static inline void put_le(uint8_t *at, unsigned bytes, uint64_t v)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static inline uint16_t get_le16(const uint8_t *at) { return (uint16_t)get_le(at, 2); }
static inline uint32_t get_le32(const uint8_t *at) { return (uint32_t)get_le(at, 4); }
static inline uint64_t get_le64(const uint8_t *at) { return get_le(at, 8); }
static inline void put_le32(uint8_t *at, uint32_t v) { put_le(at, 4, v); }
static inline void put_le64(uint8_t *at, uint64_t v) { put_le(at, 8, v); }
