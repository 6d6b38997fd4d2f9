/* SPDX-License-Identifier: MIT */
/* Cache lines and KeyIDs: the hypervisor keeps the rules, and each rule is one that tests see.
 */
#include <string.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/oncpu.h"
#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/keyid.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tdx/td.h"
#include "tdx/tdh.h"
#include "tdx/tdmr_init.h"
#include "tests/fake/fake.h"
#include "tests/hosted/cache.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/plain_td.h"
#include "tests/unit/test.h"

#define TDX_FEATURES0_FIELD UINT64_C(0x0a00000300000008)

#define RAM        UINT64_C(0x10000000) /* 256 MiB */
#define RUNNING_AT UINT64_C(0x4000000)

static void create(void) { create_finalized(RAM, 1); }

static void unmap(uint64_t at, uint64_t size)
{
	EXPECT_EQ(td_unmap_private_begin(&td, gpa(at), size), STATUS_OK);
	EXPECT_EQ(td_unmap_private_commit(&td, gpa(at), size), STATUS_OK);
}

/* Every way in which pages reach the module, and most in which they come back. */
static void live(void)
{
	bool done;

	create();
	EXPECT_EQ(td_populate(&td, gpa(0), 8 * SIZE_2M), STATUS_OK);
	unmap(SIZE_2M + SIZE_4K, SIZE_4K);
	unmap(2 * SIZE_2M, SIZE_2M);
	EXPECT_EQ(td_write_back(&td, UINT32_MAX, &done), STATUS_OK);
	unmap(4 * SIZE_2M, SIZE_2M);
	destroy();
}

static uint64_t bytes_of(enum frame_owner owner)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	frame_account(bytes);
	return bytes[owner];
}

/* ---- What the rules of tests/hosted/cache.c catch ---- */

/* The leaf of the test, and what happens just before each of its calls. */
static unsigned leaf;
static void (*before_leaf)(struct seamcall_regs *regs);

static uint64_t intercept(uint64_t rax, struct seamcall_regs *regs)
{
	if ((rax & 0xffff) == leaf)
		before_leaf(regs);
	return hosted_seamcall(rax, regs);
}

static uint64_t page_operand(const struct seamcall_regs *regs)
{
	switch (leaf) {
	case TDH_SYS_CONFIG: {
		const uint64_t *infos = phys_ptr(hpa(regs->rcx));
		const struct tdx_tdmr_info *first = phys_ptr(hpa(infos[0]));

		return first->pamt[2].base;
	}
	case TDH_MEM_SEPT_ADD:
	case TDH_MEM_PAGE_ADD:
	case TDH_MEM_PAGE_AUG:
	case TDH_MEM_PAGE_DEMOTE:
		return regs->r8;
	default:
		return regs->rcx;
	}
}

static void write_to_page(struct seamcall_regs *regs) { cache_host_writes(page_operand(regs)); }

static void flush_without_fence(struct seamcall_regs *regs)
{
	uint64_t page = page_operand(regs);

	cache_host_writes(page);
	hw_clflush_range(phys_ptr(hpa(page)), PAGE_SIZE);
}

/* What each leaf does with a page that was left in that way just before. */
static void expect_each_hand_over(void (*spoil)(struct seamcall_regs *regs), const char *what)
{
	static const unsigned leaves[] = {
		TDH_SYS_CONFIG,   TDH_MNG_CREATE,   TDH_MNG_ADDCX,
		TDH_VP_CREATE,    TDH_VP_ADDCX,     TDH_MEM_SEPT_ADD,
		TDH_MEM_PAGE_ADD, TDH_MEM_PAGE_AUG, TDH_MEM_PAGE_DEMOTE,
	};

	before_leaf = spoil;
	for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		leaf = leaves[i];
		hosted_start(&hosted_default);
		hosted_set_seamcall(intercept);
		(void)cache_caught();
		EXPECT_EQ(tdx_module_init(hosted_boot_info()), STATUS_OK);
		while (tdmr_init_one_more())
			continue;
		EXPECT_EQ(frame_alloc_range(4 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
					    FRAME_SHARED, &shared),
			  STATUS_OK);
		live();
		EXPECT_STR_EQ(cache_caught(), what);
	}
}

TEST(hygiene_sees_a_page_go_to_the_module_with_the_host_s_dirty_lines)
{
	expect_each_hand_over(write_to_page,
			      "goes to the module with lines dirty under KeyID 0");
}

TEST(hygiene_sees_a_page_go_to_the_module_before_the_fence)
{
	expect_each_hand_over(flush_without_fence, "goes to the module before the fence");
}

