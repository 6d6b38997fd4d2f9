/* SPDX-License-Identifier: MIT */
#include "tdx/status.h"

#include "tdx/tdh.h"
#include "tests/fake/fake.h"
#include "tests/model/tdx_model.h"
#include "tests/unit/test.h"

static const char *text(uint64_t raw)
{
	static char buf[80];

	tdx_format_status(buf, sizeof(buf), (tdx_status_t){raw});
	return buf;
}

TEST(tdx_status_and_operand_are_named)
{
	EXPECT_STR_EQ(text(0), "TDX_SUCCESS");
	EXPECT_STR_EQ(text(UINT64_C(0x8000020000000092)), "TDX_OPERAND_BUSY(SEPT_TREE)");
	EXPECT_STR_EQ(text(UINT64_C(0xc000010000000000)), "TDX_OPERAND_INVALID(RAX)");
	EXPECT_STR_EQ(text(UINT64_C(0xc0000a2100000100)),
		      "TDX_NON_ORDERED_RESERVED_IN_TDMR(0x100)");
	EXPECT_STR_EQ(text(UINT64_C(0x8000ff0600000000)), "TDX_SW_UD");
	EXPECT_STR_EQ(text(UINT64_C(0x8000999900000001)), "unknown status 0x8000999900000001");
	EXPECT_STR_EQ(tdx_leaf_name(TDH_MEM_PAGE_AUG), "TDH.MEM.PAGE.AUG");
	EXPECT_STR_EQ(tdx_leaf_name(0xffff), "TDH.?");
}

TEST(tdx_status_names_are_those_of_the_model)
{
	static const struct {
		const char *name;
		uint32_t code;
	} statuses[] = {
#define X(name, value) {#name, value},
		TDX_STATUS_LIST(X) TDX_OPERAND_STATUS_LIST(X)
#undef X
	};

	for (unsigned i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		EXPECT_TRUE(strstr(tdx_model_status_name((uint64_t)statuses[i].code << 32),
				   statuses[i].name) != NULL);
}

static unsigned tries_of(uint64_t raw)
{
	unsigned n = 0;

	while (tdx_retry(&n, (tdx_status_t){raw}))
		continue;
	return n;
}

TEST(tdx_retry_repeats_contention_and_entropy_for_a_while_only)
{
	EXPECT_EQ(tries_of(UINT64_C(0x8000020000000001)), 200);
	EXPECT_EQ(tries_of((uint64_t)TDX_RND_NO_ENTROPY << 32), 100);
}

TEST(tdx_retry_never_repeats_what_needs_an_action_first)
{
	EXPECT_EQ(tries_of(0), 0);
	EXPECT_EQ(tries_of((uint64_t)TDX_PREVIOUS_TLB_EPOCH_BUSY << 32), 0);
	EXPECT_EQ(tries_of((uint64_t)TDX_VCPU_ASSOCIATED << 32), 0);
	EXPECT_EQ(tries_of((uint64_t)TDX_FLUSHVP_NOT_DONE << 32), 0);
	EXPECT_EQ(tries_of((uint64_t)TDX_WBCACHE_NOT_COMPLETE << 32), 0);
	EXPECT_EQ(tries_of((uint64_t)TDX_INTERRUPTED_RESUMABLE << 32), 0);
	EXPECT_EQ(tries_of((uint64_t)TDX_OPERAND_INVALID << 32), 0);
}
