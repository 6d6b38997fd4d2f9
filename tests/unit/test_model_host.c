/* SPDX-License-Identifier: MIT */
/*
 * What the software TDX module answers to hosts that ask wrongly, where no recording shows
 * it: which of two mistakes it reports, and what a refused call leaves behind.
 */
#include "tests/unit/bare_model.h"
#include "tests/unit/test.h"

#define INDEX(tdmr, level, other) ((uint64_t)(other) << 16 | (uint64_t)(level) << 8 | (tdmr))

TEST(model_sys_config_takes_the_keyid_only_after_the_other_operands)
{
	const struct bare_tdmr tdmr = bare_tdmr();

	bare_power_on();
	bare_init();
	EXPECT_EQ(bare_call(0, TDH_SYS_CONFIG, BARE_HOST + 8, 0, 0),
		  TDX_OPERAND_INVALID | OPERAND_RCX);
	EXPECT_EQ(bare_call(0, TDH_SYS_CONFIG, BARE_HOST, 65, 0),
		  TDX_OPERAND_INVALID | OPERAND_RDX);
	EXPECT_EQ(bare_call(0, TDH_SYS_CONFIG, BARE_HOST, 1, BARE_KEYID - 1),
		  TDX_OPERAND_INVALID | OPERAND_R8);
	EXPECT_EQ(bare_call(0, TDH_SYS_CONFIG, BARE_HOST + 8, 1, BARE_KEYID + 1),
		  TDX_OPERAND_INVALID | OPERAND_RCX);
	EXPECT_EQ(bare_config(&tdmr, 1), TDX_SUCCESS);
	bare_call(0, TDH_SYS_KEY_CONFIG, 0, 0, 0);
	bare_call(2, TDH_SYS_KEY_CONFIG, 0, 0, 0);
	for (unsigned i = 0; i < 256; i++)
		bare_call(0, TDH_SYS_TDMR_INIT, BARE_TDMR, 0, 0);
	EXPECT_EQ(bare_call(0, TDH_MNG_CREATE, bare_page(0), BARE_KEYID + 1, 0), TDX_SUCCESS);
}

/* TDH.SYS.CONFIG of one or two TDMRs, on a freshly initialised module. */
static uint64_t config(const struct bare_tdmr *tdmr, unsigned count)
{
	bare_power_on();
	bare_init();
	return bare_config(tdmr, count);
}

static struct bare_tdmr second_tdmr(void)
{
	struct bare_tdmr tdmr = bare_tdmr();

	tdmr.base += BARE_GIB;
	for (unsigned i = 0; i < 3; i++)
		tdmr.pamt[i].base += UINT64_C(0x1000000);
	return tdmr;
}

TEST(model_sys_config_takes_two_tdmrs_with_their_own_pamts)
{
	const struct bare_tdmr tdmr[] = {bare_tdmr(), second_tdmr()};

	EXPECT_EQ(config(tdmr, 2), TDX_SUCCESS);
}

TEST(model_sys_config_looks_at_the_order_of_tdmrs_before_their_alignment)
{
	struct bare_tdmr tdmr[] = {bare_tdmr(), second_tdmr()};

	tdmr[1].base = BARE_TDMR + 0x1000;
	EXPECT_EQ(config(tdmr, 2), TDX_NON_ORDERED_TDMR | 1);
	tdmr[1].base = BARE_TDMR + BARE_GIB + 0x1000;
	EXPECT_EQ(config(tdmr, 2), TDX_INVALID_TDMR | 1);
	tdmr[1].base = -BARE_GIB;
	EXPECT_EQ(config(tdmr, 2), TDX_INVALID_TDMR | 1);
}

TEST(model_sys_config_looks_at_the_order_of_reserved_areas_before_their_place)
{
	struct bare_tdmr tdmr = bare_tdmr();

	tdmr.reserved[0] = (struct tdx_range){0x10000, 0x10000};
	tdmr.reserved[1] = (struct tdx_range){0x18800, 0x1000};
	EXPECT_EQ(config(&tdmr, 1), TDX_NON_ORDERED_RESERVED_IN_TDMR | 1 << 8);
	tdmr.reserved[1].base = 0x20800;
	EXPECT_EQ(config(&tdmr, 1), TDX_INVALID_RESERVED_IN_TDMR | 1 << 8);
	tdmr.reserved[1] = (struct tdx_range){0x8000, -UINT64_C(0x4000)};
	EXPECT_EQ(config(&tdmr, 1), TDX_INVALID_RESERVED_IN_TDMR | 1 << 8);
	tdmr.reserved[1] = (struct tdx_range){0, 0};
	tdmr.reserved[3] = (struct tdx_range){0x30000, 0x1000};
	EXPECT_EQ(config(&tdmr, 1), TDX_NON_ORDERED_RESERVED_IN_TDMR | 2 << 8);
}

