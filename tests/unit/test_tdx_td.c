/* SPDX-License-Identifier: MIT */
#include "tdx/td.h"

#include <stdlib.h>

#include "core/cpu.h"
#include "core/log.h"
#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "tdx/measure.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tdx/tdh.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/plain_td.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define RAM      UINT64_C(0x10000000) /* 256 MiB */
#define BUSY(op) ((uint64_t)TDX_OPERAND_BUSY << 32 | TDX_OPERAND_ID_##op)

static uint64_t free_bytes(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	bool done;

	EXPECT_EQ(td_write_back(&td, UINT32_MAX, &done), STATUS_OK);
	EXPECT_TRUE(done);

	frame_account(bytes);
	EXPECT_EQ(bytes[FRAME_QUARANTINED], 0);
	return bytes[FRAME_FREE];
}

TEST(tdx_td_is_created_and_destroyed_20_times_without_a_trace)
{
	uint64_t frames;
	uint64_t heap;

	ready();
	frames = free_bytes();
	heap = heap_used();
	for (unsigned i = 0; i < 20; i++) {
		create_finalized(RAM, 2);
		EXPECT_EQ(td_populate(&td, gpa(0), RAM), STATUS_OK);
		mirror_check(&td);
		destroy();
		EXPECT_EQ(free_bytes(), frames);
		EXPECT_EQ(heap_used(), heap);
		EXPECT_EQ(tdx_keyid_free_count(), 7);
		EXPECT_EQ(hosted_owned_bytes(), 0);
	}
}

TEST(tdx_td_mrtd_is_what_measure_predicts)
{
	static struct tdboot_params page;
	static uint8_t image[TDBOOT_IMAGE_SIZE];
	struct launch_file files[TDBOOT_FILE_COUNT] = {{.length = 12345}};
	uint8_t predicted[48];
	uint8_t read[48];
	void *source;

	ready();
	source = phys_ptr(hpa_add(shared, 3 * PAGE_SIZE));
	for (unsigned i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i * 7 + i / 256);
	launch_params_build(&page, 2, RAM, files);
	EXPECT_EQ(create_td(RAM), STATUS_OK);
	EXPECT_EQ(create_vcpu(0), STATUS_OK);
	for (unsigned i = 0; i < LAUNCH_PAGE_COUNT; i++) {
		const void *content;
		gpa_t at = launch_page(&page, image, i, &content);

		memcpy(source, content, PAGE_SIZE);
		EXPECT_EQ(td_add_measured_page(&td, at, source), STATUS_OK);
	}
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
	EXPECT_EQ(td_read_mrtd(&td, read), STATUS_OK);
	launch_mrtd(&page, image, predicted);
	EXPECT_MEM_EQ(read, predicted, sizeof(read));
	EXPECT_EQ(hosted_calls(TDH_MEM_PAGE_ADD), LAUNCH_PAGE_COUNT);
	mirror_check(&td);
	destroy();
}

TEST(tdx_td_populates_a_gib_of_2m_in_520_seamcalls)
{
	uint64_t before;

	ready();
	EXPECT_EQ(create_td(SIZE_1G), STATUS_OK);
	before = hosted_calls_all();
	EXPECT_EQ(td_populate(&td, gpa(0), SIZE_1G), STATUS_OK);
	printf("# populate 1 GiB: %llu SEAMCALLs\n",
	       (unsigned long long)(hosted_calls_all() - before));
	EXPECT_TRUE(hosted_calls_all() - before <= 520);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 512);
	EXPECT_EQ(td_release_keyid(&td), STATUS_OK);
	before = hosted_calls_all();
	for (bool done = false; !done;)
		EXPECT_EQ(td_reclaim(&td, &done), STATUS_OK);
	printf("# reclaim of it: %llu SEAMCALLs\n",
	       (unsigned long long)(hosted_calls_all() - before));
	EXPECT_TRUE(hosted_calls_all() - before <= 530);
}

