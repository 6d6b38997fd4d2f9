/* SPDX-License-Identifier: MIT */
#include "tdx/module.h"

#include <string.h>

#include "core/cpu.h"
#include "core/log.h"
#include "mm/frame.h"
#include "tdx/global.h"
#include "tdx/seamcall.h"
#include "tdx/tdx_abi.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"

static enum status start(void) { return tdx_module_init(hosted_boot_info()); }

TEST(tdx_module_comes_up_on_the_hosted_machine)
{
	hosted_start(&hosted_default);
	EXPECT_EQ(start(), STATUS_OK);
	EXPECT_TRUE(tdx_module_info()->is_ready);
	EXPECT_STR_EQ(tdx_module_info()->refusal, "");
	EXPECT_EQ(tdx_module_info()->major, 1);
	EXPECT_EQ(tdx_module_info()->minor, 5);
	EXPECT_EQ(tdx_module_info()->global_keyid, 32);
	EXPECT_EQ(tdx_module_info()->keyid_count, 7);
	EXPECT_EQ(tdx_keyid_free_count(), 7);
	EXPECT_EQ(tdx_module_info()->ready_seamcalls, hosted_calls_all());
	printf("# %llu SEAMCALLs to ready, %llu of them TDMR.INIT\n",
	       (unsigned long long)hosted_calls_all(),
	       (unsigned long long)hosted_calls(TDH_SYS_TDMR_INIT));
}

TEST(tdx_module_initialises_every_lp_once_and_every_package_key_once)
{
	hosted_start_ready(&hosted_default);
	EXPECT_EQ(hosted_calls(TDH_SYS_INIT), 1);
	EXPECT_EQ(hosted_calls(TDH_SYS_LP_INIT), 4);
	EXPECT_EQ(hosted_calls(TDH_SYS_CONFIG), 1);
	EXPECT_EQ(hosted_calls(TDH_SYS_KEY_CONFIG), 2);
}

TEST(tdx_module_gives_memory_for_tds)
{
	hosted_start(&hosted_default);
	EXPECT_EQ(frame_free_tdx(LEVEL_4K), 0);
	EXPECT_EQ(start(), STATUS_OK);
	EXPECT_TRUE(frame_free_tdx(LEVEL_2M) > 480);
	EXPECT_TRUE(frame_free_tdx(LEVEL_2M) <= 512);
}

TEST(tdx_module_retries_missing_entropy)
{
	hosted_start(&hosted_default);
	hosted_fail_entropy(25, 0);
	EXPECT_EQ(start(), STATUS_OK);
	EXPECT_TRUE(hosted_calls(TDH_SYS_INIT) > 1);
}

TEST(tdx_module_configures_again_with_the_same_keyid_when_busy)
{
	hosted_start(&hosted_default);
	hosted_inject(TDH_SYS_CONFIG, 1, 3, (uint64_t)TDX_SYS_BUSY << 32);
	EXPECT_EQ(start(), STATUS_OK);
	EXPECT_EQ(hosted_calls(TDH_SYS_CONFIG), 4);
}

static bool refuses_info, refuses_rd;

static uint64_t refuse(uint64_t rax, struct seamcall_regs *regs)
{
	if ((rax == TDH_SYS_INFO && refuses_info) || (rax == TDH_SYS_RD && refuses_rd))
		return (uint64_t)TDX_OPERAND_INVALID << 32;
	return hosted_seamcall(rax, regs);
}

static enum status start_without(bool info, bool rd)
{
	refuses_info = info;
	refuses_rd = rd;
	hosted_start(&hosted_default);
	hosted_set_seamcall(refuse);
	return start();
}

TEST(tdx_module_needs_only_one_of_sys_info_and_sys_rd)
{
	struct tdx_global with, without;

	EXPECT_EQ(start_without(false, false), STATUS_OK);
	with = *tdx_global();
	EXPECT_EQ(start_without(true, false), STATUS_OK);
	without = *tdx_global();
	EXPECT_EQ(without.tdcs_size, with.tdcs_size);
	EXPECT_EQ(without.tdvps_size, with.tdvps_size);
	EXPECT_EQ(without.cmr_count, with.cmr_count);
	EXPECT_EQ(without.cpuid_config_count, with.cpuid_config_count);
	EXPECT_EQ(without.cpuid_config[1].leaf, with.cpuid_config[1].leaf);
	EXPECT_EQ(start_without(false, true), STATUS_OK);
	without = *tdx_global();
	EXPECT_EQ(without.tdcs_size, with.tdcs_size);
	EXPECT_EQ(without.tdvps_size, with.tdvps_size);
	EXPECT_EQ(without.cmr_count, with.cmr_count);
	EXPECT_EQ(without.xfam_fixed0, with.xfam_fixed0);
	EXPECT_EQ(without.cpuid_config[1].leaf, with.cpuid_config[1].leaf);
	EXPECT_EQ(start_without(true, true), STATUS_UNSUPPORTED);
	EXPECT_TRUE(!tdx_module_info()->is_ready);
}

static void count_line(void *ctx, const char *line)
{
	if (strstr(line, "cpu0 SEAMCALL: TDH."))
		++*(unsigned *)ctx;
}

