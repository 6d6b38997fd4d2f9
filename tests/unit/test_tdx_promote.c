/* SPDX-License-Identifier: MIT */
/* Promotion: 512 small pages become one large page again, or nothing changes. */
#include "core/hw.h"
#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tdx/td.h"
#include "tdx/tdh.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/plain_td.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define RAM      (8 * SIZE_2M)
#define CODE_64  0xa09bU
#define BUSY     ((uint64_t)TDX_OPERAND_BUSY << 32 | TDX_OPERAND_ID_RCX)
#define NOT_DONE ((uint64_t)TDX_TLB_TRACKING_NOT_DONE << 32 | TDX_OPERAND_ID_RCX)
#define FOR_GOOD 1000000U

/* ---- A guest that accepts ---- */

static uint64_t accept_at, accept_end;
static enum page_level accept_level;
static void (*inside)(void); /* what another CPU does meanwhile */

static void guest(unsigned cpu, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	if (inside) {
		(void)fake_set_this_cpu(1);
		inside();
		(void)fake_set_this_cpu(cpu);
		return;
	}
	if (accept_at == accept_end)
		return;
	vcpu->state->segment[TDX_CS].access_rights = CODE_64;
	vcpu->state->gpr[TDX_RAX] = TDG_MEM_PAGE_ACCEPT;
	vcpu->state->gpr[TDX_RCX] = accept_at | accept_level;
	exit->reason = EXIT_TDCALL;
	accept_at += level_size(accept_level);
}

static void enter(void)
{
	struct seamcall_regs regs = {0};

	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpus[0], &regs)), TDX_SUCCESS);
}

static void accept(uint64_t at, uint64_t size, enum page_level level)
{
	accept_at = at;
	accept_end = at + size;
	accept_level = level;
	enter();
	EXPECT_EQ(accept_at, accept_end);
}

static void do_inside(void (*fn)(void))
{
	inside = fn;
	enter();
	inside = NULL;
}

/* ---- TDs ---- */

static void create(uint64_t ram)
{
	struct hosted_config c = hosted_default;

	if (ram >= SIZE_1G)
		c.ram = 8 * SIZE_1G; /* so that one is free as a whole */
	ready_with(&c);
	hosted_set_guest(guest);
	EXPECT_EQ(create_td(ram), STATUS_OK);
	for (unsigned i = 0; i < 2; i++)
		EXPECT_EQ(create_vcpu(i), STATUS_OK);
}

static void create_running(uint64_t ram)
{
	create(ram);
	EXPECT_EQ(td_populate(&td, gpa(0), ram), STATUS_OK);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
}

/* The first 2M of RAM, split and accepted by 4K. */
static void create_split(void)
{
	create_running(RAM);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_4K), STATUS_OK);
	accept(0, SIZE_2M, LEVEL_4K);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 512);
}

static void destroy_clean(void)
{
	destroy();
	EXPECT_EQ(td.quarantined_bytes, 0);
	EXPECT_EQ(hosted_owned_bytes(), 0);
}

static void expect_level(uint64_t at, enum page_level level)
{
	struct sept_slot slot = sept_find(&td.sept, gpa(at), LEVEL_4K);

	EXPECT_TRUE(mirror_is_leaf(sept_read(slot)));
	EXPECT_EQ(slot.level, level);
	mirror_check(&td);
}

static void promote(uint64_t at, enum page_level level)
{
	EXPECT_EQ(td_promote_begin(&td, gpa(at), level), STATUS_OK);
	mirror_check(&td);
	EXPECT_EQ(td_promote_commit(&td, gpa(at), level), STATUS_OK);
	expect_level(at, level);
}

static void write_all_back(void)
{
	bool done;

	EXPECT_EQ(td_write_back(&td, UINT32_MAX, &done), STATUS_OK);
	EXPECT_TRUE(done);
}

static void unmap(uint64_t at, uint64_t size)
{
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(at), size), STATUS_OK);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(at), size), STATUS_OK);
	mirror_check(&td);
}

/* ---- 2M ---- */

TEST(tdx_promote_makes_2m_of_512_accepted_4k_pages_with_4_seamcalls)
{
	uint64_t tables, before;

	create_running(RAM);
	tables = td.sept.table_count;
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_4K), STATUS_OK);
	accept(0, SIZE_2M, LEVEL_4K);
	before = hosted_calls_all();
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(hosted_calls_all() - before, 4); /* SEPT.RD, BLOCK, TRACK, PROMOTE */
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], RAM / SIZE_2M);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 0);
	EXPECT_EQ(td.sept.table_count, tables);
	EXPECT_EQ(sept_present_bytes(&td.sept), RAM);
	expect_level(0, LEVEL_2M);
	destroy_clean();
}