TEST(model_sys_config_compares_pamts_before_it_places_them)
{
	struct bare_tdmr tdmr[] = {bare_tdmr(), second_tdmr()};

	tdmr[1].pamt[2].base = BARE_TDMR;            /* 4K: in the first TDMR */
	tdmr[1].pamt[1].base = tdmr[0].pamt[1].base; /* 2M: on the other's */
	EXPECT_EQ(config(tdmr, 2), TDX_PAMT_OVERLAP | INDEX(1, 1, 0));
	tdmr[1] = second_tdmr();
	tdmr[1].pamt[2].base = BARE_TDMR + BARE_GIB; /* 4K: in its own TDMR */
	tdmr[1].pamt[0].base = BARE_TDMR;            /* 1G: in the first one */
	EXPECT_EQ(config(tdmr, 2), TDX_PAMT_OVERLAP | INDEX(1, 2, 0));
	tdmr[1] = second_tdmr();
	tdmr[0].pamt[2].base = BARE_TDMR + BARE_GIB; /* free until the second TDMR comes */
	EXPECT_EQ(config(tdmr, 2), TDX_PAMT_OVERLAP | INDEX(0, 0, 1));
}

TEST(model_sys_config_looks_for_pamts_outside_cmrs_from_1g_down)
{
	struct bare_tdmr tdmr = bare_tdmr();
	const uint64_t hole = UINT64_C(0x90000000);

	tdmr.pamt[2].base = hole;
	tdmr.pamt[1].base = hole + 0x800000;
	EXPECT_EQ(config(&tdmr, 1), TDX_PAMT_OUTSIDE_CMRS | INDEX(0, 1, 0));
	tdmr.pamt[0].base = tdmr.pamt[1].base;
	EXPECT_EQ(config(&tdmr, 1), TDX_PAMT_OVERLAP | INDEX(0, 1, 0));
}

TEST(model_sys_init_refuses_attributes_before_its_state)
{
	bare_power_on();
	bare_init();
	EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 2, 0, 0), TDX_OPERAND_INVALID | OPERAND_RCX);
	EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0), TDX_SYS_INIT_NOT_PENDING);
}

static void spoil_cpuid(uint32_t leaf)
{
	const struct cpuid_override nothing = {.leaf = leaf, .subleaf = UINT32_MAX};

	machine_set_cpuid(&bare_machine, &nothing);
}

TEST(model_sys_init_names_the_first_of_many_mistakes)
{
	/* The last to be looked at is spoiled first: each hides those before it. */
	static const struct {
		uint32_t msr;
		uint64_t value, status;
	} order[] = {
		{0x1f3, 0, TDX_SMRR_NOT_LOCKED},
		{0xfe, 0, TDX_SMRR_NOT_SUPPORTED},
		{0x99, 1, TDX_INCORRECT_MSR_VALUE | 0x99},
		{0x87, UINT64_C(0xffff00000040), TDX_NUM_ACTIVATED_HKIDS_NOT_SUPPORTED | 0x800},
		{0x981, 0, TDX_INCORRECT_MSR_VALUE | 0x981},
		{0x982, 0, TDX_INCORRECT_MSR_VALUE | 0x982},
		{0x489, 0, TDX_INCORRECT_MSR_VALUE | 0x489},
		{0x492, 0, TDX_INCORRECT_MSR_VALUE | 0x492},
		{0x48b, 0, TDX_INCORRECT_MSR_VALUE | 0x48b},
		{0x480, 0, TDX_INCORRECT_MSR_VALUE | 0x480},
		{0x1a0, 1 << 22, TDX_LIMIT_CPUID_MAXVAL_SET},
		{0x345, 0, TDX_INCORRECT_MSR_VALUE | 0x345},
		{0xbc, 0, TDX_INCORRECT_MSR_VALUE | 0xbc},
		{0xbd, 3, TDX_INCORRECT_MSR_VALUE | 0xbd},
		{0x10a, 0, TDX_INCORRECT_MSR_VALUE | 0x10a},
	};

	bare_power_on();
	bare_machine.rdrand_failures = 1000;
	EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0), TDX_RND_NO_ENTROPY);
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i].msr == 0x1a0) {
			spoil_cpuid(0x80000001);
			EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0),
				  TDX_INCORRECT_CPUID_VALUE);
		}
		machine_set_msr(&bare_machine, 0, order[i].msr, order[i].value);
		EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0), order[i].status);
	}
}

