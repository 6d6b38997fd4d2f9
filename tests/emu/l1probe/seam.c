/* SPDX-License-Identifier: MIT */
/* SEAMCALL, and the shortest way to a module that is ready. */
#include "tests/emu/l1probe/seam.h"

#include "tdx/tdx_abi.h"
#include "tests/emu/l1probe/ap.h"
#include "tests/emu/l1probe/entry.h"
#include "tests/emu/l1probe/probe.h"
#include "tests/emu/l1probe/probe_insn.h"
#include "tests/emu/svm_insn.h"
#include "tests/guest/tap.h"
#include "tests/model/tdx_model.h"

#define MSR_KEYID_PARTITIONING 0x87U
#define MSR_SEAMRR_BASE        0x1400U

#define P_SEAMLDR_INFO (UINT64_C(1) << 63)
#define RAX_RESERVED   (UINT64_C(1) << 40)

#define MAX_CMRS        32
#define SYSINFO_BYTES   1024
#define TDMR_INFO_WORDS 40
#define PAMT_ENTRY      UINT64_C(16)

#define CODE(status) ((uint64_t)TDX_##status << 32)

bool seam_kept_rest;

enum outcome seamcall(struct seam_call *call)
{
	uint64_t before[16], after[16], flags;
	enum outcome outcome;

	for (unsigned i = 0; i < 16; i++)
		before[i] = UINT64_C(0x1111111111111111) * i + 5;
	before[TDX_RAX] = call->rax;
	before[TDX_RCX] = call->rcx;
	before[TDX_RDX] = call->rdx;
	before[TDX_R8] = call->r8;
	before[TDX_R9] = call->r9;
	before[TDX_R10] = call->r10;
	before[TDX_R11] = call->r11;
	for (unsigned i = 0; i < 16; i++)
		after[i] = before[i];
	trap_arm();
	probe_seamcall(after, &flags);
	outcome = trap_outcome(flags);
	*call = (struct seam_call){.rax = after[TDX_RAX],
				   .rcx = after[TDX_RCX],
				   .rdx = after[TDX_RDX],
				   .r8 = after[TDX_R8],
				   .r9 = after[TDX_R9],
				   .r10 = after[TDX_R10],
				   .r11 = after[TDX_R11]};
	seam_kept_rest = true;
	for (unsigned i = TDX_RBX; i < 16; i++) {
		if ((i < TDX_R8 || i > TDX_R11) && after[i] != before[i])
			seam_kept_rest = false;
	}
	return outcome;
}

uint64_t seam_rax(uint64_t leaf, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	struct seam_call call = {.rax = leaf, .rcx = rcx, .rdx = rdx, .r8 = r8};

	return seamcall(&call) == DONE && seam_kept_rest ? call.rax : UINT64_MAX;
}

static bool succeeds(uint64_t leaf, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	return tap_equal("RAX", seam_rax(leaf, rcx, rdx, r8), 0);
}

static bool loader_fails(void)
{
	struct seam_call call = {.rax = P_SEAMLDR_INFO, .rcx = ARENA_REST, .rdx = 2, .r8 = 3};

	return seamcall(&call) == FAIL_INVALID && call.rax == P_SEAMLDR_INFO &&
	       call.rcx == ARENA_REST && call.rdx == 2 && call.r8 == 3 && seam_kept_rest;
}

static bool not_ready(void)
{
	return tap_equal("RAX", seam_rax(SEAM_LEAF_UNKNOWN, 0, 0, 0), CODE(SYS_NOT_READY));
}

static bool reserved_bits_first(void)
{
	return tap_equal("RAX", seam_rax(RAX_RESERVED, 0, 0, 0), CODE(OPERAND_INVALID));
}

static bool sys_init(void) { return succeeds(TDH_SYS_INIT, 0, 0, 0); }

static uint64_t ap_rax;

static void ap_lp_init(void)
{
	uint64_t gpr[16] = {TDH_SYS_LP_INIT};
	uint64_t flags;

	/* The AP's faults are not caught, so it may share the resume address. */
	probe_seamcall(gpr, &flags);
	trap_resume = 0;
	ap_rax = gpr[TDX_RAX];
}

static bool lp_init(void)
{
	return succeeds(TDH_SYS_LP_INIT, 0, 0, 0) && ap_run(ap_lp_init) &&
	       tap_equal("RAX of the second CPU", ap_rax, 0);
}

static bool once_per_lp(void)
{
	return tap_equal("RAX", seam_rax(TDH_SYS_LP_INIT, 0, 0, 0), CODE(SYS_LP_INIT_DONE));
}

