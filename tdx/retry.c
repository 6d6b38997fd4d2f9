/* SPDX-License-Identifier: MIT */
#include "tdx/retry.h"

#include "core/hw.h"

/*
 * How often a status may come back before the caller gives up. A lock is held for one
 * leaf's length; entropy refills in microseconds; an interrupted leaf was started over.
 */
static const struct {
	uint32_t code;
	unsigned max_tries;
} policy[] = {
	{TDX_OPERAND_BUSY, 200},
	{TDX_OPERAND_BUSY_HOST_PRIORITY, 200},
	{TDX_SYS_BUSY, 200},
	{TDX_RND_NO_ENTROPY, 100},
	{TDX_KEY_GENERATION_FAILED, 100},
	{TDX_INTERRUPTED_RESTARTABLE, 100},
};

#define PAUSES_PER_TRY 32

static unsigned max_tries(tdx_status_t s)
{
	for (unsigned i = 0; i < sizeof(policy) / sizeof(policy[0]); i++)
		if (policy[i].code == tdx_code(s))
			return policy[i].max_tries;
	return 0;
}

bool tdx_is_transient(tdx_status_t s) { return max_tries(s) > 0; }

bool tdx_retry(unsigned *tries, tdx_status_t s)
{
	if (*tries >= max_tries(s))
		return false;
	++*tries;
	for (unsigned i = 0; i < PAUSES_PER_TRY; i++)
		hw_pause();
	return true;
}
