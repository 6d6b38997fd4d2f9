/* SPDX-License-Identifier: MIT */
/* CPUID: the machine's at bring-up, and the virtual one that MNG.INIT computes. */
#include "tests/model/cpuid_tables.h"

#include <string.h>

#include "tests/model/model.h"

#define MIN_LAST_LEAF   0x1f
#define LAST_EXT_LEAF   0x80000008u
#define CPUID_CONFIG_AT 256 /* offset in TD_PARAMS */
#define LEVEL_TYPE_CORE 2
#define LEVEL_TYPE_LAST 5 /* die */
#define TSX_HLE         (UINT32_C(1) << 4)
#define TSX_RTM         (UINT32_C(1) << 11)
#define LA57            (UINT32_C(1) << 16)
#define LINEAR_BITS     UINT32_C(0xff00)
#define PERFMON_VERSION 5
#define FIXED_COUNTERS  7
#define XSAVE_LEGACY    576
/* CPUID(0xd, N > 1).ECX */
#define XSAVE_SUPERVISOR 1u

enum { EAX, EBX, ECX, EDX };

const struct cpuid_entry *cpuid_entry(unsigned index) { return &entries[index]; }
const struct cpuid_config *cpuid_config(unsigned index) { return &configs[index]; }

int cpuid_index(uint32_t leaf, uint32_t subleaf)
{
	for (int i = 0; i < CPUID_ENTRIES; i++)
		if (entries[i].leaf == leaf &&
		    (entries[i].subleaf == subleaf || entries[i].subleaf == NO_SUBLEAF))
			return i;
	return -1;
}

uint32_t cpuid_config_reported(const struct tdx_model *model, unsigned index, unsigned reg)
{
	const struct cpuid_config *config = &configs[index];
	int entry = cpuid_index(config->leaf, config->subleaf);

	return config->direct[reg] | (config->allow[reg] & model->native_cpuid[entry].reg[reg]);
}

/* A leaf that the CPU does not have reads as zero. */
static void native(struct call *call, unsigned i, struct cpuid_values *values)
{
	const struct tdx_machine *machine = &call->model->machine;
	uint32_t leaf = entries[i].leaf, range = leaf & UINT32_C(0x80000000), last[4];

	machine->cpuid(machine->ctx, call->lp, range, NO_SUBLEAF, last);
	*values = (struct cpuid_values){0};
	if (leaf <= last[EAX])
		machine->cpuid(machine->ctx, call->lp, leaf, entries[i].subleaf, values->reg);
}

static uint64_t pair(uint32_t low, uint32_t high) { return (uint64_t)high << 32 | low; }

static uint64_t incorrect(struct call *call, unsigned i, const uint32_t mask[4],
			  const uint32_t value[4])
{
	call->gpr[TDX_RCX] = pair(entries[i].leaf, entries[i].subleaf);
	call->gpr[TDX_RDX] = pair(mask[EAX], mask[EBX]);
	call->gpr[TDX_R8] = pair(mask[ECX], mask[EDX]);
	call->gpr[TDX_R9] = pair(value[EAX], value[EBX]);
	call->gpr[TDX_R10] = pair(value[ECX], value[EDX]);
	return TDX_INCORRECT_CPUID_VALUE;
}

static uint64_t check_requirement(struct call *call, unsigned i, const struct cpuid_values *v)
{
	for (unsigned j = 0; j < sizeof(requirements) / sizeof(requirements[0]); j++) {
		const struct cpuid_requirement *r = &requirements[j];
		bool met = true;

		if (r->leaf != entries[i].leaf || r->subleaf != entries[i].subleaf)
			continue;
		for (unsigned reg = 0; reg < 4; reg++)
			met = met && (v->reg[reg] & r->mask[reg]) == r->value[reg];
		return met ? TDX_SUCCESS : incorrect(call, i, r->mask, r->value);
	}
	return TDX_SUCCESS;
}

/*
 * Leaf 0x1F must list levels in rising order, with cores among them. The shift of
 * the last one is that of the package, and the L3 cache must be a package's.
 * Called for each sub-leaf in turn; all that came before passed.
 */
