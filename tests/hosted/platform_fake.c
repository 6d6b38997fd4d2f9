/* SPDX-License-Identifier: MIT */
#include "tests/fake/fake.h"
#include "tests/hosted/platform.h"

static const struct {
	uint32_t msr;
	uint64_t value;
} msrs[] = {
	{0x1b, 0xfee00900}, /* APIC_BASE: enabled, BSP */
	{0x3a, 0x5},        /* FEATURE_CONTROL: locked, VMX */
	{0x3b, 0},          /* TSC_ADJUST */
	{0x8b, 0x2b000000}, /* microcode */
	{0x98, 4},          /* WBINVDP */
	{0x99, 4},          /* WBNOINVDP */
	{0xbc, 1},          /* MISC_PACKAGE_CTLS: energy filtering */
	{0xbd, 1},          /* XAPIC_DISABLE_STATUS: legacy xAPIC off */
	{0xcf, 0},
	{0xfe, 0xc800},   /* MTRRCAP: SMRR, SMRR lock, SEAMRR */
	{0x10a, 0xd6b},   /* ARCH_CAPABILITIES */
	{0x1a0, 0x40001}, /* MISC_ENABLE: MONITOR */
	{0x1f2, 0},       /* SMRR */
	{0x1f3, 0x400},
	{0x277, 0x0007040600070406},       /* PAT */
	{0x2ff, 0xc06},                    /* MTRR default: WB */
	{0x345, 1 << 13},                  /* PERF_CAPABILITIES */
	{0x480, UINT64_C(3) << 54 | 0x11}, /* VMX_BASIC */
	{0x485, UINT64_MAX},
	{0x486, 0x80000021},
	{0x487, 0xffffffff},
	{0x488, 0x2000},
	{0x489, 0x1ffffff},
	{0x48b, UINT64_MAX},
	{0x48c, UINT64_MAX},
	{0x48d, UINT64_MAX},
	{0x48e, UINT64_MAX},
	{0x48f, UINT64_MAX},
	{0x490, UINT64_MAX},
	{0x492, UINT64_MAX},
	{0x981, 1}, /* TME_CAPABILITY */
	{0x982, 3 | (uint64_t)PLATFORM_KEYID_BITS << 32},
	{0x1400, 0x7c000008}, /* SEAMRR */
	{0x1401, 0xffffffc000c00},
};

void platform_set_msrs(unsigned private_keyids)
{
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		fake_set_msr(msrs[i].msr, msrs[i].value);
	fake_set_msr(0x87, (uint64_t)private_keyids << 32 | PLATFORM_SHARED_KEYIDS);
}

void platform_set_cpuid(void)
{
	static const struct {
		uint32_t leaf, subleaves;
	} leaves[] = {{0x0, 1}, {0x1, 1},  {0x4, 4},        {0x7, 3},
		      {0xd, 2}, {0x15, 1}, {0x80000000, 1}, {0x80000008, 1}};

	for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		for (uint32_t s = 0; s < leaves[i].subleaves; s++) {
			uint32_t r[4];

			platform_cpuid(0, 0, leaves[i].leaf, s, r);
			fake_set_cpuid(leaves[i].leaf, s,
				       (struct cpuid_regs){r[0], r[1], r[2], r[3]});
		}
}
