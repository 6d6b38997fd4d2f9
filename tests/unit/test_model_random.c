/* SPDX-License-Identifier: MIT */
/*
 * Random SEAMCALLs by a host that half knows what it does, with a guest that does anything:
 * the software TDX module answers each, keeps no lock, and a refused call changes no page.
 */
#include "tests/unit/bare_model.h"
#include "tests/unit/test.h"

#define ROUNDS     80u
#define CALLS      400u
#define PAGES      48u
#define LARGE      (BARE_TDMR + 0x400000) /* two pages of 2M */
#define TDR        bare_page(0)
#define TDVPR      bare_page(8)
#define TREE       bare_page(16)
#define TDCXES     5u /* that a TDVPR needs */
#define ERROR      (UINT64_C(1) << 63)
#define TDCALL     77
#define CS_LONG    0xa09b
#define MAX_ACTS   3u /* of the guest in one TDH.VP.ENTER */
#define MAX_REASON 80u

static uint64_t state;
static unsigned acts;

static uint64_t draw(uint64_t bound) { return pattern_next(&state) % bound; }
static bool now_and_then(void) { return draw(16) == 0; }

static uint64_t any_page(void)
{
	switch (draw(8)) {
	case 0:
	case 1:
		return TDR;
	case 2:
		return TDVPR;
	case 3:
		return LARGE + 0x200000 * draw(2);
	default:
		return bare_page((unsigned)draw(PAGES));
	}
}

/* With its level; mostly one of a few small pages beside each other. */
static uint64_t any_gpa(void)
{
	static const uint64_t base[] = {0, 0x200000, 0x40000000, UINT64_C(1) << 47};

	if (draw(4) > 0)
		return 0x1000 * draw(6);
	return base[draw(4)] + draw(5);
}

static uint64_t any_word(void)
{
	switch (draw(8)) {
	case 0:
		return draw(4);
	case 1:
		return BARE_KEYID + draw(5);
	case 2:
		return BARE_HOST + 0x400 * draw(32);
	case 3:
		return pattern_next(&state);
	case 4:
		return ~UINT64_C(0);
	case 5:
		return any_gpa();
	default:
		return any_page();
	}
}

/* Which register a leaf takes for what, as far as a good host knows; 0: none. */
static const struct {
	uint8_t leaf, tdr, tdvpr, page, gpa;
} usual[] = {
	{TDH_VP_ENTER, 0, TDX_RCX, 0, 0},
	{TDH_VP_ENTER, 0, TDX_RCX, 0, 0},
	{TDH_MNG_ADDCX, TDX_RDX, 0, TDX_RCX, 0},
	{TDH_MEM_PAGE_ADD, TDX_RDX, 0, TDX_R8, TDX_RCX},
	{TDH_MEM_SEPT_ADD, TDX_RDX, 0, TDX_R8, TDX_RCX},
	{TDH_VP_ADDCX, 0, TDX_RDX, TDX_RCX, 0},
	{TDH_MEM_PAGE_RELOCATE, TDX_RDX, 0, TDX_R8, TDX_RCX},
	{TDH_MEM_PAGE_AUG, TDX_RDX, 0, TDX_R8, TDX_RCX},
	{TDH_MEM_RANGE_BLOCK, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_MNG_KEY_CONFIG, TDX_RCX, 0, 0, 0},
	{TDH_MNG_CREATE, TDX_RCX, 0, 0, 0},
	{TDH_VP_CREATE, TDX_RDX, 0, TDX_RCX, 0},
	{TDH_MNG_RD, TDX_RCX, 0, 0, 0},
	{TDH_MEM_RD, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_MNG_WR, TDX_RCX, 0, 0, 0},
	{TDH_MEM_WR, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_MEM_PAGE_DEMOTE, TDX_RDX, 0, TDX_R8, TDX_RCX},
	{TDH_MR_EXTEND, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_VP_FLUSH, 0, TDX_RCX, 0, 0},
	{TDH_VP_INIT, 0, TDX_RCX, 0, 0},
	{TDH_MEM_PAGE_PROMOTE, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_MEM_SEPT_RD, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_VP_RD, 0, TDX_RCX, 0, 0},
	{TDH_MEM_PAGE_REMOVE, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_MEM_SEPT_REMOVE, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_MEM_TRACK, TDX_RCX, 0, 0, 0},
	{TDH_MEM_RANGE_UNBLOCK, TDX_RDX, 0, 0, TDX_RCX},
	{TDH_PHYMEM_PAGE_WBINVD, TDX_RCX, 0, 0, 0},
	{TDH_VP_WR, 0, TDX_RCX, 0, 0},
};

