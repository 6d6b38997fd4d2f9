/* SPDX-License-Identifier: MIT */
#include "tests/trace/rules.h"

#include "tests/model/status.h"

/* By the class of a completion status, its bits 47:40. */
static const char *const rule_of_class[] = {
	[0x00] = RULE_EXITS,
	[0x01] = "operands: which are checked, and in which order",
	[0x02] = RULE_LOCKS,
	[0x03] = "PAMT: who owns a page",
	[0x04] = "PAMT: who owns a page",
	[0x05] = "state of the module",
	[0x06] = "life of a TD",
	[0x07] = "vCPUs: creating, associating, flushing",
	[0x08] = "keys and caches",
	[0x09] = "what SYS.INIT demands of the platform",
	[0x0a] = "TDMRs and their PAMTs",
	[0x0b] = "Secure EPT: walks, entry states, TLB tracking",
	[0x0c] = "metadata fields",
	[0x0d] = "service TDs",
	[0x0e] = "migration",
	[0x10] = "reports",
	[0x11] = "L2 VMs",
};

#define CLASSES (sizeof(rule_of_class) / sizeof(rule_of_class[0]))

/* Statuses that say little about their class. */
static const struct {
	uint64_t status;
	const char *rule;
} exceptions[] = {
	{TDX_INTERRUPTED_RESUMABLE, "interrupted and resumed leaves"},
	{TDX_INTERRUPTED_RESTARTABLE, "interrupted and resumed leaves"},
	{TDX_RND_NO_ENTROPY, "entropy failures"},
	{TDX_PREVIOUS_TLB_EPOCH_BUSY, "TLB epochs"},
	{TDX_TSC_ROLLBACK, "TSC"},
};

const char *rule_of_status(uint64_t want, uint64_t got)
{
	uint64_t status = (want ? want : got) & ~UINT64_C(0xffffffff);
	unsigned class = (unsigned)(status >> 40 & 0xff);

	for (unsigned i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
		if (exceptions[i].status == status)
			return exceptions[i].rule;
	return class < CLASSES && rule_of_class[class] ? rule_of_class[class] : RULE_OUTPUTS;
}
