/* SPDX-License-Identifier: MIT */
#include "tdx/td_report.h"

#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"

#define LOW  (UINT64_C(16) << 20)
#define HIGH (UINT64_C(1) << 32)

static struct td td;
static struct td_vcpu vcpu;

static const struct td_params params = {
	.attributes = TDX_ATTR_SEPT_VE_DISABLE,
	.max_vcpus = 1,
	.tsc_khz = 1000000,
	.ram_low_end = {LOW},
	.ram_high_end = {HIGH + SIZE_2M},
};

static void finalized(void)
{
	hpa_t source;

	hosted_start_ready(&hosted_default);
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_HOST, &source), STATUS_OK);
	EXPECT_EQ(td_create(&td, &params), STATUS_OK);
	EXPECT_EQ(td_vcpu_create(&td, &vcpu, 0), STATUS_OK);
	for (uint64_t i = 0; i < 3; i++)
		EXPECT_EQ(td_add_measured_page(&td, gpa(TDBOOT_PARAMS_GPA + i * PAGE_SIZE),
					       phys_ptr(source)),
			  STATUS_OK);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
}

static void convert(uint64_t at, uint64_t size)
{
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(at), size), STATUS_OK);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(at), size), STATUS_OK);
}

/* Walks from *at until the next run; false at the end. */
static bool next(gpa_t *at, struct td_small_run *run)
{
	while (at->raw < td.params.ram_high_end.raw)
		if (td_next_small_run(&td, at, run))
			return true;
	return false;
}

static void expect_next(gpa_t *at, uint64_t from, uint64_t to, uint64_t pages,
			enum td_small_reason reason)
{
	struct td_small_run run = {.pages = 0};

	EXPECT_TRUE(next(at, &run));
	EXPECT_EQ(run.from.raw, from);
	EXPECT_EQ(run.to.raw, to);
	EXPECT_EQ(run.pages, pages);
	EXPECT_STR_EQ(td_small_reason_text(run.reason), td_small_reason_text(reason));
}

/* Nothing but the measured pages is left. */
static void expect_end(gpa_t at)
{
	struct td_small_run run;

	expect_next(&at, HIGH - SIZE_2M, HIGH, 3, TD_SMALL_MEASURED);
	EXPECT_TRUE(!next(&at, &run));
}

TEST(tdx_report_finds_nothing_small_in_a_populated_td_but_the_measured_pages)
{
	finalized();
	EXPECT_EQ(td_populate(&td, gpa(0), LOW), STATUS_OK);
	EXPECT_EQ(td_populate(&td, gpa(HIGH), SIZE_2M), STATUS_OK);
	expect_end(gpa(0));
}

TEST(tdx_report_names_a_2m_that_is_partly_shared)
{
	gpa_t at = gpa(0);

	finalized();
	EXPECT_EQ(td_populate(&td, gpa(0), LOW), STATUS_OK);
	convert(SIZE_2M + 0x10000, 0x3000);
	expect_next(&at, SIZE_2M, 2 * SIZE_2M, 509, TD_SMALL_SHARED);
	expect_end(at);
}

TEST(tdx_report_leaves_out_what_is_shared_as_a_whole)
{
	finalized();
	EXPECT_EQ(td_populate(&td, gpa(0), LOW), STATUS_OK);
	convert(SIZE_2M, 2 * SIZE_2M);
	expect_end(gpa(0));
}

TEST(tdx_report_merges_neighbours_of_one_reason)
{
	gpa_t at = gpa(0);

	finalized();
	EXPECT_EQ(td_populate(&td, gpa(0), LOW), STATUS_OK);
	convert(2 * SIZE_2M - 0x1000, 0x2000);
	EXPECT_EQ(td_resolve_fault(&td, gpa(3 * SIZE_2M), LEVEL_4K), STATUS_OK);
	expect_next(&at, SIZE_2M, 3 * SIZE_2M, 1022, TD_SMALL_SHARED);
	expect_next(&at, 3 * SIZE_2M, 4 * SIZE_2M, 512, TD_SMALL_SPLIT);
	expect_end(at);
}