TEST(hygiene_sees_a_frame_go_to_the_module_that_the_host_still_has)
{
	ready();
	create();
	(void)cache_caught();
	EXPECT_TRUE(tdx_is_error(tdh_mem_page_aug(&td, gpa(RUNNING_AT), LEVEL_4K, shared)));
	EXPECT_STR_EQ(cache_caught(), ""); /* no table yet: refused */
	EXPECT_EQ(td_populate(&td, gpa(RUNNING_AT), SIZE_4K), STATUS_OK);
	EXPECT_TRUE(!tdx_is_error(
		tdh_mem_page_aug(&td, gpa(RUNNING_AT + SIZE_4K), LEVEL_4K, shared)));
	EXPECT_STR_EQ(cache_caught(), "goes to the module with lines dirty under KeyID 0");
}

/* A page that the module gave back a moment ago, dirty under the TD's key. */
static hpa_t returned_page(void)
{
	struct sept_slot slot;
	hpa_t frame;

	ready();
	create();
	EXPECT_EQ(td_populate(&td, gpa(RUNNING_AT), SIZE_4K), STATUS_OK);
	slot = sept_find(&td.sept, gpa(RUNNING_AT), LEVEL_4K);
	frame = mirror_frame_of(sept_read(slot));
	EXPECT_TRUE(!tdx_is_error(tdh_mem_range_block(&td, gpa(RUNNING_AT), LEVEL_4K)));
	EXPECT_TRUE(!tdx_is_error(tdh_mem_track(&td)));
	EXPECT_TRUE(!tdx_is_error(tdh_mem_page_remove(&td, gpa(RUNNING_AT), LEVEL_4K)));
	EXPECT_STR_EQ(cache_caught(), "");
	return frame;
}

TEST(hygiene_sees_use_of_a_page_with_lines_under_a_private_keyid)
{
	hpa_t frame = returned_page();

	hw_reset_lines(phys_ptr(frame), PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "is reset with lines dirty under KeyID 33");
	frame = returned_page();
	frame_free(frame, PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "is freed with lines dirty under KeyID 33");
	frame = returned_page();
	frame_set_owner(frame, PAGE_SIZE, FRAME_SHARED);
	EXPECT_STR_EQ(cache_caught(), "is allocated with lines dirty under KeyID 33");
	frame = returned_page();
	EXPECT_TRUE(!tdx_is_error(tdh_mem_page_aug(&td, gpa(RUNNING_AT), LEVEL_4K, frame)));
	EXPECT_STR_EQ(cache_caught(), "goes to the module with lines dirty under KeyID 33");
}

TEST(hygiene_sees_a_write_back_under_another_keyid)
{
	hpa_t frame = returned_page();

	EXPECT_TRUE(!tdx_is_error(tdh_phymem_page_wbinvd(&td, keyid_address(frame, 34))));
	hw_reset_lines(phys_ptr(frame), PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "is reset with lines dirty under KeyID 33");
}

TEST(hygiene_sees_use_of_a_page_that_was_not_reset)
{
	hpa_t frame = returned_page();

	EXPECT_TRUE(!tdx_is_error(tdh_phymem_page_wbinvd(&td, keyid_address(frame, 33))));
	frame_free(frame, PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "is freed without a reset");
	frame = returned_page();
	EXPECT_TRUE(!tdx_is_error(tdh_phymem_page_wbinvd(&td, keyid_address(frame, 33))));
	hw_reset_lines(phys_ptr(frame), PAGE_SIZE);
	frame_free_clean(frame, PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "");
}

TEST(hygiene_sees_a_frame_freed_as_clean_that_is_not)
{
	hpa_t page;

	ready();
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_HOST, &page), STATUS_OK);
	(void)cache_caught();
	frame_free_clean(page, PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "is freed as clean with lines dirty under KeyID 0");
}

TEST(hygiene_sees_the_host_touch_what_the_module_has)
{
	ready();
	create();
	(void)cache_caught();
	hw_clflush_range(phys_ptr(td.tdr.pa), PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "is flushed, but is the module's");
	frame_free(td.tdr.pa, PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "is freed, but is the module's");
	hw_reset_lines(phys_ptr(td.tdr.pa), PAGE_SIZE);
	EXPECT_STR_EQ(cache_caught(), "is reset, but is the module's");
}

/* Everybody's PAGE.WBINVD goes by. */
static void aim_elsewhere(struct seamcall_regs *regs) { regs->rcx = shared.raw; }