TEST(model_sys_init_checks_what_no_mask_of_cpuid_can_say)
{
	static const struct {
		struct cpuid_override leaf;
		uint64_t rdx, r8, r9, r10;
	} cases[] = {
		{{0xa, UINT32_MAX, {0x8300804, 0, 0xf, 0x8604}}, 0xf, 0, 5, 0},
		{{0xa, UINT32_MAX, {0x8300805, 0, 0xf, 0x8608}},
		 0,
		 UINT64_C(0x1f) << 32,
		 0,
		 UINT64_C(7) << 32},
		{{0x80000008, UINT32_MAX, {0x3034, 0x200, 0, 0}}, 0xff00, 0, 0x3900, 0},
		{{0x7, 0, {0x2, 0xf3ffa7eb, 0x9b407ffc, 0xff5d4430}}, 0xff00, 0, 0x3000, 0},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint64_t *gpr = bare_regs.gpr;

		bare_power_on();
		machine_set_cpuid(&bare_machine, &cases[i].leaf);
		EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0), TDX_INCORRECT_CPUID_VALUE);
		EXPECT_EQ(gpr[TDX_RDX], cases[i].rdx);
		EXPECT_EQ(gpr[TDX_R8], cases[i].r8);
		EXPECT_EQ(gpr[TDX_R9], cases[i].r9);
		EXPECT_EQ(gpr[TDX_R10], cases[i].r10);
	}
}

TEST(model_takes_leaves_beyond_the_cpus_last_as_zero)
{
	const struct cpuid_override counters = {0x23, 1, {0xffffffff, 0xffffffff, 0, 0}};
	struct cpuid_override last = {
		0x0, UINT32_MAX, {0x23, 0x756e6547, 0x6c65746e, 0x49656e69}};

	bare_power_on();
	machine_set_cpuid(&bare_machine, &counters);
	machine_set_cpuid(&bare_machine, &last);
	EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0), TDX_INCORRECT_CPUID_VALUE);
	last.regs[0] = 0x20;
	machine_set_cpuid(&bare_machine, &last);
	bare_init();
}

TEST(model_sys_lp_init_names_the_first_of_many_differences)
{
	static const uint32_t order[] = {0x99,  0x98,  0x87,  0x982, 0x981, 0x345, 0x489, 0x488,
					 0x487, 0x486, 0x48c, 0x485, 0x490, 0x48f, 0x492, 0x48b,
					 0x48e, 0x48d, 0x480, 0x1f3, 0x1f2, 0xfe,  0x3b};
	static const uint32_t before_cpuid[] = {0xbd, 0xbc, 0x10a, 0xcf};

	bare_power_on();
	EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0), TDX_SUCCESS);
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		machine_set_msr(&bare_machine, 1, order[i], 0x12345);
		EXPECT_EQ(bare_call(1, TDH_SYS_LP_INIT, 0, 0, 0),
			  TDX_INCONSISTENT_MSR | order[i]);
	}
	spoil_cpuid(0x80000001);
	EXPECT_EQ(bare_call(1, TDH_SYS_LP_INIT, 0, 0, 0), TDX_INCONSISTENT_CPUID_FIELD);
	machine_set_msr(&bare_machine, 1, 0x1a0, 1 << 22);
	EXPECT_EQ(bare_call(1, TDH_SYS_LP_INIT, 0, 0, 0), TDX_LIMIT_CPUID_MAXVAL_SET);
	for (unsigned i = 0; i < sizeof(before_cpuid) / sizeof(before_cpuid[0]); i++) {
		machine_set_msr(&bare_machine, 1, before_cpuid[i], 0x12345);
		EXPECT_EQ(bare_call(1, TDH_SYS_LP_INIT, 0, 0, 0),
			  TDX_INCONSISTENT_MSR | before_cpuid[i]);
	}
	bare_machine.rdrand_failures = 1;
	EXPECT_EQ(bare_call(1, TDH_SYS_LP_INIT, 0, 0, 0), TDX_RND_NO_ENTROPY);
	EXPECT_EQ(bare_machine.rdrand_failures, 0);
}

