/* SPDX-License-Identifier: MIT */
#include "tdx/retry.h"

#include "core/hw.h"

#define PAUSES_PER_TRY 32

/*
 * How often a status may come back before the caller gives up. A lock is held for one
 * leaf's length; entropy refills in microseconds; an interrupted leaf was started over.
 */
static unsigned max_tries(tdx_status_t s)
{
	switch (tdx_code(s)) {
	case TDX_OPERAND_BUSY:
	case TDX_OPERAND_BUSY_HOST_PRIORITY:
	case TDX_SYS_BUSY:
		return 200;
	case TDX_RND_NO_ENTROPY:
	case TDX_KEY_GENERATION_FAILED:
	case TDX_INTERRUPTED_RESTARTABLE:
		return 100;
	default:
		return 0;
	}
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