static void spoil_write_backs(void)
{
	leaf = TDH_PHYMEM_PAGE_WBINVD;
	before_leaf = aim_elsewhere;
	hosted_set_seamcall(intercept);
	(void)cache_caught();
}

TEST(hygiene_sees_a_tdr_that_is_not_written_back_under_the_global_keyid)
{
	ready();
	create();
	spoil_write_backs();
	destroy();
	EXPECT_STR_EQ(cache_caught(), "is reset with lines dirty under KeyID 32");
}

TEST(hygiene_sees_an_unmapped_page_that_is_not_written_back)
{
	bool done;

	ready();
	create();
	EXPECT_EQ(td_populate(&td, gpa(0), SIZE_2M), STATUS_OK);
	unmap(0, SIZE_2M);
	spoil_write_backs();
	EXPECT_EQ(td_write_back(&td, UINT32_MAX, &done), STATUS_OK);
	EXPECT_STR_EQ(cache_caught(), "is reset with lines dirty under KeyID 33");
}

/* ---- CLFLUSH ---- */

TEST(hygiene_flushes_nothing_that_was_free_at_wbinvd_or_came_back_from_the_module)
{
	ready();
	for (unsigned i = 0; i < 3; i++) {
		live();
		EXPECT_EQ(cache_flushed_bytes(), 0);
	}
}

/* The host had it; the lowest free frame is the next that somebody gets. */
static hpa_t used_frame(void)
{
	hpa_t frame;

	EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_SHARED, &frame), STATUS_OK);
	frame_free(frame, SIZE_2M);
	return frame;
}

static void expect_flushed(hpa_t frame, uint64_t bytes)
{
	uint64_t before = cache_flushed_bytes();
	hpa_t taken;

	EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_TD_PRIVATE, &taken), STATUS_OK);
	EXPECT_EQ(taken.raw, frame.raw);
	EXPECT_EQ(cache_flushed_bytes(), before + bytes);
	frame_free_clean(taken, SIZE_2M);
}

TEST(hygiene_flushes_a_frame_that_the_host_had_once)
{
	hpa_t frame;

	ready();
	frame = used_frame();
	expect_flushed(frame, SIZE_2M);
	expect_flushed(frame, 0);
}

TEST(hygiene_flushes_free_2m_frames_in_advance)
{
	uint64_t free_2m;
	hpa_t frame;

	ready();
	while (frame_flush_ahead())
		continue;
	free_2m = frame_free_tdx(LEVEL_2M);
	frame = used_frame();
	EXPECT_TRUE(frame_flush_ahead());
	EXPECT_TRUE(!frame_flush_ahead());
	EXPECT_EQ(frame_free_tdx(LEVEL_2M), free_2m);
	expect_flushed(frame, 0);
}

/* What another CPU does while a frame is being flushed in advance. */
static void (*while_flushing)(void);
static fake_cache_fn real_cache;
static hpa_t last_frame;

static void cache_meets(enum fake_cache_op op, const void *p, size_t size)
{
	void (*meet)(void) = while_flushing;

	real_cache(op, p, size);
	if (op == FAKE_CLFLUSH && meet != NULL) {
		while_flushing = NULL;
		meet();
	}
}

static void take_another(void)
{
	hpa_t taken;

	EXPECT_EQ(frame_owner_of(last_frame), FRAME_FREE);
	EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_TD_PRIVATE, &taken), STATUS_OK);
	EXPECT_TRUE(taken.raw != last_frame.raw);
	frame_free_clean(taken, SIZE_2M);
}

TEST(hygiene_gives_nobody_a_frame_that_is_being_flushed)
{
	ready();
	last_frame = used_frame();
	real_cache = fake_set_cache_hook(cache_meets);
	while_flushing = take_another;
	EXPECT_TRUE(frame_flush_ahead());
	EXPECT_TRUE(while_flushing == NULL);
}

/* A module that knows the bit, and says that it needs no flush. */
static uint64_t say_features(uint64_t rax, struct seamcall_regs *regs)
{
	uint64_t field = regs->rdx;
	uint64_t status = hosted_seamcall(rax, regs);

	if ((rax & 0xffff) == TDH_SYS_RD && field == TDX_FEATURES0_FIELD)
		regs->r8 |= UINT64_C(1) << 24;
	return status;
}

TEST(hygiene_flushes_nothing_for_a_module_that_needs_no_flush)
{
	hosted_start(&hosted_default);
	hosted_set_seamcall(say_features);
	cache_flush_not_needed();
	EXPECT_EQ(tdx_module_init(hosted_boot_info()), STATUS_OK);
	while (tdmr_init_one_more())
		continue;
	expect_flushed(used_frame(), 0);
	(void)used_frame();
	EXPECT_TRUE(!frame_flush_ahead());
}

