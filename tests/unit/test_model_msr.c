/* SPDX-License-Identifier: MIT */
/* Which MSRs the software TDX module leaves to a TD: those of the features that the TD has. */
#include <string.h>

#include "tests/unit/bare_model.h"
#include "tests/unit/test.h"

#define PKS        (UINT64_C(1) << 30)
#define PERFMON    (UINT64_C(1) << 63)
#define XFAM_ALL   UINT64_C(0x6dbe7)
#define XFAM_PLAIN UINT64_C(0x3)
#define LEAF_7     (256 + 5 * 16) /* its configuration in TD_PARAMS: EAX to EDX */
#define WAITPKG_7C UINT32_C(0x20)

static bool is_native(uint32_t msr, bool is_write)
{
	const struct tdx_vcpu_view view = {.tdr_hpa = bare_page(0)};

	return tdx_model_msr_is_native(bare_model, &view, msr, is_write);
}

static void create(uint64_t attributes, uint64_t xfam, uint32_t leaf_7_ecx)
{
	bare_start();
	bare_create_td(0, BARE_KEYID + 1);
	memcpy(bare_memory(BARE_PARAMS), &attributes, sizeof(attributes));
	memcpy(bare_memory(BARE_PARAMS + 8), &xfam, sizeof(xfam));
	memcpy(bare_memory(BARE_PARAMS + LEAF_7 + 8), &leaf_7_ecx, sizeof(leaf_7_ecx));
	EXPECT_EQ(bare_call(0, TDH_MNG_INIT, bare_page(0), BARE_PARAMS, 0), TDX_SUCCESS);
}

static void expect_native(const uint32_t *msrs, unsigned count, bool native)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned w = 0; w < 2; w++)
			if (is_native(msrs[i], w) != native)
				test_fail(__FILE__, __LINE__, "MSR %#x, %s: %snative", msrs[i],
					  w ? "written" : "read", native ? "not " : "");
}

/* First and last of each range that depends on an attribute or on XFAM. */
static const uint32_t performance[] = {0xc1,  0xc8,  0x186, 0x18d, 0x1a6, 0x1a7, 0x309, 0x310,
				       0x38d, 0x392, 0x3f1, 0x3f2, 0x3f6, 0x3f7, 0x4c1, 0x4c8};
static const uint32_t keys[] = {0x6e1};
static const uint32_t trace[] = {0x560, 0x561, 0x570, 0x572, 0x580, 0x587};
static const uint32_t shadow_stacks[] = {0x6a0, 0x6a2, 0x6a4, 0x6a8};
static const uint32_t user_interrupts[] = {0x985, 0x98a};
static const uint32_t branches[] = {0x1200, 0x12ff, 0x14ce, 0x14cf, 0x1500, 0x16ff};
static const uint32_t pausing[] = {0xe1};
static const uint32_t never[] = {0x87, 0x8c, 0x98, 0x1d9, 0x1f8, 0x481, 0x6e0, 0x981, 0x3a};

#define EXPECT_NATIVE(list, native)                                                            \
	expect_native(list, sizeof(list) / sizeof((list)[0]), native)

static void expect_features(bool perfmon, bool pks, bool xfam, bool waitpkg)
{
	EXPECT_NATIVE(performance, perfmon);
	EXPECT_NATIVE(keys, pks);
	EXPECT_NATIVE(trace, xfam);
	EXPECT_NATIVE(shadow_stacks, xfam);
	EXPECT_NATIVE(user_interrupts, xfam);
	EXPECT_NATIVE(branches, xfam);
	EXPECT_NATIVE(pausing, waitpkg);
	EXPECT_NATIVE(never, false);
}

TEST(model_keeps_the_msrs_of_features_from_a_td_without_them)
{
	create(0, XFAM_PLAIN, 0);
	expect_features(false, false, false, false);
	EXPECT_TRUE(!is_native(0x345, false));
	EXPECT_TRUE(!is_native(0x1a0, false));
}

TEST(model_leaves_the_msrs_of_its_attributes_to_a_td)
{
	create(PKS, XFAM_PLAIN, 0);
	expect_features(false, true, false, false);
	create(PERFMON, XFAM_PLAIN, 0);
	expect_features(true, false, false, false);
	EXPECT_TRUE(is_native(0x1a0, false));
	EXPECT_TRUE(!is_native(0x1a0, true));
	/* IA32_PERF_CAPABILITIES is read natively only if PT is the TD's, too. */
	EXPECT_TRUE(!is_native(0x345, false));
	EXPECT_TRUE(is_native(0x345, true));
	create(PERFMON, XFAM_ALL, 0);
	EXPECT_TRUE(is_native(0x345, false));
}

TEST(model_leaves_the_msrs_of_its_xfam_to_a_td)
{
	create(0, XFAM_ALL, 0);
	expect_features(false, false, true, false);
}

TEST(model_leaves_the_msrs_of_its_cpuid_to_a_td)
{
	create(0, XFAM_PLAIN, WAITPKG_7C);
	expect_features(false, false, false, true);
}