TEST(tdx_module_shows_the_last_seamcalls_of_a_cpu_at_a_panic)
{
	unsigned shown = 0;

	hosted_start_ready(&hosted_default);
	seamcall_dump();
	(void)log_replay(0, count_line, &shown);
	EXPECT_TRUE(shown > 1);
	EXPECT_TRUE(shown <= 16);
}

/* Every leaf of bring-up refused for good: TDX is refused with leaf and status, nothing else
 * breaks. */
TEST(tdx_module_refuses_by_name_when_a_leaf_fails)
{
	static const struct {
		unsigned leaf;
		const char *name;
	} leaves[] = {{TDH_SYS_INIT, "TDH.SYS.INIT"},
		      {TDH_SYS_LP_INIT, "TDH.SYS.LP.INIT"},
		      {TDH_SYS_CONFIG, "TDH.SYS.CONFIG"},
		      {TDH_SYS_KEY_CONFIG, "TDH.SYS.KEY.CONFIG"},
		      {TDH_SYS_TDMR_INIT, "TDH.SYS.TDMR.INIT"}};

	for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		hosted_start(&hosted_default);
		hosted_inject(leaves[i].leaf, 1, UINT32_MAX,
			      (uint64_t)TDX_OPERAND_INVALID << 32 | TDX_OPERAND_ID_RCX);
		EXPECT_EQ(start(), STATUS_UNSUPPORTED);
		EXPECT_TRUE(!tdx_module_info()->is_ready);
		EXPECT_TRUE(strstr(tdx_module_info()->refusal, leaves[i].name) != NULL);
		EXPECT_TRUE(strstr(tdx_module_info()->refusal, "TDX_OPERAND_INVALID(RCX)") !=
			    NULL);
		EXPECT_EQ(frame_free_tdx(LEVEL_4K), 0);
	}
}

TEST(tdx_module_gives_pamt_memory_back_when_configuration_is_refused)
{
	uint64_t before[FRAME_OWNER_COUNT];
	uint64_t after[FRAME_OWNER_COUNT];

	hosted_start(&hosted_default);
	frame_account(before);
	hosted_inject(TDH_SYS_CONFIG, 1, 1, (uint64_t)TDX_PAMT_OVERLAP << 32);
	EXPECT_EQ(start(), STATUS_UNSUPPORTED);
	frame_account(after);
	EXPECT_EQ(after[FRAME_PAMT], 0);
	EXPECT_EQ(after[FRAME_FREE], before[FRAME_FREE] - 4 * PAGE_SIZE); /* VMXON regions */
}

/* `hkid` subtracts one from the other. */
TEST(tdx_module_that_was_refused_late_has_as_many_keyids_as_are_free)
{
	hosted_start(&hosted_default);
	hosted_inject(TDH_SYS_CONFIG, 1, 1, (uint64_t)TDX_PAMT_OVERLAP << 32);
	EXPECT_EQ(start(), STATUS_UNSUPPORTED);
	EXPECT_EQ(tdx_module_info()->keyid_count, tdx_keyid_free_count());
}

TEST(tdx_module_is_refused_without_private_keyids)
{
	struct hosted_config c = hosted_default;

	c.private_keyids = 1;
	hosted_start(&c);
	EXPECT_EQ(start(), STATUS_UNSUPPORTED);
	EXPECT_STR_EQ(tdx_module_info()->refusal,
		      "KeyID partition (MSR 0x87): found 1 private, 31 shared, "
		      "needed 2 or more private KeyIDs");
	EXPECT_EQ(hosted_calls_all(), 0);
}

TEST(tdx_module_is_refused_when_a_cpu_is_missing)
{
	hosted_start(&hosted_default);
	cpu_missing_count = 1;
	EXPECT_EQ(start(), STATUS_UNSUPPORTED);
	EXPECT_TRUE(strstr(tdx_module_info()->refusal, "1 missing") != NULL);
}

TEST(tdx_module_is_refused_when_a_cpu_differs)
{
	hosted_start(&hosted_default);
	fake_set_cpu_msr(2, 0x277, 0x0007010600070106);
	EXPECT_EQ(start(), STATUS_UNSUPPORTED);
	EXPECT_STR_EQ(tdx_module_info()->refusal,
		      "PAT equal: found cpu2 0x7010600070106, needed as on cpu0");
}

TEST(tdx_module_makes_tsc_adjust_equal)
{
	hosted_start(&hosted_default);
	fake_set_cpu_msr(3, 0x3b, 12345);
	EXPECT_EQ(start(), STATUS_OK);
}

static void count_rows(void *ctx, const struct tdx_check *row)
{
	unsigned *counts = ctx;

	counts[row->ok]++;
	EXPECT_TRUE(row->name[0] && row->found[0] && row->needed[0]);
}

TEST(tdx_check_tells_what_was_found)
{
	unsigned counts[2] = {0, 0};

	hosted_start_ready(&hosted_default);
	tdx_check_each(count_rows, counts);
	EXPECT_EQ(counts[false], 1); /* no DMA protection */
	EXPECT_TRUE(counts[true] >= 16);
}

TEST(tdx_module_stop_leaves_vmx_operation_everywhere)
{
	hosted_start_ready(&hosted_default);
	EXPECT_TRUE(hosted_vmx_is_on(3));
	tdx_module_stop();
	for (unsigned i = 0; i < 4; i++)
		EXPECT_TRUE(!hosted_vmx_is_on(i));
	EXPECT_TRUE(!tdx_module_info()->is_ready);
}
