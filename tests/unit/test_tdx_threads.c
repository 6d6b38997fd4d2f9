/* SPDX-License-Identifier: MIT */
/* Logical processors as threads: faults in parallel, lookups during updates. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "guest-abi/ghci.h"
#include "mm/frame.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tdx/td.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define THREADS 4U
#define RAM     (64 * SIZE_2M)

static struct td td;

static const struct td_params params = {
	.max_vcpus = 1,
	.tsc_khz = 1000000,
	.ram_low_end = {RAM},
	.ram_high_end = {UINT64_C(1) << 32},
};

static void run_threads(void *(*fn)(void *arg))
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, fn, (void *)i))
			abort();
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
}

static void create(void)
{
	hosted_start_ready(&hosted_default);
	EXPECT_EQ(td_create(&td, &params), STATUS_OK);
}

static void destroy(void)
{
	bool done = false;

	EXPECT_EQ(td_release_keyid(&td), STATUS_OK);
	while (!done)
		EXPECT_EQ(td_reclaim(&td, &done), STATUS_OK);
	EXPECT_EQ(hosted_owned_bytes(), 0);
	EXPECT_EQ(td.quarantined_bytes, 0);
}

/* Every thread faults everywhere, in an order of its own, at 2M and at 4K. */
static void *fault_everywhere(void *arg)
{
	uint64_t cpu = (uintptr_t)arg;

	(void)fake_set_this_cpu((unsigned)cpu);
	for (uint64_t i = 0; i < RAM / SIZE_2M; i++) {
		uint64_t region = (i * 17 + cpu * 16) % (RAM / SIZE_2M);
		gpa_t at = gpa(region * SIZE_2M + cpu * 0x5000);
		enum page_level limit = region % 8 == 0 ? LEVEL_4K : LEVEL_2M;
		enum status s = STATUS_BUSY;

		for (unsigned tries = 0; s == STATUS_BUSY && tries < 1000; tries++)
			s = td_resolve_fault(&td, at, limit);
		EXPECT_EQ(s, STATUS_OK);
	}
	return NULL;
}

TEST_WITH_THREADS(tdx_threads_fault_in_parallel_and_the_mirror_agrees)
{
	create();
	run_threads(fault_everywhere);
	for (uint64_t at = 0; at < RAM; at += SIZE_2M) {
		struct sept_slot slot = sept_find(&td.sept, gpa(at), LEVEL_4K);

		EXPECT_TRUE(mirror_is_leaf(sept_read(slot)));
	}
	mirror_check(&td);
	destroy();
}

/* ---- No lock over a SEAMCALL ---- */

#define MEETING_YIELDS 1000000U

static atomic_uint arrived, met;

/* Two AUGs wait here for each other. */
static uint64_t meet_in_aug(uint64_t rax, struct seamcall_regs *regs)
{
	if ((rax & 0xffff) == TDH_MEM_PAGE_AUG && atomic_load(&arrived) < 2) {
		atomic_fetch_add(&arrived, 1);
		for (unsigned i = 0; i < MEETING_YIELDS && atomic_load(&arrived) < 2; i++)
			(void)sched_yield();
		atomic_fetch_add(&met, atomic_load(&arrived) == 2);
	}
	return hosted_seamcall(rax, regs);
}

static void *fault_in_own_region(void *arg)
{
	uint64_t cpu = (uintptr_t)arg;

	(void)fake_set_this_cpu((unsigned)cpu);
	if (cpu < 2)
		EXPECT_EQ(td_resolve_fault(&td, gpa(cpu * SIZE_2M), LEVEL_2M), STATUS_OK);
	return NULL;
}

TEST_WITH_THREADS(tdx_threads_fault_in_two_regions_inside_the_module_at_once)
{
	create();
	EXPECT_EQ(td_resolve_fault(&td, gpa(RAM - SIZE_2M), LEVEL_2M), STATUS_OK);
	hosted_set_seamcall(meet_in_aug);
	run_threads(fault_in_own_region);
	EXPECT_EQ(met, 2);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 3);
	destroy();
}

enum step { BEGIN, COMMIT, BACK, POPULATE, STEPS };

static enum status do_step(enum step step, gpa_t at, uint64_t size)
{
	switch (step) {
	case BEGIN:
		return td_unmap_private_begin(&td, at, size);
	case COMMIT:
		return td_unmap_private_commit(&td, at, size);
	case BACK:
		return td_mark_private(&td, at, size);
	case POPULATE:
		return td_populate(&td, at, size);
	case STEPS:
		break;
	}
	return STATUS_BAD_ARG;
}

