/* SPDX-License-Identifier: MIT */
/* Lookups during updates: what an update does not touch never looks otherwise. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "mm/heap.h"
#include "tdx/gpa_map.h"
#include "tests/fake/fake.h"
#include "tests/unit/test.h"

#define GIBS    4U
#define WRITERS 2U
#define READERS 2U
#define ROUNDS  20000U

static struct gpa_map map;
static atomic_uint writers_left;
static atomic_uint wrong;

/* In each 2M range page 5 stays shared, page 6 private; writers change the others. */
#define STAYS_SHARED  UINT64_C(5)
#define STAYS_PRIVATE UINT64_C(6)

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void change(uint64_t range, uint64_t from, uint64_t to, enum gpa_kind kind)
{
	gpa_t at = gpa(range * SIZE_2M + from * SIZE_4K);

	if (gpa_map_set(&map, at, (to - from) * SIZE_4K, kind) != STATUS_OK)
		atomic_fetch_add(&wrong, 1);
}

/* Writers own GiBs in turn; the last GiB has whole ranges change as well. */
static void *write_map(void *arg)
{
	uint64_t state = 77 + (uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t r = next_random(&state);
		uint64_t gib = (uintptr_t)arg + r % 2 * WRITERS;
		uint64_t range = gib * 512 + r / 2 % 512 / 64;
		uint64_t from = 7 + r / 4096 % 400;
		enum gpa_kind kind = r >> 40 & 1 ? GPA_SHARED : GPA_PRIVATE;

		change(range, from, from + 1 + r / (UINT64_C(1) << 32) % 100, kind);
		if (r >> 60 == 0) { /* alike but for a run or two: objects come and go */
			change(range, 7, 512, GPA_PRIVATE);
			change(range, 0, STAYS_SHARED, kind);
		}
		change(gib * 512 + 100 + r / 64 % 100, 0, 512 * (1 + r % 50), kind);
	}
	atomic_fetch_sub(&writers_left, 1);
	return NULL;
}

static void *read_map(void *arg)
{
	uint64_t state = 99 + (uintptr_t)arg;

	do {
		uint64_t range = next_random(&state) % (GIBS * 512) / 64 % 8;
		uint64_t base = (next_random(&state) % GIBS * 512 + range) * SIZE_2M;
		enum page_level level;

		if (gpa_map_lookup(&map, gpa(base + STAYS_SHARED * SIZE_4K), &level) !=
			    GPA_SHARED ||
		    level != LEVEL_4K ||
		    gpa_map_kind(&map, gpa(base + STAYS_PRIVATE * SIZE_4K)) != GPA_PRIVATE ||
		    gpa_map_lookup(&map, gpa(base + SIZE_1G - range * SIZE_2M - 1), &level) !=
			    GPA_PRIVATE ||
		    level == LEVEL_1G)
			atomic_fetch_add(&wrong, 1);
		/* Whatever the answer, it comes from valid memory. */
		(void)gpa_map_lookup(&map, gpa(next_random(&state) % (GIBS * SIZE_1G)), &level);
	} while (atomic_load(&writers_left) > 0);
	return NULL;
}

static void run_threads(void *(*write)(void *), void *(*read)(void *))
{
	pthread_t threads[WRITERS + READERS];

	atomic_store(&writers_left, WRITERS);
	for (uintptr_t i = 0; i < WRITERS + READERS; i++)
		EXPECT_EQ(pthread_create(&threads[i], NULL, i < WRITERS ? write : read,
					 (void *)i),
			  0);
	for (unsigned i = 0; i < WRITERS + READERS; i++)
		EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}

TEST_WITH_THREADS(tdx_gpa_map_lookups_during_updates_see_what_does_not_change)
{
	EXPECT_EQ(gpa_map_init(&map, gpa(GIBS * SIZE_1G)), STATUS_OK);
	for (uint64_t range = 0; range < GIBS * 512; range++)
		if (range % 512 < 8)
			change(range, STAYS_SHARED, STAYS_SHARED + 1, GPA_SHARED);
	run_threads(write_map, read_map);
	EXPECT_EQ(atomic_load(&wrong), 0);
	EXPECT_EQ(gpa_map_bytes_held(&map), heap_used());
	gpa_map_destroy(&map);
	EXPECT_EQ(heap_used(), 0);
}

/*
 * A GiB that flips between uniform and many runs: its objects are given up and taken again,
 * by the other writer's GiB too, where other ranges are shared and other pages of ranges.
 */
static void *flip_map(void *arg)
{
	uint64_t gib = (uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		for (uint64_t range = 0; range < 3; range++) {
			change(gib * 512 + 10 + 4 * range + 2 * gib, 0, 512, GPA_SHARED);
			change(gib * 512 + 40, 10 * range + gib, 10 * range + gib + 1,
			       GPA_SHARED);
		}
		change(gib * 512, 0, SIZE_1G / SIZE_4K, GPA_PRIVATE);
	}
	atomic_fetch_sub(&writers_left, 1);
	return NULL;
}