TEST(tdx_td_vcpu_enters_and_moves_after_a_flush)
{
	struct seamcall_regs regs = {0};

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpus[0], &regs)), TDX_SUCCESS);
	(void)fake_set_this_cpu(2);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpus[0], &regs)), TDX_VCPU_ASSOCIATED);
	(void)fake_set_this_cpu(0);
	EXPECT_EQ(td_vcpu_flush(&vcpus[0]), STATUS_OK);
	(void)fake_set_this_cpu(2);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpus[0], &regs)), TDX_SUCCESS);
	EXPECT_EQ(vcpus[0].assoc_cpu, 2);
	(void)fake_set_this_cpu(1);
	destroy(); /* flushes it where it is */
}

TEST(tdx_td_fault_gets_a_2m_page_where_all_is_private_ram)
{
	char text[128];

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x345678), LEVEL_2M), STATUS_OK);
	td_describe_gpa(&td, gpa(0x345678), text, sizeof(text));
	EXPECT_TRUE(strstr(text, "2M PENDING") != NULL);
	EXPECT_EQ(td_resolve_fault(&td, gpa(RAM), LEVEL_2M), STATUS_BAD_ARG);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0xc0000000), LEVEL_2M), STATUS_BAD_ARG);
	mirror_check(&td);
	destroy();
}

TEST(tdx_td_fault_of_a_4k_accept_splits_a_pending_2m_page)
{
	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 512 + 1);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 0);
	mirror_check(&td);
	destroy();
}

TEST(tdx_td_fault_of_a_4k_accept_gets_4k_where_nothing_is)
{
	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 1 + 1);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x6000), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 2 + 1);
	EXPECT_EQ(td_populate(&td, gpa(0), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 512 + 1);
	mirror_check(&td);
	destroy();
}

/* Of every 2M that is free one page goes to somebody else. */
static void fragment_memory(void)
{
	hpa_t frame;

	while (frame_alloc(LEVEL_2M, FRAME_SHARED, &frame) == STATUS_OK)
		frame_free(hpa_add(frame, SIZE_4K), SIZE_2M - SIZE_4K);
}

static unsigned fragmented_lines;

static void count_line(void *ctx, const char *line)
{
	(void)ctx;
	fragmented_lines += strstr(line, "fragmented") != NULL;
}

TEST(tdx_td_in_fragmented_memory_gets_4k_pages_and_one_line_in_the_log)
{
	struct hosted_config c = hosted_default;

	c.ram = SIZE_1G;
	c.hole_size = 0;
	hosted_start_ready(&c);
	EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_SHARED, &shared), STATUS_OK);
	fragment_memory();
	EXPECT_EQ(create_td(RAM), STATUS_OK);
	EXPECT_EQ(create_vcpu(0), STATUS_OK);
	EXPECT_EQ(td_populate(&td, gpa(0), 3 * SIZE_2M), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 3 * 512);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(5 * SIZE_2M), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 3 * 512 + 1);
	EXPECT_EQ(td.scattered, 4);
	(void)log_replay(0, count_line, NULL);
	EXPECT_EQ(fragmented_lines, 1);
	mirror_check(&td);
	destroy();
}

static void unmap(uint64_t at, uint64_t size)
{
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(at), size), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(at), LEVEL_2M), STATUS_BUSY);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(at), size), STATUS_OK);
	mirror_check(&td);
}

