/* SPDX-License-Identifier: MIT */
#include "vm/msr.h"

#include <stddef.h>

#include "core/x86.h"

#define MSR_PLATFORM_ID           0x017U
#define MSR_UCODE_REV             0x08bU
#define MSR_PLATFORM_INFO         0x0ceU
#define MSR_MTRRCAP               0x0feU
#define MSR_MISC_FEATURES_ENABLES 0x140U
#define MSR_MTRR_DEF_TYPE         0x2ffU

#define XAPIC_BASE           UINT64_C(0xfee00000)
#define FEATURE_CONTROL_LOCK UINT64_C(1)
#define UCODE_REVISION       (UINT64_C(1) << 32)

/* Registers that read as a constant. A write is taken if it would change nothing. */
struct constant {
	uint32_t msr;
	uint64_t value;
	bool drops_writes; /* takes any */
};

static const struct constant constants[] = {
	{.msr = MSR_PLATFORM_ID},
	{.msr = MSR_FEATURE_CONTROL, .value = FEATURE_CONTROL_LOCK},
	{.msr = MSR_TSC_ADJUST},
	/* Linux writes 0 before it reads. */
	{.msr = MSR_UCODE_REV, .value = UCODE_REVISION, .drops_writes = true},
	{.msr = MSR_PLATFORM_INFO},
	{.msr = MSR_MTRRCAP},
	{.msr = MSR_MISC_FEATURES_ENABLES},
	{.msr = MSR_MCG_CAP},
	{.msr = MSR_MCG_STATUS},
	{.msr = MSR_MTRR_DEF_TYPE},
};

static const struct constant *find(uint32_t msr)
{
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		if (constants[i].msr == msr)
			return &constants[i];
	}
	return NULL;
}

static bool is_apic(uint32_t msr)
{
	return msr == MSR_TSC_DEADLINE || (msr >= X2APIC_FIRST && msr <= X2APIC_LAST);
}

/* x2APIC mode for good: a TD has no xAPIC page. */
static uint64_t apic_base(const struct vlapic *apic)
{
	return XAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC |
	       (apic->id == 0 ? APIC_BASE_BSP : 0);
}

bool msr_read(const struct vlapic *apic, uint32_t msr, uint64_t now, uint64_t *value)
{
	const struct constant *c;

	if (is_apic(msr))
		return vlapic_read(apic, msr, now, value);
	if (msr == MSR_APIC_BASE) {
		*value = apic_base(apic);
		return true;
	}
	c = find(msr);
	if (c != NULL)
		*value = c->value;
	return c != NULL;
}

bool msr_write(struct vlapic *apic, uint32_t msr, uint64_t now, uint64_t value)
{
	const struct constant *c;

	if (is_apic(msr))
		return vlapic_write(apic, msr, now, value);
	if (msr == MSR_APIC_BASE)
		return value == apic_base(apic);
	c = find(msr);
	return c != NULL && (c->drops_writes || value == c->value);
}
