/* SPDX-License-Identifier: MIT */
#include "tests/hosted/platform.h"

#include "tests/model/cpuid_tables.h"

#define PACKAGE_SHIFT 6 /* APIC id bits below the package */

/* Beside what the module demands (requirements[]). Bits that are listed are ORed in. */
static const struct {
	uint32_t leaf, subleaf;
	uint32_t regs[4];
} extra[] = {
	{0x0, 0, {0x23, 0, 0, 0}},
	{0x1, 0, {0x806f8, 0, 0x30000020, 0}},              /* FMS; VMX, AVX, F16C */
	{0x4, 0, {0x21, 0x02c00000, 63, 0}},                /* L1D, 48 KiB */
	{0x4, 1, {0x22, 0x01c00000, 63, 0}},                /* L1I */
	{0x4, 2, {0x43, 0x03c00000, 2047, 0}},              /* L2 */
	{0x4, 3, {0x63 | 63 << 14, 0x03c00000, 0xffff, 4}}, /* L3, one per package */
	{0x7, 0, {0, 0x20, 0x10000704, 0}}, /* AVX2; MOVDIR64B, GFNI, VAES, VPCLMUL, UMIP */
	{0xa, 0, {0x5, 0, 0, 0}},           /* performance monitoring version 5 */
	{0xd, 0, {0x7, 0x340, 0x340, 0}},
	{0xd, 2, {0x100, 0x240, 0, 0}},
	{0x15, 0, {1, 40, 25000000, 0}}, /* 1 GHz, as fake_set_tsc() counts */
	{0x1f, 0, {0, 1, 0x100, 0}},
	{0x1f, 1, {PACKAGE_SHIFT, 1 << PACKAGE_SHIFT, 0x201, 0}},
	{0x1f, 2, {0, 0, 2, 0}},
	{0x80000000, 0, {0x80000008, 0, 0, 0}},
	{0x80000008, 0, {0x3000, 0, 0, 0}},
};

void platform_cpuid(unsigned package, unsigned lp, uint32_t leaf, uint32_t subleaf,
		    uint32_t regs[4])
{
	uint32_t plain = subleaf == NO_SUBLEAF ? 0 : subleaf;

	for (unsigned r = 0; r < 4; r++)
		regs[r] = 0;
	for (unsigned i = 0; i < sizeof(requirements) / sizeof(requirements[0]); i++) {
		uint32_t s = requirements[i].subleaf;

		if (requirements[i].leaf != leaf || (s != NO_SUBLEAF && s != plain))
			continue;
		for (unsigned r = 0; r < 4; r++)
			regs[r] |= requirements[i].value[r];
	}
	for (unsigned i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
		if (extra[i].leaf != leaf || extra[i].subleaf != plain)
			continue;
		for (unsigned r = 0; r < 4; r++)
			regs[r] |= extra[i].regs[r];
	}
	if (leaf == 0x1f || leaf == 0xb)
		regs[3] = package << PACKAGE_SHIFT | lp;
}