/* What is shared now and then in one GiB is private in the other. GiB 3 is all shared. */
static void *read_flips(void *arg)
{
	enum page_level level;

	(void)arg;
	do {
		for (uint64_t gib = 0; gib < WRITERS; gib++) {
			uint64_t other = 1 - gib;
			uint64_t base = gib * SIZE_1G;

			if (gpa_map_kind(&map, gpa(base + (10 + 2 * other) * SIZE_2M)) ||
			    gpa_map_kind(&map, gpa(base + 40 * SIZE_2M + other * SIZE_4K)) ||
			    gpa_map_lookup(&map, gpa(base + 41 * SIZE_2M), &level) ||
			    level == LEVEL_4K)
				atomic_fetch_add(&wrong, 1);
		}
		if (gpa_map_lookup(&map, gpa(3 * SIZE_1G + 5), &level) != GPA_SHARED ||
		    level != LEVEL_1G)
			atomic_fetch_add(&wrong, 1);
	} while (atomic_load(&writers_left) > 0);
	return NULL;
}

TEST_WITH_THREADS(tdx_gpa_map_lookups_survive_objects_that_come_and_go)
{
	EXPECT_EQ(gpa_map_init(&map, gpa(GIBS * SIZE_1G)), STATUS_OK);
	change(3 * 512, 0, SIZE_1G / SIZE_4K, GPA_SHARED);
	run_threads(flip_map, read_flips);
	EXPECT_EQ(atomic_load(&wrong), 0);
	gpa_map_destroy(&map);
	EXPECT_EQ(heap_used(), 0);
}

/* A GiB that is torn into a bitmap and becomes alike, by turns with the other writer's. */
static void *tear_map(void *arg)
{
	uint64_t gib = (uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS / 40; i++) {
		for (uint64_t range = 0; range < 16; range++)
			change(gib * 512 + range, 1 + gib, 257 + gib, GPA_SHARED);
		change(gib * 512, 0, SIZE_1G / SIZE_4K, GPA_PRIVATE);
	}
	atomic_fetch_sub(&writers_left, 1);
	return NULL;
}

/* Pages 0 are shared in no GiB, pages 1 in one only, 257 in the other only. */
static void *read_torn(void *arg)
{
	uint64_t state = 5 + (uintptr_t)arg;

	do {
		uint64_t range = next_random(&state) % 16;
		uint64_t gib = next_random(&state) % WRITERS;
		uint64_t base = gib * SIZE_1G + range * SIZE_2M;

		if (gpa_map_kind(&map, gpa(base)) ||
		    gpa_map_kind(&map, gpa(base + (gib ? 1 : 257) * SIZE_4K)))
			atomic_fetch_add(&wrong, 1);
	} while (atomic_load(&writers_left) > 0);
	return NULL;
}

TEST_WITH_THREADS(tdx_gpa_map_lookups_survive_bitmaps_that_come_and_go)
{
	EXPECT_EQ(gpa_map_init(&map, gpa(GIBS * SIZE_1G)), STATUS_OK);
	run_threads(tear_map, read_torn);
	EXPECT_EQ(atomic_load(&wrong), 0);
	EXPECT_TRUE(map.spare[GPA_MAP_TYPES - 1] != 0);
	gpa_map_destroy(&map);
	EXPECT_EQ(heap_used(), 0);
}

/* Moves the one object from GiB 0 to GiB 1 or back, with another range shared in each. */
static void move_object(int signal)
{
	static uint64_t gib;

	(void)signal;
	change(gib * 512, 0, SIZE_1G / SIZE_4K, GPA_PRIVATE);
	gib = 1 - gib;
	change(gib * 512 + 10 + 2 * gib, 0, 512, GPA_SHARED);
	change(gib * 512 + 40, 10 + gib, 11 + gib, GPA_SHARED);
	change(gib * 512 + 40, 20 + gib, 21 + gib, GPA_SHARED);
	atomic_fetch_add(&writers_left, 1);
}

static void timer_signals(timer_t *timer)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec often = {.it_interval.tv_nsec = 50000, .it_value.tv_nsec = 50000};

	EXPECT_TRUE(signal(SIGUSR1, move_object) != SIG_ERR);
	EXPECT_EQ(timer_create(CLOCK_MONOTONIC, &event, timer), 0);
	EXPECT_EQ(timer_settime(*timer, 0, &often, NULL), 0);
}

/* An update between any two instructions of a lookup: a signal's handler makes it. */
TEST(tdx_gpa_map_lookup_repeats_when_an_update_comes_in_between)
{
	timer_t timer;

	EXPECT_EQ(gpa_map_init(&map, gpa(GIBS * SIZE_1G)), STATUS_OK);
	change(2 * 512, 7, 8, GPA_SHARED);
	timer_signals(&timer);
	while (atomic_load(&writers_left) < 4000 && test_failures == 0) {
		enum page_level level;

		EXPECT_EQ(gpa_map_kind(&map, gpa(12 * SIZE_2M)), GPA_PRIVATE);
		EXPECT_EQ(gpa_map_kind(&map, gpa(SIZE_1G + 10 * SIZE_2M)), GPA_PRIVATE);
		EXPECT_EQ(gpa_map_lookup(&map, gpa(40 * SIZE_2M + 21 * SIZE_4K), &level),
			  GPA_PRIVATE);
		EXPECT_TRUE(level != LEVEL_2M);
	}
	EXPECT_EQ(timer_delete(timer), 0);
	EXPECT_EQ(atomic_load(&wrong), 0);
}