TEST(model_draws_256_random_bits_in_at_most_six_rdseeds)
{
	bare_start();
	bare_machine.rdseed_failures = 3;
	EXPECT_EQ(bare_call(0, TDH_MNG_CREATE, bare_page(0), BARE_KEYID + 1, 0),
		  TDX_RND_NO_ENTROPY);
	EXPECT_EQ(bare_machine.rdseed_failures, 0);
	bare_machine.rdseed_failures = 2;
	EXPECT_EQ(bare_call(0, TDH_MNG_CREATE, bare_page(0), BARE_KEYID + 1, 0), TDX_SUCCESS);
}

/* ---- what another LP sees while a call holds its locks ---- */

struct nested {
	unsigned lp, leaf;
	uint64_t rcx, rdx;
	uint64_t status; /* what the call must answer at some point of the outer one */
	bool running, seen;
};

static struct nested nested;

/* Asks at every step of the outer call, on another LP, until the answer is the expected one. */
static void ask(void *ctx)
{
	struct tdx_regs regs = {.gpr = {[TDX_RAX] = nested.leaf,
					[TDX_RCX] = nested.rcx,
					[TDX_RDX] = nested.rdx}};

	(void)ctx;
	if (nested.running || nested.seen)
		return;
	nested.running = true;
	tdx_model_seamcall(bare_model, nested.lp, &regs);
	nested.running = false;
	nested.seen = regs.gpr[TDX_RAX] == nested.status;
}

static bool sees(const struct nested *inner, unsigned leaf, uint64_t rcx, uint64_t rdx)
{
	nested = *inner;
	bare_machine.tick = ask;
	bare_call(0, leaf, rcx, rdx, 0);
	bare_machine.tick = NULL;
	return nested.seen;
}

TEST(model_sys_shutdown_looks_at_its_operand_before_the_lock)
{
	const struct nested wrong = {
		.lp = 1, .leaf = TDH_SYS_SHUTDOWN, .rcx = 1, .status = TDX_SYS_BUSY};
	const struct nested right = {.lp = 1, .leaf = TDH_SYS_SHUTDOWN, .status = TDX_SYS_BUSY};

	bare_start();
	EXPECT_TRUE(!sees(&wrong, TDH_SYS_CONFIG, 0, 0));
	EXPECT_TRUE(sees(&right, TDH_SYS_CONFIG, 0, 0));
}

TEST(model_sys_update_wants_the_whole_module)
{
	const struct nested update = {.lp = 1, .leaf = TDH_SYS_UPDATE, .status = TDX_SYS_BUSY};

	bare_start();
	EXPECT_TRUE(sees(&update, TDH_SYS_CONFIG, 0, 0));
	EXPECT_EQ(bare_call(0, TDH_SYS_UPDATE, 0, 0, 0), TDX_SYS_STATE_INCORRECT);
}

TEST(model_vpflushdone_locks_the_key_table_before_it_looks_at_the_td)
{
	const struct nested twice = {.lp = 1,
				     .leaf = TDH_MNG_VPFLUSHDONE,
				     .rcx = bare_page(0),
				     .status = TDX_OPERAND_BUSY | OPERAND_KOT};

	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	EXPECT_EQ(bare_call(0, TDH_MNG_VPFLUSHDONE, bare_page(0), 0, 0), TDX_SUCCESS);
	EXPECT_TRUE(sees(&twice, TDH_PHYMEM_CACHE_WB, 0, 0));
	EXPECT_EQ(bare_call(0, TDH_MNG_VPFLUSHDONE, bare_page(0), 0, 0),
		  TDX_LIFECYCLE_STATE_INCORRECT);
}

