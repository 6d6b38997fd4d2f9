/* SPDX-License-Identifier: MIT */
/* The end of a TD: in which order, from which stage, and who sees what meanwhile. */
#include <string.h>

#include "core/cpu.h"
#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/keyid.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tdx/td.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/plain_td.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_guest.h"
#include "vm/background.h"

#define RAM     UINT64_C(0x2000000) /* 32 MiB */
#define VCPUS   2U
#define KEYIDS  7U
#define MAX_LOG 2048U

static enum status add_vcpu(unsigned i)
{
	unsigned cpu = fake_set_this_cpu(i);
	enum status s = create_vcpu(i);

	(void)fake_set_this_cpu(cpu);
	return s;
}

/* All steps of a creation, up to the first that fails. */
static enum status build(void)
{
	enum status s = create_td(RAM);

	for (unsigned i = 0; i < VCPUS && !s; i++)
		s = add_vcpu(i);
	if (!s)
		s = measure(TDBOOT_PARAMS_GPA);
	if (!s)
		s = td_populate(&td, gpa(0x1000), 3 * SIZE_2M);
	return s ? s : td_finalize(&td);
}

/* ---- Stages ---- */

static unsigned calls_left; /* of leaves that build; then the module stays busy */

static bool is_of_teardown(unsigned leaf)
{
	return leaf == TDH_VP_FLUSH || leaf == TDH_MNG_VPFLUSHDONE ||
	       leaf == TDH_PHYMEM_CACHE_WB || leaf == TDH_MNG_KEY_FREEID ||
	       leaf == TDH_PHYMEM_PAGE_RECLAIM || leaf == TDH_PHYMEM_PAGE_WBINVD;
}

static uint64_t stop_building(uint64_t rax, struct seamcall_regs *regs)
{
	if (!is_of_teardown((unsigned)(rax & 0xffff)) && calls_left-- == 0) {
		calls_left = 0;
		return (uint64_t)TDX_OPERAND_BUSY << 32 | TDX_OPERAND_ID_TDR;
	}
	return hosted_seamcall(rax, regs);
}

static uint64_t free_or_quarantined(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	frame_account(bytes);
	return bytes[FRAME_FREE] + bytes[FRAME_QUARANTINED];
}

static uint64_t quarantined(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	frame_account(bytes);
	return bytes[FRAME_QUARANTINED];
}

TEST(tdx_td_is_torn_down_after_each_seamcall_of_its_creation)
{
	unsigned stages = 0;
	uint64_t frames;
	enum status s;

	ready();
	frames = free_or_quarantined();
	do {
		calls_left = stages++;
		hosted_set_seamcall(stop_building);
		s = build();
		if (td.tdr.pa.raw)
			destroy();
		EXPECT_EQ(free_or_quarantined(), frames);
		EXPECT_EQ(tdx_keyid_free_count(), KEYIDS);
		EXPECT_EQ(hosted_owned_bytes(), 0);
	} while (s != STATUS_OK && test_failures == 0);
	EXPECT_TRUE(stages > 60);
	/* A measured page that the module will not take is not tried with another frame. */
	EXPECT_EQ(quarantined(), PAGE_SIZE);
	printf("# %u stages\n", stages);
}

/* ---- Order ---- */

static struct {
	unsigned leaf, cpu;
	uint64_t rcx;
} calls[MAX_LOG];
static unsigned call_count;

static uint64_t note_call(uint64_t rax, struct seamcall_regs *regs)
{
	if (call_count < MAX_LOG) {
		calls[call_count].leaf = (unsigned)(rax & 0xffff);
		calls[call_count].cpu = this_cpu();
		calls[call_count++].rcx = regs->rcx;
	}
	return hosted_seamcall(rax, regs);
}

/* Calls of the leaf, all of which lie at *at and after; *at becomes the end of the last. */
static unsigned take_calls(unsigned leaf, unsigned *at)
{
	unsigned first = *at;
	unsigned count = 0;

	for (unsigned i = 0; i < call_count; i++)
		if (calls[i].leaf == leaf) {
			EXPECT_TRUE(i >= first);
			*at = i + 1;
			count++;
		}
	return count;
}