static uint64_t check_topology(const struct tdx_model *model, unsigned i)
{
	unsigned first = (unsigned)cpuid_index(0x1f, 0), l3 = (unsigned)cpuid_index(4, 3);
	uint32_t sharing = model->native_cpuid[l3].reg[EAX] >> 14 & 0xfff;
	uint32_t type = model->native_cpuid[i].reg[ECX] >> 8 & 0xff;
	uint32_t previous = i > first ? model->native_cpuid[i - 1].reg[ECX] >> 8 & 0xff : 0;
	uint32_t shift = i > first ? model->native_cpuid[i - 1].reg[EAX] & 0x1f : 0;
	bool cores = false;

	if (type != 0)
		return type <= previous || type > LEVEL_TYPE_LAST
			       ? TDX_CPUID_LEAF_1F_FORMAT_UNRECOGNIZED
			       : TDX_SUCCESS;
	for (unsigned j = first; j < i; j++)
		cores = cores ||
			(model->native_cpuid[j].reg[ECX] >> 8 & 0xff) == LEVEL_TYPE_CORE;
	if (!cores)
		return TDX_CPUID_LEAF_NOT_SUPPORTED;
	if (previous != 0 && (shift == 0 || sharing >> (shift - 1) != 1))
		return TDX_INVALID_WBINVD_SCOPE;
	return TDX_SUCCESS;
}

static uint32_t package_shift(const struct tdx_model *model)
{
	unsigned i = (unsigned)cpuid_index(0x1f, 0);
	uint32_t shift = 0;

	for (; (model->native_cpuid[i].reg[ECX] >> 8 & 0xff) != 0; i++)
		shift = model->native_cpuid[i].reg[EAX] & 0x1f;
	return shift;
}

static uint64_t check_perfmon(struct call *call, unsigned i, const uint32_t v[4])
{
	if ((v[EAX] & 0xff) < PERFMON_VERSION)
		return incorrect(call, i, (const uint32_t[4]){[EAX] = 0xf},
				 (const uint32_t[4]){[EAX] = PERFMON_VERSION});
	if ((v[EDX] & 0x1f) > FIXED_COUNTERS)
		return incorrect(call, i, (const uint32_t[4]){[EDX] = 0x1f},
				 (const uint32_t[4]){[EDX] = FIXED_COUNTERS});
	return TDX_SUCCESS;
}

/* EAX[15:8] of leaf 0x80000008: bits of a linear address. */
static uint32_t linear_bits(const uint32_t leaf_7_0[4])
{
	return leaf_7_0[ECX] & LA57 ? 57 << 8 : 48 << 8;
}

static uint64_t check_linear_bits(struct call *call, unsigned i, const uint32_t v[4])
{
	unsigned features = (unsigned)cpuid_index(0x7, 0);
	uint32_t bits = linear_bits(call->model->native_cpuid[features].reg);

	if ((v[EAX] & LINEAR_BITS) == bits)
		return TDX_SUCCESS;
	return incorrect(call, i, (const uint32_t[4]){[EAX] = LINEAR_BITS},
			 (const uint32_t[4]){[EAX] = bits});
}

static uint64_t check_special(struct call *call, unsigned i)
{
	struct tdx_model *model = call->model;
	const uint32_t *v = model->native_cpuid[i].reg;

	switch (entries[i].leaf) {
	case 0x1:
		model->platform_fms = v[EAX];
		return TDX_SUCCESS;
	case 0xa:
		return check_perfmon(call, i, v);
	case 0x15:
		if (v[EAX] == 0 || v[EBX] == 0)
			return TDX_CPUID_LEAF_NOT_SUPPORTED | 0x15;
		model->tsc_hz = (uint64_t)v[ECX] * v[EBX] / v[EAX];
		return TDX_SUCCESS;
	case 0x1f:
		return check_topology(model, i);
	case 0x80000008:
		return check_linear_bits(call, i, v);
	default:
		return TDX_SUCCESS;
	}
}