TEST(model_cache_wb_locks_the_key_table_before_it_looks_for_a_cycle)
{
	const struct nested resume = {.lp = 1,
				      .leaf = TDH_PHYMEM_CACHE_WB,
				      .rcx = 1,
				      .status = TDX_OPERAND_BUSY | OPERAND_KOT};

	bare_start();
	EXPECT_TRUE(sees(&resume, TDH_MNG_CREATE, bare_page(0), BARE_KEYID + 1));
	EXPECT_EQ(bare_call(0, TDH_PHYMEM_CACHE_WB, 1, 0, 0), TDX_WBCACHE_RESUME_ERROR);
}

/* ---- one mistake before another ---- */

TEST(model_sys_info_clears_its_page_before_it_looks_at_r8)
{
	const uint64_t page = BARE_HOST;
	const uint8_t zero[1024] = {0};

	bare_power_on();
	bare_init();
	memset(bare_memory(page), 0xcc, 2048);
	EXPECT_EQ(bare_call(0, TDH_SYS_INFO, page, 1023, 0), TDX_OPERAND_INVALID | OPERAND_RDX);
	EXPECT_EQ(*bare_memory(page), 0xcc);
	EXPECT_EQ(bare_call(0, TDH_SYS_INFO, page, 1024, 1), TDX_OPERAND_INVALID | OPERAND_R8);
	EXPECT_MEM_EQ(bare_memory(page), zero, sizeof(zero));
	EXPECT_EQ(*bare_memory(page + 1024), 0xcc);
}

TEST(model_addcx_counts_before_it_looks_at_the_page)
{
	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	for (unsigned i = 7; i < 10; i++)
		EXPECT_EQ(bare_call(0, TDH_MNG_ADDCX, bare_page(i), bare_page(0), 0),
			  TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MNG_ADDCX, 1, bare_page(0), 0), TDX_TDCX_NUM_INCORRECT);
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, bare_page(0), BARE_PARAMS, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MNG_ADDCX, bare_page(11), bare_page(0), 0),
		  TDX_TDCX_NUM_INCORRECT);
}

TEST(model_a_td_is_not_both_migratable_and_partitioned)
{
	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	EXPECT_EQ(bare_call(0, TDH_MNG_ADDCX, bare_page(7), bare_page(0), 0), TDX_SUCCESS);
	bare_memory(BARE_PARAMS)[3] = 0x20; /* MIGRATABLE */
	bare_memory(BARE_PARAMS)[18] = 1;   /* NUM_L2_VMS */
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, bare_page(0), BARE_PARAMS, 0),
		  TDX_OPERAND_INVALID | OPERAND_RDX);
	bare_memory(BARE_PARAMS)[3] = 0;
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, bare_page(0), BARE_PARAMS, 0), TDX_SUCCESS);
}

TEST(model_a_td_has_five_ept_levels_only_if_the_cpu_has_them)
{
	const uint64_t four_levels = UINT64_C(0xf0106f341c1) & ~UINT64_C(0x80);

	bare_power_on();
	for (unsigned lp = 0; lp < BARE_LPS; lp++)
		machine_set_msr(&bare_machine, lp, 0x48c, four_levels);
	bare_finish_start();
	bare_create_td(0, BARE_KEYID + 1);
	bare_memory(BARE_PARAMS)[24] = 0x26; /* EPTP_CONTROLS: five levels */
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, bare_page(0), BARE_PARAMS, 0),
		  TDX_OPERAND_INVALID | OPERAND_EPTP_CONTROLS);
	bare_memory(BARE_PARAMS)[24] = 0x1e;
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, bare_page(0), BARE_PARAMS, 0), TDX_SUCCESS);
}

TEST(model_measures_a_page_that_was_promoted_before_the_td_was_final)
{
	const uint64_t tdr = bare_page(0), pages = BARE_TDMR + 0x200000;
	uint64_t status = TDX_SUCCESS;

	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, tdr, BARE_PARAMS, 0), TDX_SUCCESS);
	for (unsigned level = 3; level > 0; level--)
		EXPECT_EQ(bare_call(0, TDH_MEM_SEPT_ADD, level, tdr, bare_page(10 + level)),
			  TDX_SUCCESS);
	for (unsigned i = 0; i < 512 && !status; i++) {
		struct tdx_regs regs = {.gpr = {[TDX_RAX] = TDH_MEM_PAGE_ADD,
						[TDX_RCX] = 0x1000 * i,
						[TDX_RDX] = tdr,
						[TDX_R8] = pages + 0x1000 * i,
						[TDX_R9] = BARE_HOST}};

		status = bare_call_regs(0, &regs);
	}
	EXPECT_EQ(status, TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_RANGE_BLOCK, 1, tdr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_PAGE_PROMOTE, 1, tdr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MR_EXTEND, 0x3100, tdr, 0), TDX_SUCCESS);
}

