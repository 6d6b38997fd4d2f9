/* SPDX-License-Identifier: MIT */
/* The CPU's walk of an EPT that L1 built (SDM vol. 3, 29.3). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum ept_result {
	EPT_WALK_MAPPED,
	EPT_WALK_NOT_PRESENT,
	EPT_WALK_MISCONFIGURED,
};

struct ept_walk {
	uint64_t hpa;     /* of the page, MAPPED only */
	unsigned level;   /* of the entry that decided */
	unsigned perms;   /* bit 0 R, 1 W, 2 X */
	bool suppress_ve; /* of the entry that decided */
};

#define EPT_WALK_R 1U
#define EPT_WALK_W 2U
#define EPT_WALK_X 4U

/* `levels` is 4 or 5; `root` a physical address. */
enum ept_result ept_walk(uint64_t root, unsigned levels, uint64_t gpa, struct ept_walk *walk);