TEST(tdx_report_names_a_2m_page_that_an_accept_split)
{
	gpa_t at = gpa(0);

	finalized();
	EXPECT_EQ(td_populate(&td, gpa(0), LOW), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_OK);
	expect_next(&at, 0, SIZE_2M, 512, TD_SMALL_SPLIT);
	expect_end(at);
}

TEST(tdx_report_names_a_2m_that_lacks_pages)
{
	gpa_t at = gpa(0);

	finalized();
	EXPECT_EQ(td_resolve_fault(&td, gpa(HIGH + 0x5000), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x7000), LEVEL_4K), STATUS_OK);
	expect_next(&at, 0, SIZE_2M, 2, TD_SMALL_ABSENT);
	expect_next(&at, HIGH - SIZE_2M, HIGH, 3, TD_SMALL_MEASURED);
	expect_next(&at, HIGH, HIGH + SIZE_2M, 1, TD_SMALL_ABSENT);
}

TEST(tdx_report_names_a_2m_of_frames_from_several_places)
{
	gpa_t at = gpa(0);

	finalized();
	EXPECT_EQ(td_populate(&td, gpa(0), LOW), STATUS_OK);
	convert(0x1000, 0x1000);
	EXPECT_EQ(td_mark_private(&td, gpa(0x1000), 0x1000), STATUS_OK);
	EXPECT_EQ(td_populate(&td, gpa(0x1000), 0x1000), STATUS_OK);
	expect_next(&at, 0, SIZE_2M, 512, TD_SMALL_FRAMES);
	expect_end(at);
}

TEST(tdx_report_names_a_2m_that_is_being_converted)
{
	gpa_t at = gpa(0);

	finalized();
	EXPECT_EQ(td_populate(&td, gpa(0), LOW), STATUS_OK);
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(0x1000), 0x1000), STATUS_OK);
	expect_next(&at, 0, SIZE_2M, 512, TD_SMALL_CHANGING);
	expect_end(at);
}

TEST(tdx_report_walks_a_bounded_part_at_a_time)
{
	struct td_params huge = params;
	struct td_small_run run;
	gpa_t at = gpa(0);
	unsigned calls = 0;

	hosted_start_ready(&hosted_default);
	huge.ram_low_end = gpa(UINT64_C(2) << 30);
	huge.ram_high_end = gpa(HIGH + (UINT64_C(15) << 30));
	EXPECT_EQ(td_create(&td, &huge), STATUS_OK);
	for (uint64_t g = 0; g < 15; g++) /* a table of 2M entries in each GiB */
		EXPECT_EQ(td_resolve_fault(&td, gpa(HIGH + (g << 30)), LEVEL_4K), STATUS_OK);
	for (; at.raw < td.params.ram_high_end.raw; calls++)
		EXPECT_EQ(td_next_small_run(&td, &at, &run), calls < 15);
	EXPECT_EQ(calls, 16);
}

static void expect_gpa_run(uint64_t at, uint64_t from, uint64_t to, enum gpa_kind kind)
{
	struct td_gpa_run run = {.kind = GPA_PRIVATE};

	EXPECT_TRUE(td_next_gpa_run(&td, gpa(at), &run));
	EXPECT_EQ(run.from.raw, from);
	EXPECT_EQ(run.to.raw, to);
	EXPECT_EQ(run.kind, kind);
}

TEST(tdx_report_gpa_runs_cover_ram_and_nothing_else)
{
	struct td_gpa_run run;

	finalized();
	convert(0x3000, 0x2000);
	convert(HIGH + SIZE_2M - 0x1000, 0x1000);
	expect_gpa_run(0, 0, 0x3000, GPA_PRIVATE);
	expect_gpa_run(0x3000, 0x3000, 0x5000, GPA_SHARED);
	expect_gpa_run(0x5000, 0x5000, LOW, GPA_PRIVATE);
	expect_gpa_run(LOW, HIGH, HIGH + SIZE_2M - 0x1000, GPA_PRIVATE);
	expect_gpa_run(HIGH + SIZE_2M - 0x1000, HIGH + SIZE_2M - 0x1000, HIGH + SIZE_2M,
		       GPA_SHARED);
	EXPECT_TRUE(!td_next_gpa_run(&td, gpa(HIGH + SIZE_2M), &run));
}