/* Without these leaves there is no point in looking at any. */
static uint64_t check_last_leaves(struct call *call)
{
	struct cpuid_values basic, extended;

	native(call, (unsigned)cpuid_index(0x0, 0), &basic);
	native(call, (unsigned)cpuid_index(0x80000000, 0), &extended);
	if (basic.reg[EAX] < MIN_LAST_LEAF)
		return TDX_CPUID_LEAF_NOT_SUPPORTED | MIN_LAST_LEAF;
	if (extended.reg[EAX] < LAST_EXT_LEAF)
		return TDX_CPUID_LEAF_NOT_SUPPORTED | LAST_EXT_LEAF;
	return TDX_SUCCESS;
}

uint64_t cpuid_sample(struct call *call)
{
	struct tdx_model *model = call->model;
	unsigned d0 = (unsigned)cpuid_index(0xd, 0), d1 = (unsigned)cpuid_index(0xd, 1);
	uint64_t status = check_last_leaves(call);

	if (status)
		return status;
	for (unsigned i = 0; i < CPUID_ENTRIES; i++) {
		native(call, i, &model->native_cpuid[i]);
		status = check_requirement(call, i, &model->native_cpuid[i]);
		if (!status)
			status = check_special(call, i);
		if (status)
			return status;
	}
	model->attributes_fixed0 = ATTRIBUTES_FIXED0;
	model->xfam_fixed0 = XFAM_FIXED0 & (model->native_cpuid[d0].reg[EAX] |
					    model->native_cpuid[d1].reg[ECX]);
	return TDX_SUCCESS;
}

static const uint32_t *same_mask(unsigned i)
{
	static const uint32_t all_bits[4] = {ALL, ALL, ALL, ALL};

	for (unsigned j = 0; j < sizeof(same_masks) / sizeof(same_masks[0]); j++)
		if (same_masks[j].leaf == entries[i].leaf &&
		    same_masks[j].subleaf == entries[i].subleaf)
			return same_masks[j].mask;
	return all_bits;
}

uint64_t cpuid_check_lp(struct call *call)
{
	struct tdx_model *model = call->model;
	struct cpuid_values topology;
	uint32_t package;

	for (unsigned i = 0; i < CPUID_ENTRIES; i++) {
		const uint32_t *mask = same_mask(i);
		struct cpuid_values v;

		native(call, i, &v);
		for (unsigned reg = 0; reg < 4; reg++) {
			if (((v.reg[reg] ^ model->native_cpuid[i].reg[reg]) & mask[reg]) == 0)
				continue;
			call->gpr[TDX_RCX] = pair(entries[i].leaf, entries[i].subleaf);
			call->gpr[TDX_RDX] = pair(mask[EAX], mask[EBX]);
			call->gpr[TDX_R8] = pair(mask[ECX], mask[EDX]);
			return TDX_INCONSISTENT_CPUID_FIELD;
		}
	}
	native(call, (unsigned)cpuid_index(0x1f, 0), &topology);
	package = topology.reg[EDX] >> package_shift(model);
	if (package >= TDX_MODEL_MAX_PACKAGES)
		return TDX_INVALID_PKG_ID | package;
	model->lp[call->lp].package = (uint8_t)package;
	return TDX_SUCCESS;
}

/* ---- the virtual CPUID of one TD ------------------------------------------ */

struct td_cpuid {
	struct call *call;
	struct td *td;
	unsigned index;
	uint32_t v[4];
};

static uint64_t reject(struct td_cpuid *c)
{
	c->call->gpr[TDX_RCX] = pair(entries[c->index].leaf, entries[c->index].subleaf);
	return TDX_OPERAND_INVALID | OPERAND_CPUID_CONFIG;
}

