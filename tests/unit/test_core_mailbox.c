/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include <pthread.h>
#include <sched.h>

#include "core/mailbox.h"

#define SENDERS 4
#define LETTERS 5000

static struct mailbox box;
static unsigned order[8];
static unsigned order_count;
static unsigned long received; /* by the owner only: no atomic */

static void note(void *arg) { order[order_count++] = (unsigned)(uintptr_t)arg; }

static void add(void *arg) { received += (uintptr_t)arg; }

TEST(mailbox_runs_letters_in_the_order_of_their_arrival)
{
	atomic_uint unfinished = 3;
	struct letter l[3];

	EXPECT_TRUE(mailbox_is_empty(&box));
	for (uintptr_t i = 0; i < 3; i++) {
		l[i] = (struct letter){NULL, note, (void *)i, &unfinished};
		EXPECT_EQ(mailbox_put(&box, &l[i]), i == 0);
	}
	EXPECT_TRUE(!mailbox_is_empty(&box));
	mailbox_drain(&box);
	EXPECT_EQ(order_count, 3);
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(order[i], i);
	EXPECT_EQ(unfinished, 0);
	EXPECT_TRUE(mailbox_is_empty(&box));
}

static void *sender(void *arg)
{
	for (int i = 0; i < LETTERS; i++) {
		atomic_uint unfinished = 1;
		struct letter l = {NULL, add, arg, &unfinished};

		(void)mailbox_put(&box, &l);
		while (atomic_load(&unfinished) != 0)
			sched_yield();
	}
	return NULL;
}

TEST_WITH_THREADS(mailbox_loses_no_letter_of_many_senders)
{
	pthread_t threads[SENDERS];
	unsigned long wanted = 0;

	for (uintptr_t i = 0; i < SENDERS; i++) {
		wanted += (i + 1) * LETTERS;
		EXPECT_EQ(pthread_create(&threads[i], NULL, sender, (void *)(i + 1)), 0);
	}
	while (received < wanted) {
		mailbox_drain(&box);
		sched_yield();
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(received, wanted);
}