/* Each thread turns its own quarter to shared and back, edges and all, while the others do. */
static void *convert_back_and_forth(void *arg)
{
	uint64_t cpu = (uintptr_t)arg;
	unsigned seed = (unsigned)cpu + 1;

	(void)fake_set_this_cpu((unsigned)cpu);
	for (unsigned i = 0; i < 60; i++) {
		gpa_t at =
			gpa(cpu * (RAM / THREADS) + (uint64_t)rand_r(&seed) % 2048 * SIZE_4K);
		uint64_t size = ((uint64_t)rand_r(&seed) % 1024 + 1) * SIZE_4K;

		for (enum step step = BEGIN; step < STEPS; step++) {
			enum status s = STATUS_BUSY;

			/* A thread that holds the TD's one range may be off its CPU for long.
			 */
			for (unsigned n = 0; s == STATUS_BUSY && n < 10000000; n++) {
				s = do_step(step, at, size);
				(void)sched_yield();
			}
			EXPECT_EQ(s, STATUS_OK);
		}
	}
	return NULL;
}

TEST_WITH_THREADS(tdx_threads_convert_in_parallel_and_the_mirror_agrees)
{
	create();
	EXPECT_EQ(td_populate(&td, gpa(0), RAM), STATUS_OK);
	run_threads(convert_back_and_forth);
	mirror_check(&td);
	EXPECT_EQ(sept_present_bytes(&td.sept), RAM);
	destroy();
}

/* ---- Promotion under faults ---- */

#define REGIONS    8U
#define PROMOTIONS 40U
#define TRIES      100000U
#define CODE_64    0xa09bU

static struct td_vcpu vcpu;
static uint64_t accept_at;
static atomic_bool is_over;
static atomic_uint promotions;

/* Accepts all regions by 2M. */
static void accepting_guest(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	(void)cpu;
	if (accept_at == REGIONS * SIZE_2M)
		return;
	view->state->segment[TDX_CS].access_rights = CODE_64;
	view->state->gpr[TDX_RAX] = TDG_MEM_PAGE_ACCEPT;
	view->state->gpr[TDX_RCX] = accept_at | LEVEL_2M;
	exit->reason = EXIT_TDCALL;
	accept_at += SIZE_2M;
}

static enum status split_region(gpa_t region)
{
	enum status s = STATUS_BUSY;

	for (unsigned tries = 0; s == STATUS_BUSY && tries < TRIES; tries++)
		s = td_resolve_fault(&td, region, LEVEL_4K);
	return s;
}

/* A fault may have ended the promotion, or split the region again, before its own commit. */
static void promote_region(gpa_t region)
{
	enum status s = STATUS_BUSY;

	EXPECT_EQ(split_region(region), STATUS_OK);
	for (unsigned tries = 0; s == STATUS_BUSY && tries < TRIES; tries++)
		s = td_promote_begin(&td, region, LEVEL_2M);
	if (s == STATUS_OK)
		s = td_promote_commit(&td, region, LEVEL_2M);
	EXPECT_TRUE(s == STATUS_OK || s == STATUS_NOT_FOUND || s == STATUS_BUSY);
	atomic_fetch_add(&promotions, s == STATUS_OK);
}

static void *promote_or_fault(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg + 1;

	(void)fake_set_this_cpu((unsigned)(uintptr_t)arg);
	for (unsigned i = 0; arg == NULL && i < PROMOTIONS; i++) {
		promote_region(gpa(i % REGIONS * SIZE_2M));
		(void)sched_yield();
	}
	if (arg == NULL)
		atomic_store(&is_over, true);
	while (!atomic_load(&is_over)) {
		gpa_t at = gpa((uint64_t)rand_r(&seed) % (REGIONS * 512) * SIZE_4K);
		enum page_level limit = rand_r(&seed) % 64 == 0 ? LEVEL_4K : LEVEL_2M;
		enum status s = td_resolve_fault(&td, at, limit);

		EXPECT_TRUE(s == STATUS_OK || s == STATUS_BUSY);
	}
	return NULL;
}

TEST_WITH_THREADS(tdx_threads_fault_during_promotions_and_nothing_is_lost)
{
	struct seamcall_regs regs = {0};

	create();
	memset(&vcpu, 0, sizeof(vcpu));
	EXPECT_EQ(td_vcpu_create(&td, &vcpu, 0), STATUS_OK);
	EXPECT_EQ(td_populate(&td, gpa(0), RAM), STATUS_OK);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
	hosted_set_guest(accepting_guest);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpu, &regs)), TDX_SUCCESS);
	EXPECT_EQ(accept_at, REGIONS * SIZE_2M);
	run_threads(promote_or_fault);
	EXPECT_TRUE(promotions > 0);
	EXPECT_EQ(sept_present_bytes(&td.sept), RAM);
	mirror_check(&td);
	destroy();
}