/* The fixed bits hold for every leaf; the host's choice where one is offered. */
static uint64_t apply_config(struct td_cpuid *c, const uint8_t *params)
{
	const struct cpuid_entry *entry = &entries[c->index];

	for (unsigned reg = 0; reg < 4; reg++)
		c->v[reg] = (c->v[reg] & ~entry->fixed0[reg]) | entry->fixed1[reg];
	for (unsigned i = 0; i < CPUID_CONFIGS; i++) {
		const struct cpuid_config *config = &configs[i];
		uint32_t want[4];

		if (config->leaf != entry->leaf || config->subleaf != entry->subleaf)
			continue;
		memcpy(want, params + CPUID_CONFIG_AT + (size_t)16 * i, sizeof(want));
		for (unsigned reg = 0; reg < 4; reg++) {
			if (want[reg] & ~(config->direct[reg] | config->allow[reg]))
				return reject(c);
			c->v[reg] = (c->v[reg] & ~config->direct[reg]) |
				    (want[reg] & config->direct[reg]);
			c->v[reg] &= want[reg] | ~config->allow[reg];
		}
	}
	return TDX_SUCCESS;
}

static void apply_xfam(struct td_cpuid *c)
{
	uint64_t xfam = c->td->cs->xfam;

	for (unsigned i = 0; i < sizeof(xfam_masks) / sizeof(xfam_masks[0]); i++) {
		const struct xfam_mask *m = &xfam_masks[i];

		if (m->leaf != entries[c->index].leaf ||
		    m->subleaf != entries[c->index].subleaf || (xfam & m->xfam) == m->xfam)
			continue;
		for (unsigned reg = 0; reg < 4; reg++)
			c->v[reg] &= ~m->mask[reg];
	}
}

/* CPUID(1).EAX: 0 stands for the CPU's own; another value only for a migratable TD. */
static uint64_t virtual_leaf_1(struct td_cpuid *c)
{
	struct tdcs *cs = c->td->cs;

	if (c->v[EAX] == 0)
		c->v[EAX] = c->call->model->platform_fms;
	if (c->v[EAX] != c->call->model->platform_fms)
		return reject(c);
	cs->monitor = c->v[ECX] >> 3 & 1;
	cs->dca = c->v[ECX] >> 18 & 1;
	cs->tsc_deadline = c->v[ECX] >> 24 & 1;
	return TDX_SUCCESS;
}

static uint64_t virtual_leaf_7_0(struct td_cpuid *c)
{
	struct tdcs *cs = c->td->cs;
	bool hle = c->v[EBX] & TSX_HLE, rtm = c->v[EBX] & TSX_RTM;

	if (hle != rtm)
		return reject(c);
	if (hle && !(msr_sampled(c->call->model, IA32_ARCH_CAPABILITIES) & ARCH_CAP_TSX_CTRL))
		return TDX_INCORRECT_MSR_VALUE | IA32_ARCH_CAPABILITIES;
	cs->tsx = hle;
	c->v[ECX] &= ~(UINT32_C(1) << 31 | UINT32_C(1) << 23);
	if (cs->attributes & ATTR_PKS)
		c->v[ECX] |= UINT32_C(1) << 31;
	cs->waitpkg = c->v[ECX] >> 5 & 1;
	cs->tme = c->v[ECX] >> 13 & 1;
	cs->mktme = c->v[EDX] >> 18 & 1;
	return TDX_SUCCESS;
}

static void virtual_ext_leaf_8(struct td_cpuid *c)
{
	const struct cpuid_values *values = tdcs_page(c->td, TDCS_CPUID);

	c->v[EAX] &= ~LINEAR_BITS;
	c->v[EAX] |= linear_bits(values[cpuid_index(0x7, 0)].reg);
}

/* What the CPU needs to save all user states of `xfam` in the plain format. */
static uint32_t xsave_area_size(const struct tdx_model *model, uint64_t xfam)
{
	unsigned first = (unsigned)cpuid_index(0xd, 2);
	uint32_t size = XSAVE_LEGACY;

	for (unsigned i = 2; i < XBUFF_FEATURES; i++) {
		const uint32_t *v = model->native_cpuid[first + i - 2].reg;
		uint32_t end = v[EAX] + v[EBX];

		if ((xfam >> i & 1) && !(v[ECX] & XSAVE_SUPERVISOR) && end > size)
			size = end;
	}
	return size;
}

