/* SPDX-License-Identifier: MIT */
/*
 * Every leaf of a TD's life is refused with every status that matters, at its first, second and
 * fifth call, once and for good. Whatever happens: no panic, the mirror agrees with the module
 * while the TD lives, teardown is possible, and every frame is free or quarantined.
 */
#include <stdlib.h>

#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/td.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/test.h"

#define RAM (8 * SIZE_2M)

static struct td td;
static struct td_vcpu vcpu;
static hpa_t shared;
static uint64_t free_at_start;
static uint64_t heap_at_start;

static const struct td_params params = {
	.max_vcpus = 1,
	.tsc_khz = 1000000,
	.ram_low_end = {RAM},
	.ram_high_end = {UINT64_C(1) << 32},
};

static const uint32_t codes[] = {
	TDX_OPERAND_INVALID,
	TDX_OPERAND_ADDR_RANGE_ERROR,
	TDX_OPERAND_BUSY,
	TDX_PREVIOUS_TLB_EPOCH_BUSY,
	TDX_SYS_BUSY,
	TDX_RND_NO_ENTROPY,
	TDX_OPERAND_BUSY_HOST_PRIORITY,
	TDX_PAGE_METADATA_INCORRECT,
	TDX_TD_ASSOCIATED_PAGES_EXIST,
	TDX_TD_FATAL,
	TDX_TDCS_NOT_ALLOCATED,
	TDX_LIFECYCLE_STATE_INCORRECT,
	TDX_OP_STATE_INCORRECT,
	TDX_NO_VCPUS,
	TDX_TDCX_NUM_INCORRECT,
	TDX_VCPU_STATE_INCORRECT,
	TDX_VCPU_ASSOCIATED,
	TDX_VCPU_NOT_ASSOCIATED,
	TDX_MAX_VCPUS_EXCEEDED,
	TDX_KEY_GENERATION_FAILED,
	TDX_TD_KEYS_NOT_CONFIGURED,
	TDX_WBCACHE_NOT_COMPLETE,
	TDX_HKID_NOT_FREE,
	TDX_WBCACHE_RESUME_ERROR,
	TDX_FLUSHVP_NOT_DONE,
	TDX_INCONSISTENT_MSR,
	TDX_EPT_WALK_FAILED,
	TDX_EPT_ENTRY_STATE_INCORRECT,
	TDX_EPT_ENTRY_NOT_PRESENT,
	TDX_GPA_RANGE_NOT_BLOCKED,
	TDX_TLB_TRACKING_NOT_DONE,
	TDX_METADATA_FIELD_ID_INCORRECT,
	TDX_INTERRUPTED_RESUMABLE,
	TDX_INTERRUPTED_RESTARTABLE,
	TDX_SW_VMFAIL_INVALID,
	0x80009999,
};

static void machine_start(void)
{
	hosted_start_ready(&hosted_default);
	EXPECT_EQ(frame_alloc_range(2 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &shared),
		  STATUS_OK);
}

static uint64_t owner_bytes(enum frame_owner owner)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	frame_account(bytes);
	return bytes[owner];
}

static enum status unmap(uint64_t at, uint64_t size)
{
	enum status s = STATUS_BUSY;

	for (unsigned i = 0; s == STATUS_BUSY && i < 3; i++)
		s = td_unmap_private_begin(&td, gpa(at), size);
	for (unsigned i = 0; !s && i < 3; i++) {
		s = td_unmap_private_commit(&td, gpa(at), size);
		if (s != STATUS_BUSY)
			break;
	}
	return s;
}

static enum status cancel_unmap(void)
{
	enum status s = td_unmap_private_begin(&td, gpa(6 * SIZE_2M), SIZE_2M);

	return s ? s : td_unmap_private_cancel(&td);
}

static enum status enter(void)
{
	struct vp_regs regs = {0};

	(void)td_vcpu_enter(&vcpu, &regs);
	return STATUS_OK;
}

static enum status read_state(void)
{
	uint8_t mrtd[48];
	bool pending;
	enum status s = td_read_mrtd(&td, mrtd);

	return s ? s : td_vcpu_interrupt_pending(&vcpu, &pending);
}

/* To shared at 4K, back, and 2M again: the Secure EPT page goes. */
static enum status convert_and_back(bool must_drop)
{
	enum status s = unmap(0, SIZE_2M);

	if (!s)
		s = td_mark_private(&td, gpa(0), SIZE_2M);
	if (!s && must_drop)
		s = td_drop_tables(&td, gpa(0), SIZE_2M);
	for (unsigned i = 0; !s && i < 3; i++) {
		s = td_resolve_fault(&td, gpa(0), LEVEL_2M);
		if (s != STATUS_BUSY)
			return s;
	}
	return s;
}

/* A whole life, up to the first step that fails. */
static enum status live(void)
{
	enum status s = td_vcpu_create(&td, &vcpu, 0);
	bool done;