TEST(tdx_td_unmaps_a_2m_page_with_3_memory_seamcalls)
{
	enum page_level level;
	uint64_t frames;
	uint64_t before;

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), 8 * SIZE_2M), STATUS_OK);
	frames = free_bytes();
	before = hosted_calls_all() - hosted_calls(TDH_PHYMEM_PAGE_WBINVD);
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(SIZE_2M), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(SIZE_2M), SIZE_2M), STATUS_OK);
	EXPECT_EQ(hosted_calls_all() - hosted_calls(TDH_PHYMEM_PAGE_WBINVD) - before, 3);
	EXPECT_EQ(free_bytes(), frames + SIZE_2M);
	EXPECT_TRUE(!td_is_private(&td, gpa(SIZE_2M), &level));
	EXPECT_EQ(level, LEVEL_2M);
	EXPECT_EQ(td_resolve_fault(&td, gpa(SIZE_2M), LEVEL_2M), STATUS_BAD_ARG);
	EXPECT_EQ(td_mark_private(&td, gpa(SIZE_2M), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(SIZE_2M), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(free_bytes(), frames);
	mirror_check(&td);
	destroy();
}

TEST(tdx_td_unmaps_4k_out_of_a_2m_page_with_7_memory_seamcalls)
{
	uint64_t before;

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), 2 * SIZE_2M), STATUS_OK);
	before = hosted_calls_all();
	unmap(0x7000, SIZE_4K);
	before += hosted_calls(TDH_PHYMEM_PAGE_WBINVD) + hosted_calls(TDH_MEM_SEPT_RD);
	printf("# 4K out of 2M: %llu SEAMCALLs\n",
	       (unsigned long long)(hosted_calls_all() - before));
	EXPECT_TRUE(hosted_calls_all() - before <= 7);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 511 + 1);
	destroy();
}

TEST(tdx_td_maps_2m_again_where_4k_pages_were_shared)
{
	uint64_t tables;
	uint64_t before;

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), 2 * SIZE_2M), STATUS_OK);
	tables = td.sept.table_count;
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_OK);
		EXPECT_EQ(td.sept.table_count, tables + 1);
		unmap(0, SIZE_2M);
		EXPECT_EQ(td_mark_private(&td, gpa(0), SIZE_2M), STATUS_OK);
		before = hosted_calls_all();
		EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_2M), STATUS_OK);
		EXPECT_EQ(hosted_calls_all() - before, 4);
		EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 2);
		EXPECT_EQ(td.sept.table_count, tables);
		mirror_check(&td);
	}
	destroy();
}

TEST(tdx_td_drops_all_empty_tables_of_a_range_with_one_track)
{
	uint64_t before;

	ready();
	create_finalized(RAM, 1);
	for (uint64_t at = 0; at < 4 * SIZE_2M; at += SIZE_2M)
		EXPECT_EQ(td_resolve_fault(&td, gpa(at), LEVEL_4K), STATUS_OK);
	unmap(0, 3 * SIZE_2M + SIZE_4K);
	EXPECT_EQ(td_mark_private(&td, gpa(0x1000), 3 * SIZE_2M - SIZE_4K), STATUS_OK);
	before = hosted_calls_all();
	EXPECT_EQ(td_drop_tables(&td, gpa(0x1000), 3 * SIZE_2M - SIZE_4K), STATUS_OK);
	EXPECT_EQ(hosted_calls_all() - before, 2 + 1 + 2);
	mirror_check(&td);
	EXPECT_EQ(td_resolve_fault(&td, gpa(SIZE_2M), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 1);
	mirror_check(&td);
	destroy();
}

static void map_2m_while_running(void)
{
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_2M), STATUS_BUSY);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_BUSY);
	EXPECT_EQ(td_populate(&td, gpa(0x1000), SIZE_4K), STATUS_BUSY);
	mirror_check(&td);
}

TEST(tdx_td_unmaps_a_range_with_two_cut_edges)
{
	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), 8 * SIZE_2M), STATUS_OK);
	unmap(SIZE_2M + 0x3000, 2 * SIZE_2M);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 5);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 512 + 1);
	destroy();
}