TEST(model_takes_an_lps_package_from_its_x2apic_id)
{
	const struct bare_tdmr tdmr = bare_tdmr();
	const struct cpuid_override package_1 = {
		.leaf = 0x1f, .subleaf = 0, .regs = {0x1, 0x2, 0x100, 0x80}};

	bare_power_on();
	EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_SYS_LP_INIT, 0, 0, 0), TDX_SUCCESS);
	machine_set_cpuid(&bare_machine, &package_1);
	for (unsigned lp = 1; lp < BARE_LPS; lp++)
		EXPECT_EQ(bare_call(lp, TDH_SYS_LP_INIT, 0, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_config(&tdmr, 1), TDX_SUCCESS);
	EXPECT_EQ(bare_call(1, TDH_SYS_KEY_CONFIG, 0, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(2, TDH_SYS_KEY_CONFIG, 0, 0, 0), TDX_KEY_CONFIGURED);
	EXPECT_EQ(bare_call(0, TDH_SYS_KEY_CONFIG, 0, 0, 0), TDX_SUCCESS);
}

/* A TD that may run (it has a vCPU), with its tables down to 4K from GPA 0; its pages end
 * at 16. */
static void finish_td(void)
{
	const uint64_t tdr = bare_page(0), tdvpr = bare_page(7);

	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, tdr, BARE_PARAMS, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_VP_CREATE, tdvpr, tdr, 0), TDX_SUCCESS);
	for (unsigned i = 8; i < 13; i++)
		EXPECT_EQ(bare_call(0, TDH_VP_ADDCX, bare_page(i), tdvpr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_VP_INIT, tdvpr, 0, 0), TDX_SUCCESS);
	for (unsigned level = 3; level > 0; level--)
		EXPECT_EQ(bare_call(0, TDH_MEM_SEPT_ADD, level, tdr, bare_page(12 + level)),
			  TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MR_FINALIZE, tdr, 0, 0), TDX_SUCCESS);
}

TEST(model_a_promoted_page_has_the_bepoch_of_its_former_life)
{
	const uint64_t tdr = bare_page(0), gpa = 0x200000, page = BARE_TDMR + 0x200000;

	finish_td();
	EXPECT_EQ(bare_call(0, TDH_MEM_TRACK, tdr, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_PAGE_AUG, gpa | 1, tdr, page), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_RANGE_BLOCK, gpa | 1, tdr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_TRACK, tdr, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_PAGE_DEMOTE, gpa | 1, tdr, bare_page(20)), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_PHYMEM_PAGE_RDMD, page, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_regs.gpr[TDX_R9], 0);
	EXPECT_EQ(bare_call(0, TDH_MEM_RANGE_BLOCK, gpa | 1, tdr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_TRACK, tdr, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_PAGE_PROMOTE, gpa | 1, tdr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_PHYMEM_PAGE_RDMD, page, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_regs.gpr[TDX_R8], 1);
	EXPECT_EQ(bare_regs.gpr[TDX_R9], 2);
}

TEST(model_demotes_into_a_table_page_without_clearing_its_bepoch)
{
	const uint64_t tdr = bare_page(0), gpa = 0x200000, table = bare_page(20);
	const uint64_t small = gpa + 0x200000;

	finish_td();
	EXPECT_EQ(bare_call(0, TDH_MEM_SEPT_ADD, small | 1, tdr, bare_page(21)), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_PAGE_AUG, small, tdr, table), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_RANGE_BLOCK, small, tdr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_TRACK, tdr, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_PAGE_REMOVE, small, tdr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_PAGE_AUG, gpa | 1, tdr, BARE_TDMR + 0x200000),
		  TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_RANGE_BLOCK, gpa | 1, tdr, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_TRACK, tdr, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MEM_PAGE_DEMOTE, gpa | 1, tdr, table), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_PHYMEM_PAGE_RDMD, table, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_regs.gpr[TDX_RCX], 8);
	EXPECT_EQ(bare_regs.gpr[TDX_R9], 1);
}