/* ---- Teardown by all ---- */

static atomic_uint finders;

static void *reclaim(void *arg)
{
	bool done = false;

	(void)fake_set_this_cpu((unsigned)(uintptr_t)arg);
	for (unsigned i = 0; !done && i < 100000; i++) {
		for (unsigned n = 0; n < (unsigned)(uintptr_t)arg * 40 + 1 && !done; n++)
			EXPECT_EQ(td_reclaim(&td, &done), STATUS_OK);
		(void)sched_yield();
	}
	atomic_fetch_add(&finders, done);
	return NULL;
}

TEST_WITH_THREADS(tdx_threads_reclaim_one_td_in_parallel)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t free_before;

	hosted_start_ready(&hosted_default);
	frame_account(bytes);
	free_before = bytes[FRAME_FREE];
	EXPECT_EQ(td_create(&td, &params), STATUS_OK);
	EXPECT_EQ(td_populate(&td, gpa(0), RAM), STATUS_OK);
	for (uint64_t at = 0; at < RAM; at += 4 * SIZE_2M)
		EXPECT_EQ(td_resolve_fault(&td, gpa(at), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td_release_keyid(&td), STATUS_OK);
	run_threads(reclaim);
	EXPECT_EQ(finders, THREADS);
	EXPECT_EQ(td.teardown_done, td.teardown_total);
	EXPECT_EQ(hosted_owned_bytes(), 0);
	frame_account(bytes);
	EXPECT_EQ(bytes[FRAME_FREE], free_before);
}

/* What a CPU left half done is not lost when that CPU never comes back. */
TEST_WITH_THREADS(tdx_threads_finish_what_another_cpu_began_to_reclaim)
{
	bool done = false;

	create();
	EXPECT_EQ(td_populate(&td, gpa(0), 2 * SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td_release_keyid(&td), STATUS_OK);
	(void)fake_set_this_cpu(3);
	for (unsigned i = 0; i < 7; i++)
		EXPECT_EQ(td_reclaim(&td, &done), STATUS_OK);
	(void)fake_set_this_cpu(1);
	destroy();
	EXPECT_EQ(td.teardown_done, td.teardown_total);
}

/* ---- The map under readers ---- */

static struct gpa_map map;
static atomic_bool stop;
static atomic_uint wrong;

/* Page 0 of each region stays private and page 511 shared, whatever happens between them. */
static void *look_at_the_map(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg + 7;
	enum page_level level;

	if (arg == NULL) {
		for (unsigned i = 0; i < 20000; i++) {
			uint64_t region = (uint64_t)rand_r(&seed) % 512 * SIZE_2M;
			uint64_t first = (uint64_t)rand_r(&seed) % 510 + 1;
			uint64_t count = (uint64_t)rand_r(&seed) % (511 - first) + 1;

			EXPECT_EQ(gpa_map_set(&map, gpa(region + first * SIZE_4K),
					      count * SIZE_4K,
					      i % 2 ? GPA_SHARED : GPA_PRIVATE),
				  STATUS_OK);
			EXPECT_EQ(gpa_map_set(&map, gpa(SIZE_1G), SIZE_1G, i / 2 % 2),
				  STATUS_OK);
		}
		atomic_store(&stop, true);
		return NULL;
	}
	while (!atomic_load(&stop)) {
		uint64_t region = (uint64_t)rand_r(&seed) % 512 * SIZE_2M;

		if (gpa_map_lookup(&map, gpa(region), &level) != GPA_PRIVATE ||
		    gpa_map_lookup(&map, gpa(region + SIZE_2M - SIZE_4K), &level) != GPA_SHARED)
			atomic_fetch_add(&wrong, 1);
		(void)gpa_map_lookup(&map, gpa(SIZE_1G + region), &level);
		if (level != LEVEL_1G)
			atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

TEST_WITH_THREADS(tdx_threads_read_a_map_that_changes)
{
	EXPECT_EQ(gpa_map_init(&map, gpa(2 * SIZE_1G)), STATUS_OK);
	for (uint64_t at = 0; at < SIZE_1G; at += SIZE_2M)
		EXPECT_EQ(gpa_map_set(&map, gpa(at + SIZE_2M - SIZE_4K), SIZE_4K, GPA_SHARED),
			  STATUS_OK);
	run_threads(look_at_the_map);
	EXPECT_EQ(wrong, 0);
	gpa_map_destroy(&map);
}