static void fill(struct tdx_regs *regs)
{
	bool zero = draw(2), ones = draw(4) == 0;

	for (unsigned i = 0; i < TDX_GPR_COUNT; i++)
		regs->gpr[i] = zero ? 0 : ones ? ~UINT64_C(0) : any_word();
}

static struct tdx_regs plausible_call(void)
{
	unsigned i = (unsigned)draw(sizeof(usual) / sizeof(usual[0]));
	struct tdx_regs regs;

	fill(&regs);
	regs.gpr[TDX_RAX] = usual[i].leaf | (uint64_t)now_and_then() << 16;
	if (usual[i].tdr)
		regs.gpr[usual[i].tdr] = now_and_then() ? any_page() : TDR;
	if (usual[i].tdvpr)
		regs.gpr[usual[i].tdvpr] = now_and_then() ? any_page() : TDVPR;
	if (usual[i].page)
		regs.gpr[usual[i].page] = any_page();
	if (usual[i].gpa)
		regs.gpr[usual[i].gpa] = any_gpa();
	if (now_and_then())
		regs.gpr[draw(TDX_GPR_COUNT)] ^= UINT64_C(1) << draw(64);
	return regs;
}

/* Any leaf: also those that end a TD, or do not exist. */
static struct tdx_regs any_call(void)
{
	struct tdx_regs regs;

	fill(&regs);
	regs.gpr[TDX_RAX] = draw(100);
	if (now_and_then())
		regs.gpr[TDX_RAX] = any_word();
	return regs;
}

/* The guest does something, then takes an interrupt. */
static void guest(void *ctx, unsigned lp, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	struct tdx_guest_state *s = vcpu->state;

	(void)ctx;
	(void)lp;
	s->event = 0;
	exit->reason = 1;
	if (acts++ == MAX_ACTS)
		return;
	for (unsigned i = 0; i < TDX_GPR_COUNT; i++)
		s->gpr[i] = any_word();
	s->segment[TDX_CS].access_rights = CS_LONG;
	exit->reason = (uint32_t)draw(MAX_REASON);
	exit->qualification = any_word();
	exit->gpa = any_gpa();
	exit->interruption_info = (uint32_t)any_word();
	exit->instruction_length = (uint32_t)draw(16);
	exit->instruction_info = (uint32_t)any_word();
	if (!now_and_then()) {
		exit->reason = TDCALL;
		s->gpr[TDX_RAX] = draw(30);
	}
}

/* A TD that runs: one vCPU, its tables down to 4K, a measured page. */
static void build(void)
{
	struct tdx_regs add = {.gpr = {[TDX_RAX] = TDH_MEM_PAGE_ADD,
				       [TDX_RDX] = TDR,
				       [TDX_R8] = bare_page(20),
				       [TDX_R9] = BARE_HOST}};

	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	bare_memory(BARE_PARAMS)[0] = 1; /* DEBUG */
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, TDR, BARE_PARAMS, 0), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_VP_CREATE, TDVPR, TDR, 0), TDX_SUCCESS);
	for (unsigned i = 1; i <= TDCXES; i++)
		EXPECT_EQ(bare_call(0, TDH_VP_ADDCX, TDVPR + 0x1000 * i, TDVPR, 0),
			  TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_VP_INIT, TDVPR, 0, 0), TDX_SUCCESS);
	for (unsigned level = 3; level > 0; level--)
		EXPECT_EQ(bare_call(0, TDH_MEM_SEPT_ADD, level, TDR, TREE + 0x1000 * level),
			  TDX_SUCCESS);
	EXPECT_EQ(bare_call_regs(0, &add), TDX_SUCCESS);
	EXPECT_EQ(bare_call(0, TDH_MR_FINALIZE, TDR, 0, 0), TDX_SUCCESS);
}

/* What the host can learn of each page: type, owner, size, BEPOCH. */
struct pages {
	uint64_t seen[PAGES + 2][4];
};

