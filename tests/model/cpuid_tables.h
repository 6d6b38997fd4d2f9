/* SPDX-License-Identifier: MIT */
/*
 * CPUID as module 1.5.01 knows it: what a CPU must show for the module to start,
 * what every LP must show alike, and how each bit is shown to a TD. The order is
 * the module's own; TDCS.CPUID_VALUES is walked in it.
 */
#pragma once

#include "tests/model/model.h"

#define NO_SUBLEAF UINT32_MAX
#define ALL        0xffffffff

/* Per register EAX EBX ECX EDX. Bits in neither mask are native or configurable. */
/* clang-format off */
static const struct cpuid_entry entries[CPUID_ENTRIES] = {
	{0x1, NO_SUBLEAF, false, {0, 0, 0x80000000, 0x200}, {0xf000c000, 0xff0000ff, 0x8010060, 0x40120400}},
	{0x4, 0x0, false, {0, 0, 0, 0}, {0x3c00, 0, 0, 0x4}},
	{0x4, 0x1, false, {0, 0, 0, 0}, {0x3c00, 0, 0, 0x4}},
	{0x4, 0x2, false, {0, 0, 0, 0}, {0x3c00, 0, 0, 0x4}},
	{0x4, 0x3, false, {0, 0, 0, 0}, {0x3c00, 0, 0, 0xfffffff8}},
	{0x7, 0x0, false, {0, 0, 0, 0}, {0, 0x404006, 0x643e8010, 0x2298c3}},
	{0x7, 0x1, false, {0, 0, 0, 0}, {0xffffe2cf, ALL, ALL, ALL}},
	{0xa, NO_SUBLEAF, false, {0, 0, 0, 0}, {0, 0, 0, 0xffff6000}},
	{0x1c, NO_SUBLEAF, false, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x80000008, NO_SUBLEAF, false, {0, 0, 0, 0}, {0xffff0000, 0xfffffdff, ALL, ALL}},
	{0x0, NO_SUBLEAF, false, {0x23, 0, 0, 0}, {0xffffffdc, 0, 0, 0}},
	{0x3, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x4, 0x4, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x6, NO_SUBLEAF, true, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x7, 0x2, false, {0, 0, 0, 0}, {ALL, ALL, ALL, 0xffffffc0}},
	{0x8, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0xd, 0x0, false, {0, 0, 0, 0}, {0xfff9fd18, ALL, 0, ALL}},
	{0xd, 0x1, false, {0, 0, 0, 0}, {0xffffffe0, ALL, 0xffff26ff, ALL}},
	{0xd, 0x2, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x3, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x4, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x5, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x6, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x7, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x8, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x9, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0xa, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0xb, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0xc, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0xd, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0xe, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0xf, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x10, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x11, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xd, 0x12, false, {0, 0, 0, 0}, {0, 0, 0, ALL}},
	{0xe, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x11, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x12, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x13, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x14, 0x0, false, {0, 0, 0, 0}, {0, 0xfffffe00, 0x7ffffff0, ALL}},
	{0x14, 0x1, false, {0, 0, 0, 0}, {0xfff8, 0, ALL, ALL}},
	{0x15, NO_SUBLEAF, false, {0x1, 0, 0x17d7840, 0}, {0xfffffffe, 0, 0xfe8287bf, ALL}},
	{0x19, NO_SUBLEAF, false, {0, 0, 0, 0}, {0xfffffff8, 0xffffffeb, 0xfffffffd, ALL}},
	{0x1d, 0x0, false, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1d, 0x1, false, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1e, NO_SUBLEAF, false, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1f, 0x0, true, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1f, 0x1, true, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1f, 0x2, true, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1f, 0x3, true, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1f, 0x4, true, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1f, 0x5, true, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x20, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x21, 0x0, false, {0, 0x65746e49, 0x20202020, 0x5844546c}, {ALL, 0x9a8b91b6, 0xdfdfdfdf, 0xa7bbab93}},
	{0x80000000, NO_SUBLEAF, false, {0x80000008, 0, 0, 0}, {0x7ffffff7, ALL, ALL, ALL}},
	{0x80000001, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, 0xfffffede, 0xd3efffff}},
	{0x80000006, NO_SUBLEAF, true, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x80000007, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, 0xfffffeff}},
	{0x22, NO_SUBLEAF, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x23, 0x0, false, {0, 0, 0, 0}, {0xfffffff0, 0, ALL, ALL}},
	{0x23, 0x1, false, {0, 0, 0, 0}, {0, 0, ALL, ALL}},
	{0x23, 0x2, false, {0, 0, 0, 0}, {ALL, ALL, ALL, ALL}},
	{0x23, 0x3, false, {0, 0, 0, 0}, {0, ALL, ALL, ALL}},
	{0x5, NO_SUBLEAF, false, {0, 0, 0, 0}, {0xffff0000, 0xffff0000, 0xfffffffc, 0}},
};

