/* SPDX-License-Identifier: MIT */
/*
 * The software TDX module entered by several logical processors at once, all after the same
 * few pages: BUSY is an answer, a lost or doubled page is not.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "core/cpu.h"
#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/td.h"
#include "tdx/tdh.h"
#include "tests/fake/fake.h"
#include "tests/hosted/cache.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define PAGES      8u
#define FRAMES     12u
#define ROUNDS     20000u
#define HOSTS      3u
#define BASE       UINT64_C(0x40000000)
#define CS_LONG    0x2000
#define TDG_ACCEPT 6

static struct td td;
static struct td_vcpu vcpu;
static hpa_t frames;
static atomic_uint mapped, accepted, removed, hosts_left;

static const struct td_params params = {
	.attributes = TDX_ATTR_SEPT_VE_DISABLE,
	.max_vcpus = 1,
	.tsc_khz = 1000000,
	.ram_low_end = {UINT64_C(0x10000000)},
	.ram_high_end = {UINT64_C(1) << 32},
};

static uint32_t random_below(uint32_t *seed, uint32_t bound)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % bound;
}

static gpa_t page(unsigned i) { return gpa(BASE + i * PAGE_SIZE); }
static hpa_t frame(unsigned i) { return hpa_add(frames, i * PAGE_SIZE); }

/* Accepts one page, then takes an interrupt. */
static void guest(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	static uint32_t seed = 1;
	static bool is_accepting;
	struct tdx_guest_state *s = view->state;

	(void)cpu;
	if (is_accepting && s->gpr[TDX_RAX] == TDX_SUCCESS)
		atomic_fetch_add(&accepted, 1);
	s->event = 0;
	is_accepting = !is_accepting;
	if (!is_accepting)
		return;
	s->segment[TDX_CS].access_rights |= CS_LONG;
	s->gpr[TDX_RAX] = TDG_ACCEPT;
	s->gpr[TDX_RCX] = page(random_below(&seed, PAGES)).raw;
	exit->reason = EXIT_TDCALL;
}

#define NON_RECOVERABLE (UINT64_C(1) << 62)

static void *run_guest(void *unused)
{
	struct seamcall_regs regs = {0};

	(void)unused;
	(void)fake_set_this_cpu(0);
	while (atomic_load(&hosts_left) > 0)
		EXPECT_TRUE((td_vcpu_enter(&vcpu, &regs).raw & NON_RECOVERABLE) == 0);
	return NULL;
}

static bool done(tdx_status_t s) { return tdx_code(s) == TDX_SUCCESS; }

/* Whoever blocked it: the last one to find it tracked removes it. */
static void remove_page(gpa_t at)
{
	(void)done(tdh_mem_range_block(&td, at, LEVEL_4K));
	if (!done(tdh_mem_track(&td)))
		return;
	if (done(tdh_mem_page_remove(&td, at, LEVEL_4K)))
		atomic_fetch_add(&removed, 1);
	else
		(void)done(tdh_mem_range_unblock(&td, at, LEVEL_4K));
}

/* On a busy machine the guest's thread may come to run only after many rounds. */
static bool is_wanted(unsigned round)
{
	return round < ROUNDS || (round < 100 * ROUNDS && atomic_load(&accepted) == 0);
}

static void *run_host(void *cpu)
{
	uint32_t seed = (uint32_t)(uintptr_t)cpu;

	(void)fake_set_this_cpu(seed);
	for (unsigned i = 0; is_wanted(i); i++) {
		gpa_t at = page(random_below(&seed, PAGES));

		if (random_below(&seed, 2)) {
			remove_page(at);
		} else if (done(tdh_mem_page_aug(&td, at, LEVEL_4K,
						 frame(random_below(&seed, FRAMES))))) {
			atomic_fetch_add(&mapped, 1);
		}
	}
	atomic_fetch_sub(&hosts_left, 1);
	return NULL;
}

static void start(void)
{
	hpa_t shared, tables;

	hosted_start_ready(&hosted_default);
	(void)cache_caught(); /* frames go round among CPUs that take no care of them */
	EXPECT_EQ(frame_alloc_range(4 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &shared),
		  STATUS_OK);
	EXPECT_EQ(frame_alloc_range(FRAMES * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &frames),
		  STATUS_OK);
	EXPECT_EQ(frame_alloc_range(2 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &tables),
		  STATUS_OK);
	EXPECT_EQ(td_create(&td, &params), STATUS_OK);
	EXPECT_EQ(td_vcpu_create(&td, &vcpu, 0), STATUS_OK);
	EXPECT_EQ(td_vcpu_configure(&vcpu, shared, 0xf2, hpa_add(shared, PAGE_SIZE)),
		  STATUS_OK);
	EXPECT_EQ(td_add_measured_page(&td, gpa(TDBOOT_PARAMS_GPA),
				       phys_ptr(hpa_add(shared, 2 * PAGE_SIZE))),
		  STATUS_OK);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
	EXPECT_TRUE(done(tdh_mem_sept_add(&td, gpa(BASE), LEVEL_1G, tables)));
	EXPECT_TRUE(
		done(tdh_mem_sept_add(&td, gpa(BASE), LEVEL_2M, hpa_add(tables, PAGE_SIZE))));
	hosted_set_guest(guest);
}

/* How many of the frames the module holds, and that each is mapped once. */
static unsigned count_frames(void)
{
	unsigned held = 0;

	for (unsigned f = 0; f < FRAMES; f++) {
		uint64_t type, at;
		unsigned level, times = 0;

		EXPECT_TRUE(done(hosted_page_type(frame(f), &type)));
		for (unsigned i = 0; i < PAGES; i++)
			if (tdx_model_translate(hosted_model(), td.tdr.pa.raw, page(i).raw, &at,
						&level) == TDX_GPA_MAPPED &&
			    at == frame(f).raw)
				times++;
		EXPECT_TRUE(times <= (type != 0));
		held += type != 0;
	}
	return held;
}

TEST_WITH_THREADS(model_loses_no_page_among_threads)
{
	pthread_t threads[HOSTS + 1];

	start();
	atomic_store(&hosts_left, HOSTS);
	EXPECT_EQ(pthread_create(&threads[0], NULL, run_guest, NULL), 0);
	for (uintptr_t i = 1; i <= HOSTS; i++)
		EXPECT_EQ(pthread_create(&threads[i], NULL, run_host, (void *)i), 0);
	for (unsigned i = 0; i <= HOSTS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_TRUE(mapped > 0 && accepted > 0 && removed > 0);
	EXPECT_EQ(count_frames(), mapped - removed);
	for (unsigned i = 0; i < PAGES; i++)
		remove_page(page(i));
	EXPECT_EQ(mapped, removed);
	EXPECT_EQ(count_frames(), 0);
}