static void look(struct pages *pages)
{
	for (unsigned i = 0; i < PAGES + 2; i++) {
		uint64_t page = i < PAGES ? bare_page(i) : LARGE + 0x200000 * (i - PAGES);
		struct tdx_regs regs = {
			.gpr = {[TDX_RAX] = TDH_PHYMEM_PAGE_RDMD, [TDX_RCX] = page}};

		tdx_model_seamcall(bare_model, 0, &regs);
		EXPECT_EQ(regs.gpr[TDX_RAX], TDX_SUCCESS); /* and not busy */
		memcpy(pages->seen[i], &regs.gpr[TDX_RCX], sizeof(pages->seen[i][0]));
		pages->seen[i][1] = regs.gpr[TDX_RDX];
		pages->seen[i][2] = regs.gpr[TDX_R8];
		pages->seen[i][3] = regs.gpr[TDX_R9];
	}
}

/*
 * After a shutdown there is nothing to see. The outputs of the other two would go to pages
 * that the module owns, which the CPU punishes, not the module.
 */
static bool is_barred(uint64_t leaf)
{
	return leaf == TDH_SYS_SHUTDOWN || leaf == TDH_SYS_INFO || leaf == TDH_SYS_RDALL;
}

static void one_call(struct pages *before)
{
	struct tdx_regs regs = now_and_then() ? any_call() : plausible_call();
	unsigned lp = now_and_then() ? (unsigned)draw(BARE_LPS) : 0;
	uint64_t rax = regs.gpr[TDX_RAX], rsp = regs.gpr[TDX_RSP];
	struct pages after;

	if (is_barred(rax & 0xffff))
		return;
	acts = 0;
	bare_call_regs(lp, &regs);
	EXPECT_EQ(bare_regs.gpr[TDX_RSP], rsp);
	look(&after);
	if ((bare_regs.gpr[TDX_RAX] & ERROR) && memcmp(before, &after, sizeof(after)) != 0)
		test_fail(__FILE__, __LINE__, "RAX %#llx was refused with %#llx after a change",
			  (unsigned long long)rax, (unsigned long long)bare_regs.gpr[TDX_RAX]);
	*before = after;
}

TEST(model_answers_any_host_and_a_refused_call_changes_no_page)
{
	struct pages pages;

	for (unsigned round = 0; round < ROUNDS; round++) {
		build();
		bare_machine.run_guest = guest;
		state = round;
		look(&pages);
		for (unsigned i = 0; i < CALLS && test_failures == 0; i++)
			one_call(&pages);
	}
}

static void flip_bits(void *bytes, size_t size)
{
	for (uint64_t flips = 1 + draw(3); flips > 0; flips--)
		((uint8_t *)bytes)[draw(size)] ^= (uint8_t)(1u << draw(8));
}

TEST(model_mng_init_that_was_refused_can_be_repeated)
{
	unsigned refused = 0;

	bare_start();
	state = 1;
	for (unsigned round = 0; round < 400 && test_failures == 0; round++) {
		uint8_t good[1024];
		uint64_t status;

		bare_create_td(0, BARE_KEYID + 1);
		memcpy(good, bare_memory(BARE_PARAMS), sizeof(good));
		flip_bits(bare_memory(BARE_PARAMS), draw(2) ? 64 : sizeof(good));
		status = bare_call(0, TDH_MNG_INIT, TDR, BARE_PARAMS, 0);
		memcpy(bare_memory(BARE_PARAMS), good, sizeof(good));
		refused += status != TDX_SUCCESS;
		EXPECT_EQ(bare_call(0, TDH_MNG_INIT, TDR, BARE_PARAMS, 0),
			  status ? TDX_SUCCESS : TDX_OP_STATE_INCORRECT);
		bare_destroy_td(0);
	}
	EXPECT_TRUE(refused > 100);
}

TEST(model_brings_itself_up_after_any_refused_tdmrs)
{
	const struct bare_tdmr good = bare_tdmr();
	unsigned refused = 0;

	state = 2;
	for (unsigned round = 0; round < 400 && test_failures == 0; round++) {
		struct bare_tdmr tdmr[2] = {good, good};
		uint64_t status;

		bare_power_on();
		bare_init();
		tdmr[1].base += BARE_GIB;
		flip_bits(tdmr, sizeof(tdmr));
		status = bare_config(tdmr, 1 + (unsigned)draw(2));
		refused += status != TDX_SUCCESS;
		EXPECT_EQ(bare_config(&good, 1),
			  status ? TDX_SUCCESS : TDX_SYS_CONFIG_NOT_PENDING);
	}
	EXPECT_TRUE(refused > 100);
}