/* TDH.SYS.INIT: (native & mask) must equal value. Leaves not listed: anything goes. */
struct cpuid_requirement {
	uint32_t leaf, subleaf;
	uint32_t mask[4], value[4];
};

static const struct cpuid_requirement requirements[] = {
	{0x1, NO_SUBLEAF, {0, 0xff00, 0x47faa217, 0x1fa9fbff}, {0, 0x800, 0x47faa217, 0x1fa9fbff}},
	{0x4, 0x0, {0, 0xfff, 0, 0}, {0, 0x3f, 0, 0}},
	{0x4, 0x1, {0, 0xfff, 0, 0}, {0, 0x3f, 0, 0}},
	{0x4, 0x2, {0, 0xfff, 0, 0}, {0, 0x3f, 0, 0}},
	{0x4, 0x3, {0xe0, 0xfff, 0, 0x1}, {0x60, 0x3f, 0, 0}},
	{0x7, 0x0, {ALL, 0x219424c3, 0x99000000, 0xfc082600}, {0x2, 0x219424c3, 0x99000000, 0xfc080400}},
	{0xa, NO_SUBLEAF, {0xff00, 0, 0xffffff80, 0x8000}, {0x800, 0, 0, 0x8000}},
	{0x80000008, NO_SUBLEAF, {0xff, 0x200, 0, 0}, {0x34, 0x200, 0, 0}},
	{0x0, NO_SUBLEAF, {0, ALL, ALL, ALL}, {0, 0x756e6547, 0x6c65746e, 0x49656e69}},
	{0x4, 0x4, {0x1f, 0, 0, 0}, {0, 0, 0, 0}},
	{0x6, NO_SUBLEAF, {0x800000, 0, 0, 0}, {0, 0, 0, 0}},
	{0x7, 0x2, {0, 0, 0, 0x17}, {0, 0, 0, 0x17}},
	{0xd, 0x0, {0x3, 0, 0, 0}, {0x3, 0, 0, 0}},
	{0xd, 0x1, {0xf, 0, 0x1800, 0}, {0xf, 0, 0x1800, 0}},
	{0x14, 0x0, {ALL, 0, 0, 0}, {0x1, 0, 0, 0}},
	{0x1f, 0x5, {0, 0, 0xff00, 0}, {0, 0, 0, 0}},
	{0x80000001, NO_SUBLEAF, {0, 0, 0x121, 0x2c100800}, {0, 0, 0x121, 0x2c100800}},
	{0x80000006, NO_SUBLEAF, {0, 0, 0xff, 0}, {0, 0, 0x40, 0}},
	{0x80000007, NO_SUBLEAF, {0, 0, 0, 0x100}, {0, 0, 0, 0x100}},
	{0x23, 0x1, {0xffffff00, 0xfffffff0, 0, 0}, {0, 0, 0, 0}},
};

/* TDH.SYS.LP.INIT: bits that must be as TDH.SYS.INIT saw them. Not listed: all bits. */
struct cpuid_same {
	uint32_t leaf, subleaf;
	uint32_t mask[4];
};

