/* SPDX-License-Identifier: MIT */
#include "tests/unit/bare_model.h"

#include <stdlib.h>

#include "tests/unit/test.h"

#define MIB    UINT64_C(0x100000)
#define TDCXES 6u

struct machine bare_machine;
struct tdx_model *bare_model;
struct tdx_regs bare_regs;

static const struct tdx_platform platform = {
	.lp_count = BARE_LPS,
	.package_count = 2,
	.lp_package = {0, 0, 1, 1},
	.max_pa_bits = 52,
	.keyid_bits = 6,
	.first_private_keyid = BARE_KEYID,
	.private_keyid_count = BARE_KEYIDS,
	.wbinvd_blocks = 3,
	.cmr_count = 3,
	.cmr = {{MIB, 0x3ff00000}, {0x40000000, 0x20000000}, {BARE_TDMR, 2 * BARE_GIB}},
	.seamrr = {BARE_SEAMRR, 0x4000000},
	.build_date = 20240101,
};

void bare_power_on(void)
{
	struct tdx_machine callbacks;

	bare_machine.platform = platform;
	bare_machine.cpu_fms = 0x806f8;
	machine_reset(&bare_machine);
	callbacks = machine_callbacks(&bare_machine);
	if (!bare_model)
		bare_model = aligned_alloc(64, (tdx_model_size() + 63) / 64 * 64);
	tdx_model_init(bare_model, &bare_machine.platform, &callbacks);
}

uint64_t bare_call_regs(unsigned lp, const struct tdx_regs *regs)
{
	bare_regs = *regs;
	tdx_model_seamcall(bare_model, lp, &bare_regs);
	return bare_regs.gpr[TDX_RAX];
}

uint64_t bare_call(unsigned lp, unsigned leaf, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	const struct tdx_regs regs = {
		.gpr = {[TDX_RAX] = leaf, [TDX_RCX] = rcx, [TDX_RDX] = rdx, [TDX_R8] = r8}};

	return bare_call_regs(lp, &regs);
}

void bare_init(void)
{
	EXPECT_EQ(bare_call(0, TDH_SYS_INIT, 0, 0, 0), TDX_SUCCESS);
	for (unsigned lp = 0; lp < BARE_LPS; lp++)
		EXPECT_EQ(bare_call(lp, TDH_SYS_LP_INIT, 0, 0, 0), TDX_SUCCESS);
}

struct bare_tdmr bare_tdmr(void)
{
	return (struct bare_tdmr){
		.base = BARE_TDMR,
		.size = BARE_GIB,
		.pamt = {{BARE_PAMT, 0x1000},
			 {BARE_PAMT + 0x1000, 0x2000},
			 {BARE_PAMT + MIB, 4 * MIB}},
	};
}

uint64_t bare_config(const struct bare_tdmr *tdmr, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t at = BARE_INFO + 512 * (uint64_t)i;

		memcpy(bare_memory(at), &tdmr[i], sizeof(tdmr[i]));
		memcpy(bare_memory(BARE_HOST + 8 * (uint64_t)i), &at, sizeof(at));
	}
	return bare_call(0, TDH_SYS_CONFIG, BARE_HOST, count, BARE_KEYID);
}

void bare_finish_start(void)
{
	const struct bare_tdmr tdmr = bare_tdmr();

	bare_init();
	EXPECT_EQ(bare_config(&tdmr, 1), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_SYS_KEY_CONFIG, 0, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(2, TDH_SYS_KEY_CONFIG, 0, 0, 0), TDX_SUCCESS);
	do
		EXPECT_EQ(bare_call(0, TDH_SYS_TDMR_INIT, BARE_TDMR, 0, 0), TDX_SUCCESS);
	while (bare_regs.gpr[TDX_RDX] < BARE_TDMR + BARE_GIB && test_failures == 0);
}

void bare_start(void)
{
	bare_power_on();
	bare_finish_start();
}

static void write_params(void)
{
	const uint64_t xfam = 7, max_vcpus = 4, eptp = 0x1e, tsc_frequency = 100;

	memset(bare_memory(BARE_PARAMS), 0, 1024);
	memcpy(bare_memory(BARE_PARAMS + 8), &xfam, sizeof(xfam));
	memcpy(bare_memory(BARE_PARAMS + 16), &max_vcpus, 2);
	memcpy(bare_memory(BARE_PARAMS + 24), &eptp, sizeof(eptp));
	memcpy(bare_memory(BARE_PARAMS + 40), &tsc_frequency, 2);
}

void bare_create_td(unsigned i, uint64_t keyid)
{
	EXPECT_EQ(bare_call(0, TDH_MNG_CREATE, bare_page(i), keyid, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MNG_KEY_CONFIG, bare_page(i), 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(2, TDH_MNG_KEY_CONFIG, bare_page(i), 0, 0), TDX_SUCCESS);
	for (unsigned j = 1; j <= TDCXES; j++)
		EXPECT_EQ(bare_call(0, TDH_MNG_ADDCX, bare_page(i + j), bare_page(i), 0),
			  TDX_SUCCESS);
	write_params();
}

void bare_destroy_td(unsigned i)
{
	EXPECT_EQ(bare_call(0, TDH_MNG_VPFLUSHDONE, bare_page(i), 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_PHYMEM_CACHE_WB, 0, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(2, TDH_PHYMEM_CACHE_WB, 0, 0, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MNG_KEY_FREEID, bare_page(i), 0, 0), TDX_SUCCESS);
	for (unsigned j = TDCXES; j <= TDCXES; j--)
		EXPECT_EQ(bare_call(0, TDH_PHYMEM_PAGE_RECLAIM, bare_page(i + j), 0, 0),
			  TDX_SUCCESS);
}