TEST(tdx_td_writes_back_later_what_an_unmap_freed)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t before;
	bool done;

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), 2 * SIZE_2M), STATUS_OK);
	unmap(0, SIZE_2M);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 0);
	EXPECT_EQ(td.returned_bytes, SIZE_2M);
	EXPECT_EQ(td_write_back(&td, 100, &done), STATUS_OK);
	EXPECT_TRUE(!done);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 100);
	frame_account(bytes);
	before = bytes[FRAME_FREE];
	EXPECT_EQ(td_write_back(&td, 412, &done), STATUS_OK);
	EXPECT_TRUE(done);
	frame_account(bytes);
	EXPECT_EQ(bytes[FRAME_FREE], before + SIZE_2M);
	destroy();
}

TEST(tdx_td_writes_nothing_back_under_a_keyid_that_it_gave_up)
{
	bool done;

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), SIZE_2M), STATUS_OK);
	unmap(0, SIZE_2M);
	EXPECT_EQ(td_release_keyid(&td), STATUS_OK);
	EXPECT_EQ(td_write_back(&td, UINT32_MAX, &done), STATUS_OK);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 0);
	destroy();
	EXPECT_EQ(td.returned_bytes, 0);
}

TEST(tdx_td_gets_back_what_it_gave_up_where_nothing_else_is_free)
{
	hpa_t frame;

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), SIZE_2M), STATUS_OK);
	unmap(0, SIZE_2M);
	EXPECT_EQ(td_mark_private(&td, gpa(0), SIZE_2M), STATUS_OK);
	for (enum page_level level = LEVEL_2M + 1U; level-- > LEVEL_4K;)
		while (frame_alloc(level, FRAME_SHARED, &frame) == STATUS_OK)
			continue;
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 1);
	EXPECT_EQ(td.returned_bytes, 0);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 512);
	mirror_check(&td);
	destroy();
}

TEST(tdx_td_end_needs_no_write_back_of_single_pages)
{
	uint64_t frames;

	ready();
	frames = free_bytes();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), 4 * SIZE_2M), STATUS_OK);
	unmap(0, 2 * SIZE_2M);
	destroy();
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 1); /* the TDR */
	EXPECT_EQ(free_bytes(), frames);
}

/* ---- Another vCPU runs meanwhile ---- */

static void (*inside)(void);

static void guest_calls_inside(unsigned cpu, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	(void)vcpu;
	(void)exit;
	(void)fake_set_this_cpu(1);
	inside();
	(void)fake_set_this_cpu(cpu);
}

static void begin_while_running(void)
{
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(0), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(0), SIZE_2M), STATUS_BUSY);
	mirror_check(&td);
	/* The 4K edges need a second TRACK while the first epoch still runs. */
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(SIZE_2M), SIZE_4K), STATUS_BUSY);
}

TEST(tdx_td_unmap_waits_for_the_vcpu_that_still_runs)
{
	struct seamcall_regs regs = {0};

	ready();
	create_finalized(RAM, 2);
	EXPECT_EQ(td_populate(&td, gpa(0), 2 * SIZE_2M), STATUS_OK);
	inside = begin_while_running;
	hosted_set_guest(guest_calls_inside);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpus[0], &regs)), TDX_SUCCESS);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(0), SIZE_2M), STATUS_OK);
	mirror_check(&td);
	destroy();
}

static void split_while_running(void)
{
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(0x3000), SIZE_4K), STATUS_BUSY);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x3000), LEVEL_2M), STATUS_BUSY);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x9000), LEVEL_2M), STATUS_BUSY);
	mirror_check(&td);
}

TEST(tdx_td_split_waits_for_the_vcpu_that_still_runs_and_is_then_repeated)
{
	struct seamcall_regs regs = {0};

	ready();
	create_finalized(RAM, 2);
	EXPECT_EQ(td_populate(&td, gpa(0), 2 * SIZE_2M), STATUS_OK);
	inside = split_while_running;
	hosted_set_guest(guest_calls_inside);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpus[0], &regs)), TDX_SUCCESS);
	unmap(0x3000, SIZE_4K);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x9000), LEVEL_2M), STATUS_OK);
	destroy();
}

