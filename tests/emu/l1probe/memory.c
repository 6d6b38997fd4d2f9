/* SPDX-License-Identifier: MIT */
/* Memory that is not L1's own, while it is the module's and afterwards. */
#include "core/x86.h"
#include "tdx/tdx_abi.h"
#include "tests/emu/l1probe/ap.h"
#include "tests/emu/l1probe/probe.h"
#include "tests/emu/l1probe/probe_insn.h"
#include "tests/emu/l1probe/seam.h"
#include "tests/emu/svm_insn.h"
#include "tests/guest/tap.h"

#define MSR_KEYID_PARTITIONING 0x87U
#define MSR_MCG_EXT_CTL        0x4d0U
#define MSR_SEAMRR_BASE        0x1400U

#define MCG_RIPV UINT64_C(1)
#define MCG_EIPV UINT64_C(2)
#define MCG_MCIP UINT64_C(4)
#define MCG_LMCE UINT64_C(8)

#define STATUS_UC   (UINT64_C(1) << 61)
#define STATUS_EN   (UINT64_C(1) << 60)
#define STATUS_PCC  (UINT64_C(1) << 57)
#define STATUS_S    (UINT64_C(1) << 56)
#define STATUS_AR   (UINT64_C(1) << 55)
#define MCACOD_DATA UINT64_C(0x134)

#define TDR_PAGE BLOCK_BASE
#define PATTERN  UINT64_C(0x5a5a5a5a5a5a5a5a)

#define CODE(status) ((uint64_t)TDX_##status << 32)

static uint64_t td_keyid(void) { return (insn_rdmsr(MSR_KEYID_PARTITIONING) & 0xffffffff) + 2; }

static volatile uint64_t *page_words(uint64_t page) { return (volatile uint64_t *)page; }

static bool page_is_ours(void)
{
	uint64_t value;

	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		page_words(TDR_PAGE)[i] = PATTERN;
	return try_read(TDR_PAGE, &value) == DONE && value == PATTERN;
}

static bool create(void)
{
	insn_wrmsr(MSR_MCG_EXT_CTL, 1);
	insn_write_cr4(insn_read_cr4() | CR4_MCE);
	return tap_equal("RAX", seam_rax(TDH_MNG_CREATE, TDR_PAGE, td_keyid(), 0), 0);
}

/* Did the access end in one #MC that tells this address, on this CPU alone? */
static bool told(enum outcome outcome, uint64_t count, uint64_t address)
{
	uint64_t wanted = MC_STATUS_VALID | STATUS_UC | STATUS_EN | MC_STATUS_ADDRV | STATUS_S |
			  STATUS_AR | MCACOD_DATA;
	uint64_t mask = wanted | STATUS_PCC | 0xffff;

	return tap_equal("outcome", outcome, FAULT_MC) &&
	       tap_equal("machine checks", mc_seen.count, count + 1) &&
	       tap_equal("MCi_STATUS", mc_seen.status & mask, wanted) &&
	       tap_equal("MCi_ADDR", mc_seen.address, address & ~UINT64_C(63)) &&
	       tap_equal("MCG_STATUS", mc_seen.mcg_status,
			 MCG_RIPV | MCG_EIPV | MCG_MCIP | MCG_LMCE);
}

static bool read_is_mc(uint64_t address)
{
	uint64_t count = mc_seen.count;
	uint64_t value;

	return told(try_read(address, &value), count, address);
}

static bool write_is_mc(uint64_t address)
{
	uint64_t count = mc_seen.count;

	return told(try_write(address, PATTERN), count, address);
}

static bool reads_tdr(void) { return read_is_mc(TDR_PAGE) && read_is_mc(TDR_PAGE + 0xff8); }
static bool writes_tdr(void) { return write_is_mc(TDR_PAGE + 0x448); }

static bool moves_line_to_tdr(void)
{
	static const uint8_t line[64] __attribute__((aligned(64)));
	uint64_t count = mc_seen.count;

	return told(try_movdir64b(TDR_PAGE + 0x40, line), count, TDR_PAGE + 0x40);
}

static bool stores_vmcs_pointer_to_tdr(void)
{
	uint64_t count = mc_seen.count;

	return told(try_vmptrst((uint64_t *)(TDR_PAGE + 0x80)), count, TDR_PAGE + 0x80);
}

static bool neighbour_is_ours(void)
{
	uint64_t value;

	return try_write(TDR_PAGE + PAGE_SIZE, PATTERN) == DONE &&
	       try_read(TDR_PAGE + PAGE_SIZE, &value) == DONE && value == PATTERN;
}