TEST(tdx_promote_keeps_what_the_guest_wrote)
{
	static const char text[] = "as it was";
	struct sept_slot slot;

	create_split();
	slot = sept_find(&td.sept, gpa(0x7000), LEVEL_4K);
	memcpy(phys_ptr(mirror_frame_of(sept_read(slot))), text, sizeof(text));
	promote(0, LEVEL_2M);
	slot = sept_find(&td.sept, gpa(0x7000), LEVEL_4K);
	EXPECT_MEM_EQ(phys_ptr(hpa_add(mirror_frame_of(sept_read(slot)), 0x7000)), text,
		      sizeof(text));
	destroy_clean();
}

TEST(tdx_promote_returns_the_secure_ept_page_after_its_write_back)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t sept_bytes;

	create_split();
	frame_account(bytes);
	sept_bytes = bytes[FRAME_SEPT];
	promote(0, LEVEL_2M);
	frame_account(bytes);
	EXPECT_EQ(bytes[FRAME_SEPT], sept_bytes - PAGE_SIZE);
	EXPECT_EQ(td.returned_bytes, PAGE_SIZE);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 0);
	write_all_back();
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 1);
	destroy_clean();
}

TEST(tdx_promote_waits_without_a_block_for_what_is_not_accepted)
{
	create_running(RAM);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_BUSY);
	EXPECT_EQ(hosted_calls(TDH_MEM_RANGE_BLOCK), 1); /* the split's */
	expect_level(0, LEVEL_4K);
	accept(0, SIZE_2M, LEVEL_4K);
	promote(0, LEVEL_2M);
	destroy_clean();
}

TEST(tdx_promote_that_the_module_refuses_leaves_all_accessible)
{
	create_running(RAM);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_4K), STATUS_OK);
	/* The last page says yes, one before it is not accepted. */
	accept(SIZE_2M - SIZE_4K, SIZE_4K, LEVEL_4K);
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_NOT_FOUND);
	EXPECT_EQ(hosted_calls(TDH_MEM_PAGE_PROMOTE), 1);
	expect_level(0, LEVEL_4K);
	accept(0, SIZE_2M - SIZE_4K, LEVEL_4K);
	promote(0, LEVEL_2M);
	destroy_clean();
}

TEST(tdx_promote_refuses_regions_that_are_none)
{
	create_split();
	EXPECT_EQ(td_promote_begin(&td, gpa(SIZE_2M), LEVEL_2M), STATUS_NOT_FOUND);
	EXPECT_EQ(td_promote_begin(&td, gpa(RAM), LEVEL_2M), STATUS_NOT_FOUND);
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_1G), STATUS_NOT_FOUND);
	unmap(0x5000, SIZE_4K);
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_NOT_FOUND);
	EXPECT_EQ(hosted_calls(TDH_MEM_PAGE_PROMOTE), 0);
	destroy_clean();
}

/* ---- INTERRUPTED_RESTARTABLE and contention ---- */

TEST(tdx_promote_ends_though_interrupts_stay_pending)
{
	create_split();
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	hosted_interrupt_times(FOR_GOOD);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_NOT_FOUND);
	EXPECT_TRUE(hosted_calls(TDH_MEM_PAGE_PROMOTE) < 1000);
	expect_level(0, LEVEL_4K); /* unblocked */
	hosted_interrupt_times(0);
	promote(0, LEVEL_2M);
	destroy_clean();
}

/* An interrupt counts for the module only where the host has interrupts on. */
static unsigned with_interrupts, interruptible;

static uint64_t note_interrupts(uint64_t rax, struct seamcall_regs *regs)
{
	unsigned leaf = (unsigned)(rax & 0xffff);

	if (leaf == TDH_MEM_PAGE_DEMOTE || leaf == TDH_MEM_PAGE_PROMOTE) {
		bool is_on = hw_irq_save();

		hw_irq_restore(is_on);
		interruptible++;
		with_interrupts += is_on;
	}
	return hosted_seamcall(rax, regs);
}

TEST(tdx_promote_and_split_run_with_interrupts_off)
{
	create_running(RAM);
	hw_irq_restore(true);
	hosted_set_seamcall(note_interrupts);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_4K), STATUS_OK);
	accept(0, SIZE_2M, LEVEL_4K);
	promote(0, LEVEL_2M);
	EXPECT_EQ(interruptible, 2);
	EXPECT_EQ(with_interrupts, 0);
	EXPECT_TRUE(hw_irq_save());
	destroy();
}

TEST(tdx_promote_starts_over_when_it_was_interrupted)
{
	create_split();
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	hosted_interrupt_times(5);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(hosted_calls(TDH_MEM_PAGE_PROMOTE), 6);
	expect_level(0, LEVEL_2M);
	destroy_clean();
}

