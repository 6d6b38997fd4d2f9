/* SPDX-License-Identifier: MIT */
#include "tdx/tdmr_init.h"

#include <pthread.h>

#include "mm/frame.h"
#include "tdx/module.h"
#include "tdx/td_private.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"

#define CALLS_PER_GIB 256U
#define THREADS       4U

static struct hosted_config machine(uint64_t gibs)
{
	struct hosted_config c = hosted_default;

	c.ram = gibs * SIZE_1G;
	c.hole = c.hole_size = 0;
	return c;
}

static void start(uint64_t gibs)
{
	struct hosted_config c = machine(gibs);

	hosted_start(&c);
	EXPECT_EQ(tdx_module_init(hosted_boot_info()), STATUS_OK);
}

static uint64_t inits(void) { return hosted_calls(TDH_SYS_TDMR_INIT); }
static uint64_t free_bytes(void) { return frame_free_tdx(LEVEL_4K) * PAGE_SIZE; }

static void finish(void)
{
	while (tdmr_init_one_more())
		continue;
}

/* All free memory but the pieces below 2M that a TDMR's edges cut. */
static void expect_all_is_usable(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	frame_account(bytes);
	EXPECT_EQ(tdmr_init_pending_bytes(), 0);
	EXPECT_EQ(tdmr_init_done_bytes(), tdx_module_info()->tdmr_bytes);
	EXPECT_TRUE(free_bytes() + 4 * SIZE_2M >= bytes[FRAME_FREE]);
}

TEST(tdx_tdmr_init_costs_the_same_seamcalls_until_ready_at_2_gib_and_4_tib)
{
	uint64_t calls[2];

	start(2);
	calls[0] = tdx_module_info()->ready_seamcalls;
	EXPECT_EQ(hosted_calls_all(), calls[0]);
	EXPECT_EQ(inits(), CALLS_PER_GIB);
	start(4096);
	calls[1] = tdx_module_info()->ready_seamcalls;
	EXPECT_EQ(hosted_calls_all(), calls[1]);
	EXPECT_EQ(inits(), CALLS_PER_GIB);
	EXPECT_EQ(calls[0], calls[1]);
	EXPECT_EQ(tdx_module_info()->tdmr_bytes, 4096 * SIZE_1G);
	EXPECT_TRUE(frame_free_tdx(LEVEL_2M) > 500);
	printf("# ready_2g %llu, ready_4t %llu SEAMCALLs\n", (unsigned long long)calls[0],
	       (unsigned long long)calls[1]);
}

TEST(tdx_tdmr_init_goes_on_in_slices_and_no_frame_is_ever_lost)
{
	uint64_t total, before;

	start(6);
	total = frame_total();
	before = free_bytes();
	while (tdmr_init_until(hw_rdtsc() + 50)) {
		EXPECT_EQ(frame_total(), total);
		EXPECT_TRUE(free_bytes() >= before);
		before = free_bytes();
	}
	EXPECT_EQ(inits(), 6 * CALLS_PER_GIB);
	EXPECT_EQ(frame_total(), total);
	expect_all_is_usable();
}

TEST(tdx_tdmr_init_slice_ends_in_time)
{
	uint64_t calls;

	start(4);
	calls = inits();
	EXPECT_TRUE(tdmr_init_until(0));
	EXPECT_EQ(inits(), calls + 1);
}

static void *work(void *arg)
{
	(void)fake_set_this_cpu((unsigned)(uintptr_t)arg);
	for (;;) {
		if (!tdmr_init_until(hw_rdtsc() + 20) && !tdmr_init_one_more())
			return NULL;
	}
}