static const struct cpuid_same same_masks[] = {
	{0x1, NO_SUBLEAF, {0xf000c000, 0xffff, 0xf7ffff9f, ALL}},
	{0x7, 0x0, {ALL, 0xfffffffb, 0xbfc1ff6f, 0xffebffff}},
	{0x3, NO_SUBLEAF, {0, 0, 0, 0}},
	{0x6, NO_SUBLEAF, {0x800000, 0, 0, 0}},
	{0x8, NO_SUBLEAF, {0, 0, 0, 0}},
	{0xd, 0x0, {ALL, 0, ALL, ALL}},
	{0xd, 0x1, {ALL, 0, ALL, ALL}},
	{0xe, NO_SUBLEAF, {0, 0, 0, 0}},
	{0x11, NO_SUBLEAF, {0, 0, 0, 0}},
	{0x12, NO_SUBLEAF, {0, 0, 0, 0}},
	{0x13, NO_SUBLEAF, {0, 0, 0, 0}},
	{0x19, NO_SUBLEAF, {ALL, 0xfffffffe, ALL, ALL}},
	{0x1f, 0x0, {ALL, ALL, ALL, 0}},
	{0x1f, 0x1, {ALL, ALL, ALL, 0}},
	{0x1f, 0x2, {ALL, ALL, ALL, 0}},
	{0x1f, 0x3, {ALL, ALL, ALL, 0}},
	{0x1f, 0x4, {ALL, ALL, ALL, 0}},
	{0x1f, 0x5, {ALL, ALL, ALL, 0}},
	{0x20, NO_SUBLEAF, {0, 0, 0, 0}},
	{0x21, 0x0, {0, 0, 0, 0}},
	{0x80000006, NO_SUBLEAF, {0, 0, 0xff, 0}},
	{0x80000007, NO_SUBLEAF, {0, 0, 0, 0x100}},
	{0x22, NO_SUBLEAF, {0, 0, 0, 0}},
};

/* In the order of TD_PARAMS.CPUID_CONFIG. `allow`: settable if the CPU has the bit. */
static const struct cpuid_config configs[CPUID_CONFIGS] = {
	{0x1, NO_SUBLEAF, {0xfff3fff, 0xff0000, 0, 0}, {0, 0, 0x31044d88, 0xb8440000}},
	{0x4, 0x0, {0xffffc3ff, 0xfffff000, ALL, 0xfffffffb}, {0, 0, 0, 0}},
	{0x4, 0x1, {0xffffc3ff, 0xfffff000, ALL, 0xfffffffb}, {0, 0, 0, 0}},
	{0x4, 0x2, {0xffffc3ff, 0xfffff000, ALL, 0xfffffffb}, {0, 0, 0, 0}},
	{0x4, 0x3, {0xffffc3ff, 0xfffff000, ALL, 0x7}, {0, 0, 0, 0}},
	{0x7, 0x0, {0, 0, 0, 0}, {0, 0xdc2b9b18, 0x2417f65, 0x5411c}},
	{0x7, 0x1, {0, 0, 0, 0}, {0x1d30, 0, 0, 0}},
	{0xa, NO_SUBLEAF, {0, 0, 0, 0}, {0, 0, 0, 0}},
	{0x1c, NO_SUBLEAF, {0, 0, 0, 0}, {0xff, 0, 0, 0}},
	{0x80000008, NO_SUBLEAF, {0, 0, 0, 0}, {0, 0x200, 0, 0}},
	{0x7, 0x2, {0, 0, 0, 0}, {0, 0, 0, 0x28}},
	{0x23, 0x0, {0, 0, 0, 0}, {0xf, 0, 0, 0}},
};

/* Bits of leaf 7.0 and 1 that vanish when an XFAM bit is clear. */
struct xfam_mask {
	uint32_t leaf, subleaf;
	uint64_t xfam;
	uint32_t mask[4];
};

static const struct xfam_mask xfam_masks[] = {
	{0x1, NO_SUBLEAF, 0x4, {0, 0, 0x30001000, 0}},
	{0x7, 0, 0x4, {0, 0x20, 0x600, 0}},
	{0x7, 0, 0xe0, {0, 0xdc230000, 0x5842, 0x80010c}},
	{0x7, 0, 0x100, {0, 0x2000000, 0, 0}},
	{0x7, 0, 0x200, {0, 0, 0x8, 0}},
	{0x7, 0, 0x1800, {0, 0, 0x80, 0x100000}},
	{0x7, 0, 0x4000, {0, 0, 0, 0x20}},
	{0x7, 0, 0x8000, {0, 0, 0, 0x80000}},
	{0x7, 0, 0x60000, {0, 0, 0, 0x3400000}},
	{0x7, 1, 0xe0, {0x30, 0, 0, 0}},
	{0xd, 0, 0x4, {0x4, 0, 0, 0}},
	{0xd, 0, 0xe0, {0xe0, 0, 0, 0}},
	{0xd, 0, 0x200, {0x200, 0, 0, 0}},
	{0xd, 0, 0x60000, {0x60000, 0, 0, 0}},
	{0xd, 1, 0x100, {0, 0, 0x100, 0}},
	{0xd, 1, 0x1800, {0, 0, 0x1800, 0}},
	{0xd, 1, 0x4000, {0, 0, 0x4000, 0}},
	{0xd, 1, 0x8000, {0, 0, 0x8000, 0}},
};
/* clang-format on */
