/* SPDX-License-Identifier: MIT */
#include "core/mailbox.h"

#include <stddef.h>

bool mailbox_put(struct mailbox *box, struct letter *l)
{
	struct letter *newest = atomic_load_explicit(&box->newest, memory_order_relaxed);

	do {
		l->next = newest;
	} while (!atomic_compare_exchange_weak_explicit(
		&box->newest, &newest, l, memory_order_seq_cst, memory_order_relaxed));
	return newest == NULL;
}

static struct letter *oldest_first(struct letter *l)
{
	struct letter *reversed = NULL;

	while (l != NULL) {
		struct letter *next = l->next;

		l->next = reversed;
		reversed = l;
		l = next;
	}
	return reversed;
}

/* The letter is its sender's again from the count-down on: nothing of it is read afterwards. */
void mailbox_drain(struct mailbox *box)
{
	struct letter *l = oldest_first(atomic_exchange(&box->newest, NULL));

	while (l != NULL) {
		struct letter *next = l->next;
		atomic_uint *unfinished = l->unfinished;

		l->fn(l->arg);
		atomic_fetch_sub_explicit(unfinished, 1, memory_order_release);
		l = next;
	}
}