TEST_WITH_THREADS(tdx_tdmr_init_runs_on_all_cpus_without_meeting)
{
	pthread_t threads[THREADS];

	start(12);
	for (uintptr_t i = 0; i < THREADS; i++)
		EXPECT_EQ(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	EXPECT_EQ(inits(), 12 * CALLS_PER_GIB); /* a BUSY would cost one more */
	expect_all_is_usable();
}

TEST(tdx_tdmr_init_for_who_needs_memory_does_its_part_and_no_more)
{
	static const uint64_t needs[] = {SIZE_2M, 3 * SIZE_1G / 2, 2 * SIZE_1G,
					 41 * SIZE_1G / 4, 30 * SIZE_1G};

	start(64);
	for (unsigned i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		uint64_t before = inits();

		EXPECT_EQ(tdmr_init_need(needs[i]), STATUS_OK);
		EXPECT_TRUE(free_bytes() >= needs[i]);
		/* One GiB less would not have been enough. */
		EXPECT_TRUE(inits() == before || free_bytes() - SIZE_1G < needs[i]);
		EXPECT_EQ(inits() * SIZE_1G, tdmr_init_done_bytes() * CALLS_PER_GIB);
	}
	EXPECT_TRUE(inits() <= 32 * CALLS_PER_GIB);
	EXPECT_EQ(tdmr_init_need(65 * SIZE_1G), STATUS_NO_MEMORY);
	EXPECT_TRUE(inits() <= 32 * CALLS_PER_GIB);
}

TEST(tdx_tdmr_init_for_a_frame_when_none_is_left)
{
	static struct td td;
	hpa_t frame;

	start(3);
	while (free_bytes() > 0)
		EXPECT_EQ(td_frame_take(&td, frame_free_tdx(LEVEL_2M) ? LEVEL_2M : LEVEL_4K,
					FRAME_TD_PRIVATE, &frame),
			  STATUS_OK);
	EXPECT_EQ(inits(), CALLS_PER_GIB);
	EXPECT_EQ(td_frame_take(&td, LEVEL_2M, FRAME_TD_PRIVATE, &frame), STATUS_OK);
	EXPECT_EQ(inits(), 2 * CALLS_PER_GIB);
	td_frame_quarantine(&td, frame, SIZE_2M, "test");
}

TEST(tdx_tdmr_init_reports_a_tdmr_that_fails_and_does_not_use_it)
{
	uint64_t total;

	start(8);
	total = frame_total();
	hosted_inject(TDH_SYS_TDMR_INIT, 1, 1, (uint64_t)TDX_OPERAND_INVALID << 32);
	finish();
	EXPECT_EQ(hosted_inject_count(), 1);
	EXPECT_EQ(tdmr_init_failed_bytes(), SIZE_1G);
	EXPECT_EQ(tdmr_init_done_bytes(), 7 * SIZE_1G);
	EXPECT_TRUE(free_bytes() < 7 * SIZE_1G);
	EXPECT_EQ(tdmr_init_pending_bytes(), 0);
	EXPECT_EQ(frame_total(), total);
	EXPECT_EQ(tdmr_init_need(15 * SIZE_1G / 2), STATUS_NO_MEMORY);
}

TEST(tdx_tdmr_init_takes_another_tdmr_when_the_first_fails)
{
	struct hosted_config c = machine(4);

	hosted_start(&c);
	hosted_inject(TDH_SYS_TDMR_INIT, 1, 1, (uint64_t)TDX_OPERAND_INVALID << 32);
	EXPECT_EQ(tdx_module_init(hosted_boot_info()), STATUS_OK);
	EXPECT_EQ(inits(), CALLS_PER_GIB + 1);
	EXPECT_TRUE(free_bytes() > 0);
	EXPECT_EQ(tdmr_init_failed_bytes(), SIZE_1G);
}

TEST(tdx_tdmr_init_survives_busy_and_gives_up_when_it_stays)
{
	start(4);
	hosted_inject(TDH_SYS_TDMR_INIT, 7, 900, (uint64_t)TDX_OPERAND_BUSY << 32);
	finish();
	EXPECT_EQ(hosted_inject_count(), 900);
	EXPECT_EQ(inits(), 4 * CALLS_PER_GIB + 900);
	expect_all_is_usable();
	start(4);
	hosted_inject(TDH_SYS_TDMR_INIT, 1, UINT32_MAX, (uint64_t)TDX_OPERAND_BUSY << 32);
	finish();
	EXPECT_EQ(tdmr_init_failed_bytes(), 3 * SIZE_1G);
	EXPECT_EQ(tdmr_init_done_bytes(), SIZE_1G);
}

TEST(tdx_tdmr_init_ends_with_the_module)
{
	uint64_t calls;

	start(4);
	EXPECT_TRUE(tdmr_init_until(0));
	tdx_module_stop();
	calls = hosted_calls_all();
	EXPECT_TRUE(!tdmr_init_until(UINT64_MAX));
	EXPECT_TRUE(!tdmr_init_one_more());
	EXPECT_EQ(tdmr_init_need(4 * SIZE_1G), STATUS_NO_MEMORY);
	EXPECT_EQ(hosted_calls_all(), calls);
	tdx_module_stop();
}

TEST_WITH_THREADS(tdx_tdmr_init_ends_with_the_module_while_others_are_at_it)
{
	pthread_t threads[THREADS];
	uint64_t calls;

	start(12);
	for (uintptr_t i = 1; i < THREADS; i++)
		EXPECT_EQ(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	while (inits() < 3 * CALLS_PER_GIB)
		(void)sched_yield();
	tdx_module_stop();
	calls = hosted_calls_all();
	for (unsigned i = 1; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	EXPECT_EQ(hosted_calls_all(), calls);
	EXPECT_TRUE(tdmr_init_pending_bytes() > 0);
}