TEST(tdx_promote_that_stays_busy_is_ended_by_the_next_fault)
{
	create_split();
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	hosted_inject(TDH_MEM_PAGE_PROMOTE, 1, FOR_GOOD, NOT_DONE);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_BUSY);
	mirror_check(&td);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x3000), LEVEL_2M), STATUS_BUSY);
	hosted_inject(TDH_MEM_PAGE_PROMOTE, 1, FOR_GOOD, BUSY);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x3000), LEVEL_2M), STATUS_OK);
	expect_level(0, LEVEL_4K); /* unblocked instead */
	hosted_inject_none();
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x3000), LEVEL_2M), STATUS_OK);
	expect_level(0, LEVEL_2M);
	destroy_clean();
}

static void promote_while_running(void)
{
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_BUSY);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x3000), LEVEL_2M), STATUS_BUSY);
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(0x3000), SIZE_4K), STATUS_BUSY);
	mirror_check(&td);
}

TEST(tdx_promote_waits_for_the_vcpu_that_still_runs)
{
	create_split();
	do_inside(promote_while_running);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_OK);
	expect_level(0, LEVEL_2M);
	/* The unmap that began meanwhile goes on. */
	unmap(0x3000, SIZE_4K);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 511);
	destroy_clean();
}

TEST(tdx_promote_is_ended_by_an_unmap_that_meets_it)
{
	create_split();
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	unmap(0, 2 * SIZE_2M);
	EXPECT_EQ(sept_present_bytes(&td.sept), RAM - 2 * SIZE_2M);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_NOT_FOUND);
	destroy_clean();
}

TEST(tdx_promote_leaves_nothing_to_claim_for_who_looked_before)
{
	struct sept_slot slot;

	create_split();
	slot = sept_find(&td.sept, gpa(0x3000), LEVEL_4K);
	EXPECT_EQ(slot.level, LEVEL_4K);
	promote(0, LEVEL_2M);
	EXPECT_EQ(mirror_state_of(sept_read(slot)), MIRROR_FREE);
	EXPECT_EQ(sept_claim(&td.sept, slot, sept_read(slot)), STATUS_BUSY);
	EXPECT_TRUE(!mirror_is_busy(sept_read(slot)));
	destroy();
}

TEST(tdx_promote_half_way_is_torn_down)
{
	create_split();
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	destroy_clean();
}

TEST(tdx_promote_without_heap_leaves_all_accessible)
{
	create_split();
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_2M), STATUS_OK);
	fake_heap_fail_at(1);
	EXPECT_EQ(td_promote_commit(&td, gpa(0), LEVEL_2M), STATUS_NOT_FOUND);
	expect_level(0, LEVEL_4K);
	destroy_clean();
}

TEST(tdx_promote_and_split_again_and_again_take_no_more_memory)
{
	uint64_t heap = 0;

	create_running(RAM);
	for (unsigned i = 0; i < 10; i++) {
		EXPECT_EQ(td_resolve_fault(&td, gpa(0), LEVEL_4K), STATUS_OK);
		accept(0, SIZE_2M, LEVEL_4K);
		promote(0, LEVEL_2M);
		unmap(0, SIZE_2M);
		EXPECT_EQ(td_mark_private(&td, gpa(0), SIZE_2M), STATUS_OK);
		EXPECT_EQ(td_populate(&td, gpa(0), SIZE_2M), STATUS_OK);
		write_all_back();
		if (i > 0)
			EXPECT_EQ(heap_used(), heap);
		heap = heap_used();
	}
	destroy_clean();
}

/* ---- Frames that fit ---- */

TEST(tdx_promote_of_a_region_whose_edge_was_shared_and_came_back)
{
	create_running(RAM);
	accept(0, SIZE_2M, LEVEL_2M);
	unmap(0x5000, 2 * SIZE_4K);
	write_all_back();
	EXPECT_EQ(td_mark_private(&td, gpa(0x5000), 2 * SIZE_4K), STATUS_OK);
	for (uint64_t at = 0x5000; at < 0x7000; at += SIZE_4K)
		EXPECT_EQ(td_resolve_fault(&td, gpa(at), LEVEL_2M), STATUS_OK);
	accept(0x5000, 2 * SIZE_4K, LEVEL_4K);
	promote(0, LEVEL_2M);
	destroy_clean();
}

TEST(tdx_promote_of_a_measured_region_once_the_rest_is_accepted)
{
	create(RAM);
	EXPECT_EQ(measure(SIZE_2M + 0x3000), STATUS_OK);
	EXPECT_EQ(measure(SIZE_2M + 0x4000), STATUS_OK);
	EXPECT_EQ(td_populate(&td, gpa(0), RAM), STATUS_OK);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 512);
	accept(SIZE_2M, 3 * SIZE_4K, LEVEL_4K);
	accept(SIZE_2M + 0x5000, SIZE_2M - 5 * SIZE_4K, LEVEL_4K);
	promote(SIZE_2M, LEVEL_2M);
	EXPECT_EQ(mirror_state_of(sept_read(sept_find(&td.sept, gpa(SIZE_2M), LEVEL_2M))),
		  MIRROR_MAPPED);
	destroy_clean();
}

