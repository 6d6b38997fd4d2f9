/* SPDX-License-Identifier: MIT */
/*
 * What the software TDX module answers about metadata fields and private memory where no
 * recording shows it. Calls are bare SEAMCALLs, so that every register is the test's.
 */
#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tdx/td.h"
#include "tests/hosted/hosted.h"
#include "tests/model/leaves.h"
#include "tests/unit/test.h"

#define V1           (UINT64_C(1) << 16)
#define ALL          UINT64_MAX
#define UNKNOWN_ID   UINT64_C(0xc0000c0000000000)
#define NOT_WRITABLE UINT64_C(0xc0000c0100000000)
#define NOT_READABLE UINT64_C(0xc0000c0200000000)
#define BAD_VALUE    UINT64_C(0xc0000c0300000000)
#define BAD_MASK     UINT64_C(0xc0000c0a00000000)
#define FIRST_FIELD  UINT64_C(0x00000c0b00000000)

#define HP_TIMEOUT UINT64_C(0x9110000300000011)
#define VM_CTLS    UINT64_C(0x9110000300000012)

static struct td td;
static struct td_vcpu vcpu;
static hpa_t shared;
static struct seamcall_regs out; /* of the last call */

static void start(uint64_t attributes)
{
	const struct td_params params = {
		.attributes = attributes | TDX_ATTR_SEPT_VE_DISABLE,
		.max_vcpus = 1,
		.tsc_khz = 1000000,
		.ram_low_end = {UINT64_C(0x10000000)},
		.ram_high_end = {UINT64_C(1) << 32},
	};

	hosted_start_ready(&hosted_default);
	EXPECT_EQ(frame_alloc_range(4 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &shared),
		  STATUS_OK);
	EXPECT_EQ(td_create(&td, &params), STATUS_OK);
	EXPECT_EQ(td_vcpu_create(&td, &vcpu, 0), STATUS_OK);
}

static uint64_t call(uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8, uint64_t r9)
{
	out = (struct seamcall_regs){.rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9};
	return seamcall_raw(rax, &out);
}

static uint64_t td_read(uint64_t id) { return call(TDH_MNG_RD | V1, td.tdr.pa.raw, id, 0, 0); }

static uint64_t td_write(uint64_t id, uint64_t value, uint64_t mask)
{
	return call(TDH_MNG_WR, td.tdr.pa.raw, id, value, mask);
}

static uint64_t vp_read(uint64_t id)
{
	return call(TDH_VP_RD | V1, vcpu.tdvpr.pa.raw, id, 0, 0);
}

static uint64_t vp_write(uint64_t id, uint64_t value, uint64_t mask)
{
	return call(TDH_VP_WR, vcpu.tdvpr.pa.raw, id, value, mask);
}

/* ---- field ids ------------------------------------------------------------ */

TEST(model_context_bits_of_a_null_field_id_do_not_matter)
{
	start(0);
	for (unsigned bit = 52; bit <= 54; bit++) {
		EXPECT_EQ(td_read(ALL & ~(UINT64_C(1) << bit)), FIRST_FIELD);
		EXPECT_EQ(out.rdx, 0x8010000000000001);
	}
	EXPECT_EQ(td_read(ALL & ~(UINT64_C(1) << 55)), UNKNOWN_ID);
	EXPECT_EQ(out.rdx, ALL);
}

TEST(model_reserved_bits_of_a_cpuid_code_make_an_unknown_field)
{
	start(0);
	EXPECT_EQ(td_read(0x94100003000003fe), 0); /* CPUID(1) */
	EXPECT_EQ(td_read(0x94100003000203fe), UNKNOWN_ID);
	EXPECT_EQ(td_read(0x94100003008003fe), UNKNOWN_ID);
}

TEST(model_fields_of_l2_vms_exist_with_the_vms)
{
	start(TDX_ATTR_DEBUG);
	EXPECT_EQ(td_read(0x2110000300000000 + 511), 0); /* SEPT_ROOT is the last */
	EXPECT_EQ(out.rdx, ALL);
	EXPECT_EQ(td_read(0x2510000300000000), UNKNOWN_ID);
	EXPECT_EQ(vp_read(0xa220000300000200 + 31), 0);
	EXPECT_EQ(out.rdx, ALL);
	EXPECT_EQ(vp_read(0x2520000300000000), UNKNOWN_ID);
}

TEST(model_half_a_vmcs_field_is_no_field)
{
	start(0);
	EXPECT_EQ(vp_read(0x0024000300002016), 0);
	EXPECT_EQ(vp_read(0x0024000300002017), UNKNOWN_ID);
}

TEST(model_a_list_starts_at_a_whole_field_of_any_context)
{
	start(0);
	EXPECT_EQ(call(TDH_SYS_RDALL, 0, shared.raw, 0x9950000300000500, 0), 0);
	EXPECT_EQ(call(TDH_SYS_RDALL, 0, shared.raw, 0x9900000300000501, 0), UNKNOWN_ID);
	EXPECT_EQ(call(TDH_SYS_RDALL, 0, shared.raw, ALL & ~(UINT64_C(7) << 52), 0), 0);
}

/* ---- what may be written -------------------------------------------------- */

TEST(model_a_write_may_name_other_bits_only_as_they_are)
{
	start(0);
	EXPECT_EQ(td_write(VM_CTLS, 1, ALL), 0);
	EXPECT_EQ(out.r8, 0);
	EXPECT_EQ(td_write(VM_CTLS, 2, ALL), BAD_VALUE);
	EXPECT_EQ(td_write(VM_CTLS, 2, ALL & ~UINT64_C(1)), NOT_WRITABLE);
	EXPECT_EQ(td_write(VM_CTLS, 2, 1), 0);
	EXPECT_EQ(out.r8, 1);
}

TEST(model_a_write_ends_with_the_element)
{
	start(0);
	EXPECT_EQ(vp_write(0x202000000000000b, 1, ALL), 0); /* PEND_NMI, one byte */
	EXPECT_EQ(vp_write(0x202000000000000b, 0x101, ALL), BAD_VALUE);
	EXPECT_EQ(vp_write(0x202000000000000b, 1, 0xff00), NOT_WRITABLE);
}

TEST(model_the_lock_timeout_is_written_whole_or_not_at_all)
{
	start(0);
	EXPECT_EQ(td_write(HP_TIMEOUT, 20000, UINT32_MAX), BAD_MASK);
	EXPECT_EQ(td_write(HP_TIMEOUT, 9999, ALL), BAD_VALUE);
	EXPECT_EQ(td_write(HP_TIMEOUT, 20000, ALL), 0);
	EXPECT_EQ(out.r8, 1000000);
	EXPECT_EQ(td_read(HP_TIMEOUT), 0);
	EXPECT_EQ(out.r8, 20000);
}

TEST(model_a_cpuid_leaf_that_faults_is_unreadable_to_writers_too)
{
	start(0);
	EXPECT_EQ(td_write(0x94100003000003fe, 0, ALL), NOT_WRITABLE);
	EXPECT_EQ(td_write(0x94100003000061fe, 0, ALL), UNKNOWN_ID); /* CPUID(0x30) */
	EXPECT_EQ(td_read(0x9410000300000dfe), NOT_READABLE);        /* CPUID(6) */
	EXPECT_EQ(td_write(0x9410000300000dfe, 0, ALL), NOT_READABLE);
}
