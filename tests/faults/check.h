/* SPDX-License-Identifier: MIT */
/* What has to hold after every fault. Each function fails the running case by test_fail(). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "mm/frame.h"
#include "tdx/td.h"

/* What a machine has when nothing runs on it. */
struct check_stock {
	uint64_t bytes[FRAME_OWNER_COUNT];
	unsigned keyids;
	size_t heap;
};

struct check_stock check_stock_take(void);

/*
 * While TDs live: each entry of a mirror is as the module says, every frame has one owner, and
 * the TDs' frames are all that the books call theirs. `count` TDs, all that there are; what is
 * quarantined is nobody's.
 */
void check_alive(struct td *const *tds, unsigned count);

/*
 * With no TD left: every frame of `before` is free or quarantined, none that is free is the
 * module's, the heap is as before. *quarantined bytes, *lost KeyIDs: what is missing.
 */
void check_gone(const struct check_stock *before, uint64_t *quarantined, unsigned *lost);