static void virtual_leaf_d(struct td_cpuid *c)
{
	const struct cpuid_entry *entry = &entries[c->index];
	uint64_t xfam = c->td->cs->xfam;

	if (entry->subleaf == 0) {
		c->v[ECX] = xsave_area_size(c->call->model, xfam);
	} else if (entry->subleaf == 1) {
		if ((xfam & 0x60000) == 0) /* only AMX can fault on first use */
			c->v[EAX] &= ~UINT32_C(0x10);
		c->td->cs->xfd = c->v[EAX] & 0x10;
	} else if (entry->subleaf > 1 && !(xfam >> entry->subleaf & 1)) {
		memset(c->v, 0, sizeof(c->v));
	}
}

/* Leaves that exist for the TD only together with a feature. */
static bool leaf_is_hidden(const struct td_cpuid *c)
{
	const struct tdcs *cs = c->td->cs;

	switch (entries[c->index].leaf) {
	case 0x5:
		return !cs->monitor;
	case 0xa:
		return !(cs->attributes & ATTR_PERFMON);
	case 0x14:
		return !(cs->xfam & 0x100);
	case 0x19:
		return true;
	case 0x1c:
		return !(cs->xfam & 0x8000);
	case 0x1d:
		return (cs->xfam & 0x60000) != 0x60000;
	case 0x23:
		return !(cs->attributes & ATTR_PERFMON) || !cs->perfmon_ext;
	default:
		return false;
	}
}

static uint64_t virtualize(struct td_cpuid *c)
{
	const struct cpuid_entry *entry = &entries[c->index];
	uint64_t status = TDX_SUCCESS;

	if (leaf_is_hidden(c))
		memset(c->v, 0, sizeof(c->v));
	if (entry->leaf == 0x1)
		status = virtual_leaf_1(c);
	else if (entry->leaf == 0x7 && entry->subleaf == 0)
		status = virtual_leaf_7_0(c);
	else if (entry->leaf == 0x7 && entry->subleaf == 1)
		c->td->cs->perfmon_ext = c->v[EAX] >> 8 & 1;
	else if (entry->leaf == 0xd)
		virtual_leaf_d(c);
	else if (entry->leaf == 0x15)
		c->v[EBX] = c->td->cs->tsc_frequency;
	else if (entry->leaf == 0x80000008)
		virtual_ext_leaf_8(c);
	return status;
}

static void set_xbuff(struct td_cpuid *c)
{
	struct tdcs *cs = c->td->cs;
	unsigned first = (unsigned)cpuid_index(0xd, 2);
	uint32_t size = XSAVE_LEGACY;

	memset(cs->xbuff_offset, 0, sizeof(cs->xbuff_offset));
	for (unsigned i = 2; i < XBUFF_FEATURES; i++) {
		const uint32_t *v = c->call->model->native_cpuid[first + i - 2].reg;

		if (!(cs->xfam >> i & 1))
			continue;
		if (v[ECX] & 2)
			size = (size + 63) & ~UINT32_C(63);
		cs->xbuff_offset[i] = size;
		size += v[EAX];
	}
	cs->xbuff_size = size;
}

uint64_t cpuid_configure_td(struct call *call, struct td *td, const uint8_t *params)
{
	struct cpuid_values *values = tdcs_page(td, TDCS_CPUID);
	struct td_cpuid c = {.call = call, .td = td};

	set_xbuff(&c);
	for (c.index = 0; c.index < CPUID_ENTRIES; c.index++) {
		uint64_t status;

		memcpy(c.v, call->model->native_cpuid[c.index].reg, sizeof(c.v));
		status = apply_config(&c, params);
		if (status)
			return status;
		apply_xfam(&c);
		status = virtualize(&c);
		if (status)
			return status;
		memcpy(values[c.index].reg, c.v, sizeof(c.v));
	}
	return TDX_SUCCESS;
}
