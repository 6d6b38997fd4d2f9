/* SPDX-License-Identifier: MIT */
/*
 * Two tables. What the module is told: TCG's CPUID with the bits that module
 * 1.5.01 insists on at TDH.SYS.INIT. What a TD then does not see: those of the
 * bits that TCG lacks or does wrong. The module knows nothing of the second.
 */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/l1.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/td.h"

enum reg { EAX, EBX, ECX, EDX };

#define ANY_SUBLEAF UINT32_MAX
#define LAST_LEAF   0x23U
#define LAST_EXT    0x80000008U

/*
 * One register of one leaf. The module is told (native & ~mask) | value. A bit
 * told as 1 that TCG has as 0 is cleared from the TD's answer, unless it is in
 * `real`: the emulator makes it work.
 */
struct cpuid_word {
	uint32_t leaf, subleaf;
	enum reg reg;
	uint32_t mask, value, real;
	const char *reason;
};

/* clang-format off */
static const struct cpuid_word words[] = {
	{0x1, ANY_SUBLEAF, EBX, 0xff00, 0x0800, ~0U, "CLFLUSH line of 64 bytes"},
	{0x1, ANY_SUBLEAF, ECX, 0x47faa217, 0x47faa217, 1U << 21 | 1U << 24,
	 "x2APIC and TSC deadline are virtual; TCG lacks DTES64, DS-CPL, PDCM, PCID; its CX16 has wrong flags"},
	{0x1, ANY_SUBLEAF, EDX, 0x1fa9fbff, 0x1fa9fbff, 1U << 28, "TCG lacks DS and VME; HTT follows -smp"},
	{0x4, 0, EBX, 0xfff, 0x3f, ~0U, "cache line of 64 bytes"},
	{0x4, 1, EBX, 0xfff, 0x3f, ~0U, "cache line of 64 bytes"},
	{0x4, 2, EBX, 0xfff, 0x3f, ~0U, "cache line of 64 bytes"},
	{0x4, 3, EAX, 0xe0, 0x60, ~0U, "a level-3 cache"},
	{0x4, 3, EBX, 0xfff, 0x3f, ~0U, "cache line of 64 bytes"},
	{0x4, 3, EDX, 0x1, 0, ~0U, "WBINVD reaches the lower caches"},
	{0x4, 4, EAX, 0x1f, 0, ~0U, "no fifth cache"},
	{0x6, ANY_SUBLEAF, EAX, 0x800000, 0, ~0U, "no thread director"},
	{0x7, 0, EAX, ~0U, 2, ~0U, "three subleaves"},
	{0x7, 0, EBX, 0x219424c3, 0x219424c3, 0, "TCG lacks INVPCID, RDSEED, SHA, TSC_ADJUST, ..."},
	{0x7, 0, ECX, 0x99000000, 0x99000000, 0, "TCG lacks BUS_LOCK_DETECT, MOVDIRI, MOVDIR64B"},
	{0x7, 0, EDX, 0xfc082600, 0xfc080400, 0xac000400,
	 "SPEC_CTRL and its like are virtual; TCG lacks ARCH_LBR, L1D_FLUSH, CORE_CAPABILITIES"},
	{0x7, 2, EDX, 0x17, 0x17, 0, "TCG lacks PSFD, IPRED, RRSBA, BHI controls"},
	{0xa, ANY_SUBLEAF, EAX, 0xffff, 0x805, ~0U, "version 5, eight counters; TCG has none, a TD only with PERFMON"},
	{0xa, ANY_SUBLEAF, ECX, 0xffffff80, 0, ~0U, "fixed counters"},
	{0xa, ANY_SUBLEAF, EDX, 0x8000, 0x8000, ~0U, "AnyThread deprecated"},
	{0xd, 0, EAX, 0x3, 0x3, ~0U, "x87 and SSE state"},
	{0xd, 1, EAX, 0xf, 0xf, 0, "TCG lacks XSAVEC and XSAVES"},
	{0xd, 1, ECX, 0x1800, 0x1800, 0, "TCG lacks CET state"},
	{0x14, 0, EAX, ~0U, 0x1, ~0U, "processor trace; a TD only with XFAM.PT"},
	{0x23, 1, EAX, 0xffffff00, 0, ~0U, "counters"},
	{0x23, 1, EBX, 0xfffffff0, 0, ~0U, "counters"},
	{0x80000001, ANY_SUBLEAF, ECX, 0x121, 0x121, 0, "LAHF, LZCNT, PREFETCHW"},
	{0x80000001, ANY_SUBLEAF, EDX, 0x2c100800, 0x2c100800, 0, "SYSCALL, NX, 1 GiB pages, RDTSCP, LM"},
	{0x80000006, ANY_SUBLEAF, ECX, 0xff, 0x40, ~0U, "cache line of 64 bytes"},
	{0x80000007, ANY_SUBLEAF, EDX, 0x100, 0x100, ~0U, "invariant TSC: TCG's is one"},
	{0x80000008, ANY_SUBLEAF, EAX, 0xff, 0x34, ~0U, "52 physical address bits"},
	{0x80000008, ANY_SUBLEAF, EBX, 0x200, 0x200, 0, "WBNOINVD"},
};
/* clang-format on */