/* ---- WBINVD ---- */

static void use_small_caches(void)
{
	/* One cache a package: 8 ways, 64 bytes, 32,768 sets. */
	fake_set_cpuid(4, 0, (struct cpuid_regs){0x43, 0x01c0003f, 32767, 0});
	fake_set_cpuid(4, 1, (struct cpuid_regs){0, 0, 0, 0});
}

#define CACHES (2 * 8 * SIZE_2M) /* of both packages */

static void write_back_all(void)
{
	bool done = false;

	while (!done)
		EXPECT_EQ(td_write_back(&td, 16, &done), STATUS_OK);
}

TEST(hygiene_writes_back_page_by_page_what_the_caches_can_hold)
{
	ready();
	use_small_caches();
	create();
	EXPECT_EQ(td_populate(&td, gpa(0), CACHES), STATUS_OK);
	unmap(0, CACHES);
	write_back_all();
	EXPECT_EQ(td.page_wbinvds, CACHES / PAGE_SIZE);
	EXPECT_EQ(td.wbinvds, 0);
	destroy();
}

TEST(hygiene_writes_back_by_wbinvd_what_is_more_than_the_caches_hold)
{
	uint64_t wbinvds;
	uint64_t owned;

	ready();
	use_small_caches();
	create();
	owned = bytes_of(FRAME_TD_PRIVATE);
	wbinvds = cache_wbinvds();
	EXPECT_EQ(td_populate(&td, gpa(0), CACHES + SIZE_2M), STATUS_OK);
	unmap(0, CACHES + SIZE_2M);
	write_back_all();
	EXPECT_EQ(td.page_wbinvds, 0);
	EXPECT_EQ(td.wbinvds, 1);
	EXPECT_EQ(cache_wbinvds() - wbinvds, package_count);
	EXPECT_EQ(bytes_of(FRAME_TD_PRIVATE), owned);
	destroy();
}

TEST(hygiene_resets_a_bounded_number_of_frames_at_a_time)
{
	bool done;

	ready();
	use_small_caches();
	create();
	EXPECT_EQ(td_populate(&td, gpa(0), CACHES + SIZE_2M), STATUS_OK);
	unmap(0, CACHES + SIZE_2M);
	EXPECT_EQ(td_write_back(&td, 16, &done), STATUS_OK);
	EXPECT_TRUE(!done);
	EXPECT_EQ(td.returned_bytes, CACHES);
	destroy();
}

/* One more frame comes back when the first package is through. */
static void unmap_meanwhile(enum fake_cache_op op, const void *p, size_t size)
{
	real_cache(op, p, size);
	if (op == FAKE_WBINVD &&
	    td_is_private(&td, gpa(CACHES + SIZE_2M), &(enum page_level){0}))
		unmap(CACHES + SIZE_2M, SIZE_2M);
}

TEST(hygiene_counts_no_frame_as_written_back_that_came_during_the_wbinvd)
{
	bool done;

	ready();
	use_small_caches();
	create();
	EXPECT_EQ(td_populate(&td, gpa(0), CACHES + 2 * SIZE_2M), STATUS_OK);
	unmap(0, CACHES + SIZE_2M);
	real_cache = fake_set_cache_hook(unmap_meanwhile);
	EXPECT_EQ(td_write_back(&td, 16, &done), STATUS_OK);
	EXPECT_EQ(td.unwritten_bytes, SIZE_2M);
	write_back_all();
	EXPECT_EQ(td.page_wbinvds, SIZE_2M / PAGE_SIZE);
	EXPECT_EQ(td.wbinvds, 1);
	destroy();
}

static void only_package_0(enum fake_cache_op op, const void *p, size_t size)
{
	if (op != FAKE_WBINVD || cpus[this_cpu()].package == 0)
		real_cache(op, p, size);
}

TEST(hygiene_sees_a_package_that_wbinvd_left_out)
{
	bool done;

	ready();
	use_small_caches();
	create();
	EXPECT_EQ(td_populate(&td, gpa(0), CACHES + SIZE_2M), STATUS_OK);
	unmap(0, CACHES + SIZE_2M);
	real_cache = fake_set_cache_hook(only_package_0);
	(void)cache_caught();
	EXPECT_EQ(td_write_back(&td, 16, &done), STATUS_OK);
	EXPECT_STR_EQ(cache_caught(), "is reset with lines dirty under KeyID 33");
}