static bool cmrs_have_a_hole(void)
{
	const struct tdx_range *cmr = (const struct tdx_range *)(ARENA_REST + PAGE_SIZE);
	uint64_t seam = insn_rdmsr(MSR_SEAMRR_BASE) & ~UINT64_C(0xfff);
	struct seam_call call = {.rax = TDH_SYS_INFO,
				 .rcx = ARENA_REST,
				 .rdx = SYSINFO_BYTES,
				 .r8 = ARENA_REST + PAGE_SIZE,
				 .r9 = MAX_CMRS};
	unsigned count = 0;

	if (seamcall(&call) != DONE || call.rax != 0 || !seam_kept_rest)
		return false;
	for (; count < MAX_CMRS && cmr[count].size != 0; count++) {
		if (seam - cmr[count].base < cmr[count].size)
			return false;
	}
	return count >= 2;
}

static uint64_t global_keyid(void)
{
	return (insn_rdmsr(MSR_KEYID_PARTITIONING) & 0xffffffff) + 1;
}

static void plan(void)
{
	uint64_t *list = (uint64_t *)ARENA_REST;
	uint64_t *tdmr = (uint64_t *)(ARENA_REST + PAGE_SIZE);
	uint64_t bytes_4k = TDMR_SIZE / PAGE_SIZE * PAMT_ENTRY;

	for (unsigned i = 0; i < TDMR_INFO_WORDS; i++)
		tdmr[i] = 0;
	tdmr[0] = TDMR_BASE;
	tdmr[1] = TDMR_SIZE;
	tdmr[2] = PAMT_BASE;
	tdmr[3] = PAGE_SIZE;
	tdmr[4] = PAMT_BASE + PAGE_SIZE;
	tdmr[5] = 2 * PAGE_SIZE;
	tdmr[6] = PAMT_BASE + 3 * PAGE_SIZE;
	tdmr[7] = bytes_4k;
	/* Reserved: everything but the block. */
	tdmr[8] = 0;
	tdmr[9] = BLOCK_BASE - TDMR_BASE;
	tdmr[10] = BLOCK_BASE + BLOCK_SIZE - TDMR_BASE;
	tdmr[11] = TDMR_SIZE - tdmr[10];
	list[0] = (uint64_t)tdmr;
}

static bool sys_config(void)
{
	plan();
	return succeeds(TDH_SYS_CONFIG, ARENA_REST, 1, global_keyid());
}

static bool key_config(void) { return succeeds(TDH_SYS_KEY_CONFIG, 0, 0, 0); }

static bool tdmr_init(void)
{
	uint64_t next = TDMR_BASE;

	for (unsigned i = 0; i < TDMR_SIZE >> 20 && next < TDMR_BASE + TDMR_SIZE; i++) {
		struct seam_call call = {.rax = TDH_SYS_TDMR_INIT, .rcx = TDMR_BASE};

		if (seamcall(&call) != DONE || call.rax != 0 || !seam_kept_rest)
			return false;
		next = call.rdx;
	}
	return next == TDMR_BASE + TDMR_SIZE;
}

static bool unknown_leaf(void)
{
	return tap_equal("RAX", seam_rax(SEAM_LEAF_UNKNOWN, 0, 0, 0), CODE(OPERAND_INVALID));
}

static bool keeps_registers(void)
{
	struct seam_call call = {.rax = SEAM_LEAF_UNKNOWN,
				 .rcx = 1,
				 .rdx = 2,
				 .r8 = 8,
				 .r9 = 9,
				 .r10 = 10,
				 .r11 = 11};

	return seamcall(&call) == DONE && call.rcx == 1 && call.rdx == 2 && call.r8 == 8 &&
	       call.r9 == 9 && call.r10 == 10 && call.r11 == 11 && seam_kept_rest;
}

const struct probe_test seam_tests[] = {
	{"a call of the P-SEAMLDR fails with CF and changes no register", loader_fails},
	{"SEAMCALL in VMX operation clears CF; before bring-up the module is not ready",
	 not_ready},
	{"reserved bits of RAX are refused before that", reserved_bits_first},
	{"TDH.SYS.INIT succeeds", sys_init},
	{"TDH.SYS.LP.INIT succeeds on both CPUs", lp_init},
	{"TDH.SYS.LP.INIT succeeds once per CPU", once_per_lp},
	{"TDH.SYS.INFO tells two or more CMRs, and the SEAM range lies in none",
	 cmrs_have_a_hole},
	{"TDH.SYS.CONFIG takes a TDMR with one block that is not reserved", sys_config},
	{"TDH.SYS.KEY.CONFIG makes the module ready", key_config},
	{"TDH.SYS.TDMR.INIT gets to the TDMR's end", tdmr_init},
	{"an unknown leaf is OPERAND_INVALID", unknown_leaf},
	{"registers that a leaf does not list as outputs keep their values", keeps_registers},
	{NULL, NULL},
};
