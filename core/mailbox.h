/* SPDX-License-Identifier: MIT */
/* A queue that any CPU fills and one empties, without locks; core/oncpu_hw.c has one per CPU.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/oncpu.h"

/* One request; lives with the caller until `*unfinished` has been counted down. */
struct letter {
	struct letter *next;
	oncpu_fn fn;
	void *arg;
	atomic_uint *unfinished;
};

struct mailbox {
	_Atomic(struct letter *) newest;
};

/* True when the box was empty before, so that its owner may need waking. */
bool mailbox_put(struct mailbox *box, struct letter *l);

/* Runs all letters in the order of their arrival. Owner only. */
void mailbox_drain(struct mailbox *box);

static inline bool mailbox_is_empty(const struct mailbox *box)
{
	return atomic_load(&box->newest) == NULL;
}