#define WORDS (sizeof(words) / sizeof(words[0]))

static void native_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	uint32_t top[4];

	insn_cpuid(leaf & 0x80000000U, 0, top);
	memset(r, 0, 4 * sizeof(r[0]));
	if (leaf <= top[0])
		insn_cpuid(leaf, subleaf, r);
}

static bool word_matches(const struct cpuid_word *w, uint32_t leaf, uint32_t subleaf)
{
	return w->leaf == leaf && (w->subleaf == subleaf || w->subleaf == ANY_SUBLEAF);
}

/* Bits of the x2APIC id below the package number; a package has at least one. */
static uint32_t package_shift(void)
{
	uint32_t r[4];

	insn_cpuid(0xb, 1, r);
	return (r[0] & 31) == 0 ? 1 : r[0] & 31;
}

static void make_topology(uint32_t subleaf, uint32_t r[4])
{
	insn_cpuid(0xb, subleaf, r);
	if (subleaf == 1)
		r[0] = package_shift();
}

void td_cpuid_for_model(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	if (subleaf == ANY_SUBLEAF)
		subleaf = 0;
	native_cpuid(leaf, subleaf, r);
	if (leaf == 0)
		r[0] = LAST_LEAF;
	else if (leaf == 0x15)
		l1_cpuid_tsc(r);
	else if (leaf == 0x1f)
		make_topology(subleaf, r);
	else if (leaf == 0x80000000U)
		r[0] = LAST_EXT;
	/* The third cache is shared by the whole package. */
	if (leaf == 4 && subleaf == 3)
		r[0] = (r[0] & ~(UINT32_C(0xfff) << 14)) |
		       ((UINT32_C(1) << package_shift()) - 1) << 14;
	for (unsigned i = 0; i < WORDS; i++) {
		if (word_matches(&words[i], leaf, subleaf))
			r[words[i].reg] = (r[words[i].reg] & ~words[i].mask) | words[i].value;
	}
}

static uint32_t cleared_bits(const struct cpuid_word *w)
{
	uint32_t native[4];

	native_cpuid(w->leaf, w->subleaf == ANY_SUBLEAF ? 0 : w->subleaf, native);
	return w->value & ~native[w->reg] & ~w->real;
}

void td_cpuid_filter(struct td_run *r)
{
	static const unsigned gpr_of[4] = {TDX_RAX, TDX_RBX, TDX_RCX, TDX_RDX};
	struct td_vcpu *vcpu = r->vcpu;
	bool answered = vcpu->asked_cpuid && (r->state->event & EVENT_VALID) == 0;

	vcpu->asked_cpuid = false;
	if (!answered)
		return;
	for (unsigned i = 0; i < WORDS; i++) {
		if (word_matches(&words[i], vcpu->cpuid_leaf, vcpu->cpuid_subleaf))
			r->gpr[gpr_of[words[i].reg]] &= ~(uint64_t)cleared_bits(&words[i]);
	}
}

void td_cpuid_print_tables(void)
{
	static const char *const names[4] = {"EAX", "EBX", "ECX", "EDX"};

	for (unsigned i = 0; i < WORDS; i++) {
		const struct cpuid_word *w = &words[i];

		emu_log("tdxemu: CPUID %x.%x.%s: module told %08x of %08x, TDs lose %08x: %s",
			w->leaf, w->subleaf == ANY_SUBLEAF ? 0 : w->subleaf, names[w->reg],
			w->value, w->mask, cleared_bits(w), w->reason);
	}
}