/* The virtual IA32_ARCH_CAPABILITIES of a DEBUG TD with this choice of the host's. */
static uint64_t arch_capabilities(uint8_t flags, uint64_t chosen)
{
	const struct tdx_regs rd = {.gpr = {[TDX_RAX] = TDH_MNG_RD,
					    [TDX_RCX] = bare_page(0),
					    [TDX_RDX] = UINT64_C(0x961000030000010a)}};
	uint64_t value;

	bare_create_td(0, BARE_KEYID + 1);
	bare_memory(BARE_PARAMS)[0] = 1;      /* DEBUG */
	bare_memory(BARE_PARAMS)[19] = flags; /* MSR_CONFIG_CTLS */
	memcpy(bare_memory(BARE_PARAMS + 224), &chosen, sizeof(chosen));
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, bare_page(0), BARE_PARAMS, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call_regs(0, &rd), TDX_SUCCESS);
	value = bare_regs.gpr[TDX_R8];
	bare_destroy_td(0);
	return value;
}

TEST(model_shows_a_td_the_arch_capabilities_it_may_rely_on)
{
	const uint64_t ssb_no = 1 << 4, rrsba = 1 << 19, bhi_no = 1 << 20;
	bare_power_on();
	for (unsigned lp = 0; lp < BARE_LPS; lp++)
		machine_set_msr(&bare_machine, lp, 0x10a, 0x20fd6b | ssb_no);
	bare_finish_start();
	EXPECT_EQ(arch_capabilities(0, 0), 0xf16b);
	EXPECT_EQ(arch_capabilities(1, ssb_no | bhi_no), 0xf16b | ssb_no);
	EXPECT_EQ(arch_capabilities(1, rrsba), 0xf16b | rrsba);
}

/* One element of CPUID_VALUES of a TD whose TD_PARAMS are those of a plain one but for a byte.
 */
static uint64_t cpuid_of_td(unsigned param, uint8_t value, uint32_t code)
{
	const struct tdx_regs rd = {.gpr = {[TDX_RAX] = TDH_MNG_RD,
					    [TDX_RCX] = bare_page(0),
					    [TDX_RDX] = UINT64_C(0x9410000300000000) | code}};

	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	bare_memory(BARE_PARAMS)[param] = value;
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, bare_page(0), BARE_PARAMS, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call_regs(0, &rd), TDX_SUCCESS);
	return bare_regs.gpr[TDX_R8];
}

TEST(model_shows_a_td_addresses_as_wide_as_its_page_tables)
{
	const unsigned features_ecx_23_16 = 256 + 16 * 5 + 10; /* 7.0 is CPUID_CONFIG 5 */

	EXPECT_EQ(cpuid_of_td(features_ecx_23_16, 0, 0x111fe), 0x3034);
	EXPECT_EQ(cpuid_of_td(features_ecx_23_16, 1, 0x111fe), 0x3934);
}

TEST(model_shows_a_td_the_xsave_area_of_its_own_features)
{
	const unsigned xfam = 8;

	EXPECT_EQ(cpuid_of_td(xfam, 0x3, 0x1a01), 0x240);
	EXPECT_EQ(cpuid_of_td(xfam, 0x7, 0x1a01), 0x340);
	EXPECT_EQ(cpuid_of_td(xfam, 0xe7, 0x1a01), 0xa80);
}

static void expect_untouched_by_rdall(uint64_t hpa)
{
	uint8_t before[4096];

	memcpy(before, bare_memory(hpa), sizeof(before));
	EXPECT_EQ(bare_call(0, TDH_SYS_RDALL, 0, hpa, ~UINT64_C(0)) >> 63, 0);
	EXPECT_MEM_EQ(bare_memory(hpa), before, sizeof(before));
}

TEST(model_owned_pages_keep_their_content_when_the_host_names_them_as_a_buffer)
{
	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	expect_untouched_by_rdall(bare_page(0));
	expect_untouched_by_rdall(BARE_PAMT);
	EXPECT_EQ(bare_call(0, TDH_MNG_VPFLUSHDONE, bare_page(0), 0, 0), 0);
}