	if (!s)
		s = td_vcpu_configure(&vcpu, shared, 0xf2, shared);
	for (unsigned i = 0; !s && i < 2; i++)
		s = td_add_measured_page(&td, gpa(TDBOOT_IMAGE_GPA + i * PAGE_SIZE),
					 phys_ptr(shared));
	if (!s)
		s = td_populate(&td, gpa(0), RAM - SIZE_2M);
	if (!s)
		s = td_finalize(&td);
	if (!s)
		s = read_state();
	if (!s)
		s = enter();
	if (!s)
		s = td_resolve_fault(&td, gpa(RAM - SIZE_4K), LEVEL_4K);
	if (!s)
		s = td_resolve_fault(&td, gpa(SIZE_4K), LEVEL_4K);
	if (!s)
		s = unmap(SIZE_2M, SIZE_2M);
	if (!s)
		s = unmap(2 * SIZE_2M + 0x3000, SIZE_2M);
	if (!s)
		s = convert_and_back(false);
	if (!s)
		s = td_resolve_fault(&td, gpa(SIZE_4K), LEVEL_4K);
	if (!s)
		s = convert_and_back(true);
	if (!s)
		s = td_write_back(&td, UINT32_MAX, &done);
	if (!s)
		s = cancel_unmap();
	return s;
}

static void tear_down(void)
{
	bool done = false;

	/* With the fault still there, a few times; then without. */
	for (unsigned i = 0; i < 2; i++)
		if (!td_release_keyid(&td))
			(void)!td_reclaim(&td, UINT32_MAX, &done);
	hosted_inject_none();
	(void)!td_release_keyid(&td);
	for (unsigned i = 0; !done && i < 4; i++)
		EXPECT_EQ(td_reclaim(&td, UINT32_MAX, &done), STATUS_OK);
	EXPECT_TRUE(done);
}

/* One fault; false when it was never reached. */
static bool run_fault(unsigned leaf, unsigned nth, unsigned times, uint64_t status)
{
	uint64_t quarantined = owner_bytes(FRAME_QUARANTINED);
	unsigned struck;

	memset(&td, 0, sizeof(td));
	memset(&vcpu, 0, sizeof(vcpu));
	memcpy(td.name, "fault", 6);
	free_at_start = owner_bytes(FRAME_FREE);
	heap_at_start = heap_used();
	hosted_inject(leaf, nth, times, status);
	if (!td_create(&td, &params)) {
		(void)live();
		if (!td.is_dead && leaf != TDH_MEM_SEPT_RD)
			mirror_check(&td);
		tear_down();
	}
	struck = hosted_inject_count();
	hosted_inject_none();
	quarantined = owner_bytes(FRAME_QUARANTINED) - quarantined;
	EXPECT_EQ(owner_bytes(FRAME_FREE) + quarantined, free_at_start);
	EXPECT_EQ(heap_used(), heap_at_start);
	EXPECT_TRUE(hosted_owned_bytes() <= quarantined);
	if (quarantined || tdx_keyid_free_count() != 7)
		machine_start();
	return struck > 0;
}

static void run_leaf(unsigned leaf)
{
	static const unsigned nths[] = {1, 2, 5};
	unsigned reached = 0;
	unsigned runs = 0;

	machine_start();
	for (unsigned c = 0; c < sizeof(codes) / sizeof(codes[0]); c++)
		for (unsigned n = 0; n < 3; n++)
			for (unsigned persistent = 0; persistent < 2; persistent++) {
				unsigned failures = test_failures;

				reached += run_fault(leaf, nths[n], persistent ? UINT32_MAX : 1,
						     (uint64_t)codes[c] << 32 |
							     TDX_OPERAND_ID_RCX);
				runs++;
				if (test_failures != failures) {
					printf("# leaf %u, call %u, code %#x, %s\n", leaf,
					       nths[n], codes[c],
					       persistent ? "for good" : "once");
					return;
				}
			}
	EXPECT_TRUE(reached > 0);
	printf("# %u faults, %u reached\n", runs, reached);
}

#define FAULTS(name)                                                                           \
	TEST(tdx_faults_of_##name) { run_leaf(TDH_##name); }

FAULTS(MNG_CREATE)
FAULTS(MNG_KEY_CONFIG)
FAULTS(MNG_ADDCX)
FAULTS(MNG_INIT)
FAULTS(MNG_RD)
FAULTS(VP_CREATE)
FAULTS(VP_ADDCX)
FAULTS(VP_INIT)
FAULTS(VP_WR)
FAULTS(VP_RD)
FAULTS(VP_ENTER)
FAULTS(MEM_SEPT_ADD)
FAULTS(MEM_PAGE_ADD)
FAULTS(MR_EXTEND)
FAULTS(MR_FINALIZE)
FAULTS(MEM_PAGE_AUG)
FAULTS(MEM_RANGE_BLOCK)
FAULTS(MEM_TRACK)
FAULTS(MEM_PAGE_DEMOTE)
FAULTS(MEM_PAGE_REMOVE)
FAULTS(MEM_RANGE_UNBLOCK)
FAULTS(MEM_SEPT_REMOVE)
FAULTS(PHYMEM_PAGE_WBINVD)
FAULTS(VP_FLUSH)
FAULTS(MNG_VPFLUSHDONE)
FAULTS(PHYMEM_CACHE_WB)
FAULTS(MNG_KEY_FREEID)
FAULTS(PHYMEM_PAGE_RECLAIM)
