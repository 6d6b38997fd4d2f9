/* SPDX-License-Identifier: MIT */
/* The CPU that L1 sees: what TCG has, made to look like a TDX server. */
#include "core/string.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/lapic.h"
#include "tests/emu/svm_insn.h"

#define MAX_LEAF     0x1fU
#define MAX_EXTENDED 0x80000008U
#define CRYSTAL_HZ   25000000U

#define L1_ECX_VMX      (UINT32_C(1) << 5)
#define L1_ECX_CX16     (UINT32_C(1) << 13)
#define L1_ECX_PCID     (UINT32_C(1) << 17)
#define L1_ECX_X2APIC   (UINT32_C(1) << 21)
#define L1_ECX_DEADLINE (UINT32_C(1) << 24)
#define L1_ECX_OSXSAVE  (UINT32_C(1) << 27)
#define L1_ECX_HYPER    (UINT32_C(1) << 31)

#define L7_ECX_OSPKE     (UINT32_C(1) << 4)
#define L7_ECX_LA57      (UINT32_C(1) << 16)
#define L7_ECX_MOVDIR64B (UINT32_C(1) << 28)
#define L7_EDX_PCONFIG   (UINT32_C(1) << 18)
#define L7_EDX_ARCH_CAPS (UINT32_C(1) << 29)

#define X1_ECX_SVM   (UINT32_C(1) << 2)
#define X1_ECX_SSE4A (UINT32_C(1) << 6)

static void set(uint32_t *word, uint32_t bits, bool on)
{
	*word = on ? *word | bits : *word & ~bits;
}

static void leaf_1(const struct lp *lp, uint32_t r[4])
{
	r[2] |= L1_ECX_VMX | L1_ECX_X2APIC | L1_ECX_DEADLINE;
	r[2] &= ~(L1_ECX_HYPER | L1_ECX_PCID | L1_ECX_CX16);
	set(&r[2], L1_ECX_OSXSAVE, (lp->cr4 & CR4_OSXSAVE) != 0);
}

/*
 * TCG lacks MOVDIR64B. It works, but each line costs an exit: eight million for the
 * memory of a TD of 512 MiB. So L1 is not told of it and resets frames with plain stores.
 */
static void leaf_7(const struct lp *lp, uint32_t r[4])
{
	r[2] &= ~(L7_ECX_LA57 | L7_ECX_MOVDIR64B);
	r[3] |= L7_EDX_PCONFIG | L7_EDX_ARCH_CAPS;
	set(&r[2], L7_ECX_OSPKE, (lp->cr4 & CR4_PKE) != 0);
}

/*
 * TSC = crystal * EBX / EAX, told as a multiple of 25 MHz: that is what a TD can
 * be given, so that no TSC scaling is needed, which TCG lacks.
 */
void l1_cpuid_tsc(uint32_t r[4])
{
	r[0] = 1;
	r[1] = (uint32_t)((tsc_hz + CRYSTAL_HZ / 2) / CRYSTAL_HZ);
	r[2] = CRYSTAL_HZ;
	r[3] = 0;
}

static void leaf_ext_8(uint32_t r[4])
{
	r[0] = (r[0] & ~UINT32_C(0xffff)) | 48 << 8 | EMU_PA_BITS;
}

static uint32_t clamp_leaf(uint32_t leaf)
{
	if (leaf >= 0x80000000U)
		return leaf <= MAX_EXTENDED ? leaf : MAX_LEAF;
	return leaf <= MAX_LEAF ? leaf : MAX_LEAF;
}

void l1_cpuid(const struct lp *lp, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	if (leaf >= 0x40000000U && leaf < 0x80000000U) {
		memset(r, 0, 16);
		return;
	}
	leaf = clamp_leaf(leaf);
	insn_cpuid(leaf == 0x1f ? 0xb : leaf, subleaf, r);
	switch (leaf) {
	case 0:
		r[0] = MAX_LEAF;
		break;
	case 1:
		leaf_1(lp, r);
		break;
	case 7:
		if (subleaf == 0)
			leaf_7(lp, r);
		break;
	case 0x15:
		l1_cpuid_tsc(r);
		break;
	case 0x80000000:
		r[0] = MAX_EXTENDED;
		break;
	case 0x80000001:
		r[2] &= ~(X1_ECX_SVM | X1_ECX_SSE4A);
		break;
	case 0x80000008:
		leaf_ext_8(r);
		break;
	default:
		break;
	}
}

void l1_handle_cpuid(struct lp *lp)
{
	uint32_t r[4];

	l1_cpuid(lp, (uint32_t)lp->gpr[TDX_RAX], (uint32_t)lp->gpr[TDX_RCX], r);
	lp->gpr[TDX_RAX] = r[0];
	lp->gpr[TDX_RBX] = r[1];
	lp->gpr[TDX_RCX] = r[2];
	lp->gpr[TDX_RDX] = r[3];
	l1_advance(lp, 2);
}