static bool touches_pamt(void)
{
	return read_is_mc(PAMT_BASE) && write_is_mc(PAMT_BASE + PAGE_SIZE) &&
	       read_is_mc(PAMT_BASE + 3 * PAGE_SIZE) &&
	       read_is_mc(PAMT_BASE + (UINT64_C(4) << 20));
}

static bool touches_emulator(void)
{
	uint64_t seam = insn_rdmsr(MSR_SEAMRR_BASE) & ~UINT64_C(0xfff);

	return read_is_mc(seam) && write_is_mc(seam) && read_is_mc(seam + 0x1fffff8);
}

/* Without LMCE every CPU takes the machine check, and only one has the bank. */
static bool is_broadcast(void)
{
	uint64_t count = mc_seen.count;
	uint64_t on_ap = ap_taken[VECTOR_MC];
	uint64_t value;
	bool ok;

	insn_wrmsr(MSR_MCG_EXT_CTL, 0);
	ok = try_read(TDR_PAGE, &value) == FAULT_MC && mc_seen.count == count + 1 &&
	     mc_seen.mcg_status == (MCG_RIPV | MCG_EIPV | MCG_MCIP) &&
	     probe_wait(&ap_taken[VECTOR_MC], on_ap + 1);
	insn_wrmsr(MSR_MCG_EXT_CTL, 1);
	return ok && ap_mc_banks == 0 && (ap_mcg_status & MCG_MCIP) != 0 &&
	       (ap_mcg_status & MCG_EIPV) == 0;
}

static bool module_refuses_it_as_operand(void)
{
	return seam_rax(TDH_MNG_CREATE, TDR_PAGE, td_keyid() + 1, 0) ==
	       (CODE(PAGE_METADATA_INCORRECT) | 1);
}

static bool tear_down(void)
{
	return tap_equal("VPFLUSHDONE", seam_rax(TDH_MNG_VPFLUSHDONE, TDR_PAGE, 0, 0), 0) &&
	       tap_equal("CACHE.WB", seam_rax(TDH_PHYMEM_CACHE_WB, 0, 0, 0), 0) &&
	       tap_equal("KEY.FREEID", seam_rax(TDH_MNG_KEY_FREEID, TDR_PAGE, 0, 0), 0);
}

static bool reclaim(void)
{
	struct seam_call call = {.rax = TDH_PHYMEM_PAGE_RECLAIM, .rcx = TDR_PAGE, .r8 = 8};

	return seamcall(&call) == DONE && call.rax == 0 && seam_kept_rest;
}

/* Neither what we wrote nor zero nor anything that repeats. */
static bool is_noise(void)
{
	const volatile uint64_t *words = page_words(TDR_PAGE);
	uint64_t value;

	if (try_read(TDR_PAGE, &value) != DONE)
		return false;
	for (unsigned i = 1; i < PAGE_SIZE / 8; i++) {
		if (words[i] == PATTERN || words[i] == 0 || words[i] == words[i - 1])
			return false;
	}
	return true;
}

static bool takes_writes(void)
{
	uint64_t value;

	return try_write(TDR_PAGE, PATTERN) == DONE && try_read(TDR_PAGE, &value) == DONE &&
	       value == PATTERN;
}

static uint64_t ap_read;

static void read_on_ap(void) { ap_read = *page_words(TDR_PAGE); }

static bool ap_reads_it(void) { return ap_run(read_on_ap) && ap_read == PATTERN; }

const struct probe_test memory_tests[] = {
	{"a page of TDX memory is ours before it is given away", page_is_ours},
	{"TDH.MNG.CREATE takes it as TDR", create},
	{"reading it is #MC with its address in a bank", reads_tdr},
	{"writing it is #MC with its address in a bank", writes_tdr},
	{"MOVDIR64B to it is #MC, though emulated", moves_line_to_tdr},
	{"so is VMPTRST", stores_vmcs_pointer_to_tdr},
	{"the next page is ours", neighbour_is_ours},
	{"the PAMT is the module's, from its first page to its last", touches_pamt},
	{"the emulator's own memory is out of reach", touches_emulator},
	{"without LMCE the machine check is broadcast", is_broadcast},
	{"the module refuses the page for another TD", module_refuses_it_as_operand},
	{"the TD is torn down, its KeyID first", tear_down},
	{"between that and the reclaim the page is still not ours", reads_tdr},
	{"TDH.PHYMEM.PAGE.RECLAIM gives it back", reclaim},
	{"it reads as pseudo-random bytes", is_noise},
	{"it takes writes", takes_writes},
	{"the second CPU sees them", ap_reads_it},
	{NULL, NULL},
};
