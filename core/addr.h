/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/compiler.h"

#define PAGE_SIZE UINT64_C(4096)
#define SIZE_4K   UINT64_C(0x1000)
#define SIZE_2M   UINT64_C(0x200000)
#define SIZE_1G   UINT64_C(0x40000000)

/*
 * One struct per address space. They hold the same bits and travel in the same
 * registers, but the compiler refuses to mix them, and plain integers convert
 * only through the named constructors below.
 */

/* Host-physical, without KeyID bits. */
typedef struct {
	uint64_t raw;
} hpa_t;

/* Guest-physical, without the shared bit. */
typedef struct {
	uint64_t raw;
} gpa_t;

/* Half-open physical range. */
struct hpa_range {
	hpa_t base;
	uint64_t size;
};

static inline hpa_t hpa(uint64_t raw) { return (hpa_t){raw}; }
static inline gpa_t gpa(uint64_t raw) { return (gpa_t){raw}; }

static inline hpa_t hpa_add(hpa_t a, uint64_t n) { return hpa(a.raw + n); }
static inline gpa_t gpa_add(gpa_t a, uint64_t n) { return gpa(a.raw + n); }
static inline bool hpa_aligned(hpa_t a, uint64_t size) { return a.raw % size == 0; }
static inline bool gpa_aligned(gpa_t a, uint64_t size) { return a.raw % size == 0; }

static inline uint64_t align_down(uint64_t v, uint64_t size) { return v & ~(size - 1); }
static inline uint64_t align_up(uint64_t v, uint64_t size)
{
	return (v + size - 1) & ~(size - 1);
}

/* Page sizes of paging, EPT, Secure EPT and PAMT alike; also the level numbers TDX uses. */
enum page_level { LEVEL_4K, LEVEL_2M, LEVEL_1G, LEVEL_512G };

static inline uint64_t level_size(enum page_level l) { return PAGE_SIZE << (9U * (unsigned)l); }

STATIC_ASSERT(sizeof(hpa_t) == 8, "address types must be register-sized");
