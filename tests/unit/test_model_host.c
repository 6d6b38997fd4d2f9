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