static void accept_4k_while_running(void)
{
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x3000), LEVEL_4K), STATUS_BUSY);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 1);
}

/* Unblocked it would be 2M still, and the next try as early as the first. */
TEST(tdx_td_split_for_a_4k_accept_goes_on_where_it_waited)
{
	struct seamcall_regs regs = {0};
	uint64_t before;

	ready();
	create_finalized(RAM, 2);
	EXPECT_EQ(td_populate(&td, gpa(0), SIZE_2M), STATUS_OK);
	inside = accept_4k_while_running;
	hosted_set_guest(guest_calls_inside);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpus[0], &regs)), TDX_SUCCESS);
	before = hosted_calls_all();
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x3000), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(hosted_calls_all() - before, 1); /* the DEMOTE */
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 512 + 1);
	mirror_check(&td);
	destroy();
}

TEST(tdx_td_fault_beside_an_unmap_gets_no_page_across_its_edge)
{
	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(0x2dc000), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x200000), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x500000), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x2dc000), LEVEL_2M), STATUS_BUSY);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 0);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(0x2dc000), SIZE_2M), STATUS_OK);
	/* Once it is over, its place is no obstacle. */
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x600000), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 1);
	mirror_check(&td);
	destroy();
}

static void begin_once(void)
{
	fake_set_wait_hook(NULL);
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(0), SIZE_2M), STATUS_OK);
}

TEST(tdx_td_unmap_blocks_again_what_a_fault_under_way_unblocks)
{
	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), SIZE_2M), STATUS_OK);
	/* While the split of the fault waits to track, another CPU begins to unmap. */
	hosted_inject(TDH_MEM_TRACK, 1, 1, BUSY(TDR));
	fake_set_wait_hook(begin_once);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 512 + 1);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(0), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 1);
	mirror_check(&td);
	destroy();
}

TEST(tdx_td_table_that_goes_waits_for_the_vcpu_that_still_runs)
{
	struct seamcall_regs regs = {0};

	ready();
	create_finalized(RAM, 2);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_OK);
	unmap(0, SIZE_2M);
	EXPECT_EQ(td_mark_private(&td, gpa(0), SIZE_2M), STATUS_OK);
	inside = map_2m_while_running;
	hosted_set_guest(guest_calls_inside);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpus[0], &regs)), TDX_SUCCESS);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x5000), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 1 + 1);
	mirror_check(&td);
	destroy();
}

static void fault_beside_once(void)
{
	fake_set_wait_hook(NULL);
	EXPECT_EQ(td_resolve_fault(&td, gpa(2 * SIZE_2M - SIZE_4K), LEVEL_2M), STATUS_OK);
}

TEST(tdx_td_unmap_leaves_alone_what_a_fault_beside_it_unblocks)
{
	const uint64_t at = SIZE_2M - SIZE_4K;
	const uint64_t size = 2 * SIZE_4K;

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), 2 * SIZE_2M), STATUS_OK);
	/* While the first edge is split, a fault in the page of the second one unblocks that.
	 */
	hosted_inject(TDH_MEM_PAGE_DEMOTE, 1, 1, BUSY(TDR));
	fake_set_wait_hook(fault_beside_once);
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(at), size), STATUS_OK);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(at), size), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 2 * 511 + 1);
	mirror_check(&td);
	destroy();
}

TEST(tdx_td_unmap_can_be_cancelled)
{
	enum page_level level;

	ready();
	create_finalized(RAM, 1);
	EXPECT_EQ(td_populate(&td, gpa(0), 2 * SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(0), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_unmap_private_cancel(&td), STATUS_OK);
	EXPECT_TRUE(td_is_private(&td, gpa(0), &level));
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 2);
	mirror_check(&td);
	unmap(0, SIZE_2M);
	destroy();
}

TEST(tdx_td_cache_write_back_survives_interrupts)
{
	ready();
	create_finalized(RAM, 1);
	hosted_interrupt_times(5);
	destroy();
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_CACHE_WB), 2 + 5);
}

