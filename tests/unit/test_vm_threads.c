/* SPDX-License-Identifier: MIT */
/* CPUs as threads that convert memory of one TD at the same time. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "mm/frame.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_guest.h"
#include "vm/background.h"
#include "vm/convert.h"
#include "vm/registry.h"

#define ROUNDS 30U
#define FIRST  (4 * SIZE_2M + 7 * SIZE_4K)
#define SECOND (5 * SIZE_2M + 3 * SIZE_4K)
#define SIZE   (2 * SIZE_2M + 5 * SIZE_4K) /* one call's share: no RETRY between */

static struct vm *vm;

/* The first makes its range shared and the second private, both also the other way round. */
static void *convert(void *arg)
{
	bool is_second = arg != NULL;

	(void)fake_set_this_cpu(is_second);
	for (unsigned i = 0; i < ROUNDS; i++) {
		bool to_shared = i + 1 == ROUNDS ? !is_second : i % 2 != 0;
		uint64_t done;

		EXPECT_EQ(convert_range(vm, is_second ? SECOND : FIRST, SIZE, to_shared, &done),
			  STATUS_OK);
		EXPECT_EQ(done, SIZE);
		/* Some pages for the next; the other thread may be in the way. */
		(void)!td_populate(&vm->td, gpa(is_second ? SECOND : FIRST), SIZE);
		(void)sched_yield();
	}
	return NULL;
}

static bool is_private(uint64_t at)
{
	enum page_level uniform;

	return td_is_private(&vm->td, gpa(at), &uniform);
}

/* What a page is, its map, its private and its shared side say alike. */
static void check_page(uint64_t at, bool expected)
{
	struct sept_slot slot = sept_find(&vm->td.sept, gpa(at), LEVEL_4K);

	EXPECT_EQ(is_private(at), expected);
	EXPECT_EQ(shared_mem_backed(&vm->shared, gpa(at)) == 0, expected);
	if (!expected)
		EXPECT_TRUE(!mirror_is_leaf(sept_read(slot)));
}

static void run_both(void *(*fn)(void *arg))
{
	static int second;
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, fn, i == 0 ? NULL : &second))
			abort();
	for (unsigned i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
}

TEST_WITH_THREADS(vm_threads_that_convert_overlapping_ranges_leave_what_one_order_explains)
{
	bool last;

	guest_machine();
	guest_create(NULL, 0);
	vm = registry_first();
	run_both(convert);
	/* Whoever came last decides about all that both have. */
	last = is_private(SECOND);
	for (uint64_t at = FIRST; at < SECOND + SIZE; at += SIZE_4K)
		check_page(at, at >= FIRST + SIZE || (at >= SECOND && last));
	check_page(FIRST - SIZE_4K, true);
	check_page(SECOND + SIZE, true);
	mirror_check(&vm->td);
}

static atomic_bool is_over;

static void *work_in_background(void *arg)
{
	(void)fake_set_this_cpu(1);
	while (!atomic_load(&is_over))
		(void)background_work_until(0);
	return arg;
}

TEST_WITH_THREADS(vm_threads_that_work_in_the_background_meet_no_td_that_is_freed)
{
	struct vm_error why = {""};
	uint64_t free_bytes;
	pthread_t worker;

	guest_machine();
	free_bytes = guest_free_bytes();
	if (pthread_create(&worker, NULL, work_in_background, NULL))
		abort();
	for (unsigned i = 0; i < 8; i++) {
		guest_create(NULL, 0);
		EXPECT_EQ(vm_destroy("web", &why), STATUS_OK);
		vm_finish_reclaim();
		EXPECT_TRUE(registry_first() == NULL);
	}
	atomic_store(&is_over, true);
	(void)pthread_join(worker, NULL);
	EXPECT_EQ(guest_free_bytes(), free_bytes);
}