/* ---- 1G ---- */

static void create_1g(void)
{
	create_running(SIZE_1G);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 512);
	accept(0, SIZE_1G, LEVEL_2M);
	promote(0, LEVEL_1G);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_1G], 1);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 0);
	EXPECT_EQ(sept_present_bytes(&td.sept), SIZE_1G);
}

TEST(tdx_promote_makes_1g_that_is_described_and_reclaimed_with_one_seamcall)
{
	char text[128];
	uint64_t before, control;
	unsigned tdcx, tdvps;

	create_1g();
	tdcx = td.tdcx_count;
	tdvps = vcpus[0].tdcx_count;
	td_describe_gpa(&td, gpa(0x345678), text, sizeof(text));
	EXPECT_TRUE(strstr(text, "1G PENDING") != NULL);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x345678), LEVEL_2M), STATUS_OK);
	before = hosted_calls(TDH_PHYMEM_PAGE_RECLAIM);
	destroy_clean();
	/* The page, the Secure EPT page above, and the TD's and its vCPUs' own. */
	control = 1U + tdcx + 2U * (1U + tdvps);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_RECLAIM) - before, 2 + control);
}

TEST(tdx_promote_to_1g_half_way_is_torn_down)
{
	create_running(SIZE_1G);
	accept(0, SIZE_1G, LEVEL_2M);
	EXPECT_EQ(td_promote_begin(&td, gpa(0), LEVEL_1G), STATUS_OK);
	mirror_check(&td);
	destroy_clean();
}

TEST(tdx_promote_to_1g_is_reclaimed_at_once_and_reset_in_steps)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t before;
	bool done = false;

	create_1g();
	frame_account(bytes);
	before = bytes[FRAME_TD_PRIVATE];
	EXPECT_EQ(td_release_keyid(&td), STATUS_OK);
	for (unsigned i = 1; i <= 3; i++) {
		EXPECT_EQ(td_reclaim(&td, &done), STATUS_OK);
		frame_account(bytes);
		/* A frame that waited for its write-back came back with the KeyID. */
		EXPECT_EQ(bytes[FRAME_TD_PRIVATE], before - i * SIZE_2M - PAGE_SIZE);
		EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_RECLAIM), 1);
	}
	destroy_clean();
}

TEST(tdx_promote_to_1g_is_undone_at_the_edges_of_an_unmap)
{
	create_1g();
	/* One edge in the first GiB's first 2M, one on a 2M boundary. */
	unmap(0x3000, 2 * SIZE_2M - 0x3000);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_1G], 0);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 510);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 3);
	/* With the Secure EPT page that the promotion freed. */
	EXPECT_EQ(td.returned_bytes, 2 * SIZE_2M - 0x3000 + PAGE_SIZE);
	EXPECT_EQ(hosted_calls(TDH_MEM_TRACK), 1 + 3); /* the promotion's, and 1G, 2M, 4K */
	destroy_clean();
}

static void cut_while_running(void)
{
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(0x3000), SIZE_4K), STATUS_BUSY);
	EXPECT_EQ(td_resolve_fault(&td, gpa(0x3000), LEVEL_2M), STATUS_BUSY);
	mirror_check(&td);
}

TEST(tdx_promote_to_1g_is_undone_once_the_vcpu_that_still_runs_left)
{
	create_1g();
	do_inside(cut_while_running);
	unmap(0x3000, SIZE_4K);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_2M], 511);
	EXPECT_EQ(td.sept.leaf_count[LEVEL_4K], 511);
	destroy_clean();
}

TEST(tdx_promote_to_1g_is_removed_whole_and_written_back_in_steps)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t free_before;
	bool done = false;

	create_1g();
	frame_account(bytes);
	free_before = bytes[FRAME_FREE];
	unmap(0, SIZE_1G);
	EXPECT_EQ(td.returned_bytes, SIZE_1G + PAGE_SIZE);
	/* It is more than the caches hold: a WBINVD for all of it, no PAGE.WBINVD. */
	EXPECT_EQ(td_write_back(&td, 1, &done), STATUS_OK);
	EXPECT_TRUE(!done);
	write_all_back();
	frame_account(bytes);
	EXPECT_EQ(bytes[FRAME_FREE], free_before + SIZE_1G + PAGE_SIZE);
	EXPECT_EQ(td.wbinvds, 1);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 0);
	destroy_clean();
}