/* Another TD's cycle on the package came in between. */
static uint64_t end_first_cycle(uint64_t rax, struct seamcall_regs *regs)
{
	static bool is_over;

	if ((rax & 0xffff) != TDH_PHYMEM_CACHE_WB || regs->rcx != TDX_CACHE_WB_RESUME ||
	    is_over)
		return hosted_seamcall(rax, regs);
	is_over = true;
	return (uint64_t)TDX_WBCACHE_RESUME_ERROR << 32;
}

TEST(tdx_td_cache_write_back_starts_over_where_another_ended_it)
{
	ready();
	create_finalized(RAM, 1);
	hosted_interrupt_times(1);
	hosted_set_seamcall(end_first_cycle);
	destroy();
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_CACHE_WB), 2 + 1);
}

TEST(tdx_td_end_writes_the_caches_back_again_where_the_module_wants_more)
{
	ready();
	create_finalized(RAM, 1);
	hosted_inject(TDH_MNG_KEY_FREEID, 1, 2, (uint64_t)TDX_WBCACHE_NOT_COMPLETE << 32);
	destroy();
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_CACHE_WB), 3 * 2);
}

TEST(tdx_td_create_says_when_no_keyid_is_left)
{
	struct hosted_config c = hosted_default;
	const struct td_params params = plain_params(RAM);
	static struct td other;

	c.private_keyids = 2;
	hosted_start_ready(&c);
	EXPECT_EQ(create_td(RAM), STATUS_OK);
	EXPECT_EQ(td_create(&other, &params), STATUS_NO_KEYID);
	destroy();
	memset(&other, 0, sizeof(other));
	EXPECT_EQ(td_create(&other, &params), STATUS_OK);
}

TEST(tdx_td_of_16_tib_of_ram_is_created)
{
	struct td_params huge = plain_params(RAM);
	bool done = false;

	ready();
	huge.ram_low_end = gpa(TD_LOW_RAM_MAX);
	huge.ram_high_end = gpa(TD_HIGH_RAM_BASE + 16384 * SIZE_1G - TD_LOW_RAM_MAX);
	memset(&td, 0, sizeof(td));
	EXPECT_EQ(td_create(&td, &huge), STATUS_OK);
	EXPECT_EQ(td_populate(&td, gpa(huge.ram_high_end.raw - SIZE_2M), SIZE_2M), STATUS_OK);
	mirror_check(&td);
	EXPECT_EQ(td_release_keyid(&td), STATUS_OK);
	while (!done)
		EXPECT_EQ(td_reclaim(&td, &done), STATUS_OK);
}

TEST(tdx_td_create_refuses_attributes_that_the_module_lacks)
{
	struct td_params odd = plain_params(RAM);

	ready();
	odd.attributes = UINT64_C(1) << 5;
	memset(&td, 0, sizeof(td));
	EXPECT_EQ(td_create(&td, &odd), STATUS_BAD_ARG);
	EXPECT_EQ(tdx_keyid_free_count(), 7);
}

TEST(tdx_td_half_built_is_torn_down_at_every_stage)
{
	uint64_t frames;

	ready();
	frames = free_bytes();
	for (unsigned stage = 0; stage < 4; stage++) {
		EXPECT_EQ(create_td(RAM), STATUS_OK);
		if (stage > 0)
			EXPECT_EQ(create_vcpu(0), STATUS_OK);
		if (stage > 1)
			EXPECT_EQ(td_populate(&td, gpa(0x1000), SIZE_2M), STATUS_OK);
		if (stage > 2)
			EXPECT_EQ(td_add_measured_page(&td, gpa(TDBOOT_PARAMS_GPA),
						       phys_ptr(shared)),
				  STATUS_OK);
		destroy();
		EXPECT_EQ(free_bytes(), frames);
	}
}