TEST(tdx_td_end_flushes_vcpus_then_frees_the_keyid_then_reclaims_the_tdr_last)
{
	unsigned at = 0;
	uint64_t tdr;

	ready();
	EXPECT_EQ(build(), STATUS_OK);
	tdr = td.tdr.pa.raw;
	hosted_set_seamcall(note_call);
	destroy();
	EXPECT_EQ(take_calls(TDH_VP_FLUSH, &at), VCPUS);
	EXPECT_EQ(calls[0].cpu, 0);
	EXPECT_EQ(calls[1].cpu, 1); /* each where it was associated */
	EXPECT_EQ(take_calls(TDH_MNG_VPFLUSHDONE, &at), 1);
	EXPECT_TRUE(take_calls(TDH_PHYMEM_CACHE_WB, &at) >= package_count);
	EXPECT_EQ(take_calls(TDH_MNG_KEY_FREEID, &at), 1);
	EXPECT_EQ(take_calls(TDH_PHYMEM_PAGE_RECLAIM, &at), td.teardown_total);
	EXPECT_EQ(calls[at - 1].rcx, tdr);
	EXPECT_EQ(take_calls(TDH_PHYMEM_PAGE_WBINVD, &at), 1);
	EXPECT_EQ(calls[at - 1].rcx, keyid_address(hpa(tdr), keyid_global()));
	EXPECT_EQ(at, call_count);
}

TEST(tdx_td_end_reclaims_each_page_once_in_its_size)
{
	uint64_t pages;

	ready();
	EXPECT_EQ(build(), STATUS_OK);
	pages = td.sept.leaf_count[LEVEL_2M] + td.sept.leaf_count[LEVEL_4K] +
		td.sept.table_count + td.tdcx_count + 1;
	for (unsigned i = 0; i < VCPUS; i++)
		pages += vcpus[i].tdcx_count + 1U;
	EXPECT_TRUE(td.sept.leaf_count[LEVEL_2M] >= 2);
	destroy();
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_RECLAIM), pages);
}

/* ---- As people see it ---- */

static struct vm_info info_of(const char *name)
{
	struct vm_info info = {.name = ""};

	EXPECT_EQ(vm_get(name, &info), STATUS_OK);
	return info;
}

TEST(vm_destroy_returns_when_the_keyid_is_free_and_the_pages_go_in_the_background)
{
	struct vm_error why = {""};
	unsigned keyids;
	unsigned before = 0;
	unsigned steps = 0;
	uint64_t frames;

	guest_machine();
	frames = guest_free_bytes();
	keyids = tdx_keyid_free_count();
	guest_start(NULL, 0);
	guest_rounds(3);
	EXPECT_EQ(vm_destroy("web", &why), STATUS_OK);
	EXPECT_EQ(tdx_keyid_free_count(), keyids);
	EXPECT_EQ(hosted_calls(TDH_MNG_KEY_FREEID), 1);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_RECLAIM), 0);
	EXPECT_STR_EQ(vm_state_name(info_of("web").state), "dying");
	EXPECT_EQ(info_of("web").dying_percent, 0);
	for (; hosted_owned_bytes() > 0 && steps < 100000; steps++) {
		EXPECT_TRUE(background_work_until(0));
		EXPECT_TRUE(info_of("web").dying_percent >= before);
		before = info_of("web").dying_percent;
	}
	EXPECT_EQ(before, 100);
	EXPECT_TRUE(steps > 32); /* a page each */
	vm_finish_reclaim();
	EXPECT_EQ(guest_free_bytes(), frames);
}

TEST(vm_is_created_while_another_dies)
{
	struct td_config c;
	struct vm_error why = {""};
	uint64_t frames;

	guest_machine();
	frames = guest_free_bytes();
	guest_start(NULL, 0);
	guest_rounds(3);
	EXPECT_EQ(vm_destroy("web", &why), STATUS_OK);
	EXPECT_TRUE(background_work_until(0));
	c = *guest_config();
	memcpy(c.name, "next", 5);
	EXPECT_EQ(vm_create(&c, &why), STATUS_OK);
	EXPECT_STR_EQ(why.text, "");
	EXPECT_EQ(vm_start("next", &why), STATUS_OK);
	guest_rounds(3);
	EXPECT_EQ(info_of("next").state, VM_RUNNING);
	EXPECT_EQ(vm_destroy("next", &why), STATUS_OK);
	vm_finish_reclaim();
	EXPECT_EQ(guest_free_bytes(), frames);
	EXPECT_EQ(hosted_owned_bytes(), 0);
}

TEST(vm_create_waits_for_memory_that_a_dying_td_still_holds)
{
	struct td_config c;
	struct vm_error why = {""};
	uint64_t frames;

	guest_machine();
	frames = guest_free_bytes();
	c = *guest_config();
	c.memory = align_down(frames * 2 / 3, SIZE_2M);
	memcpy(c.name, "large", 6);
	EXPECT_EQ(vm_create(&c, &why), STATUS_OK);
	EXPECT_EQ(vm_destroy("large", &why), STATUS_OK);
	EXPECT_TRUE(guest_free_bytes() < c.memory);
	memcpy(c.name, "next", 5);
	EXPECT_EQ(vm_create(&c, &why), STATUS_OK);
	EXPECT_STR_EQ(why.text, "");
	EXPECT_EQ(vm_destroy("next", &why), STATUS_OK);
	vm_finish_reclaim();
	EXPECT_EQ(guest_free_bytes(), frames);
}
