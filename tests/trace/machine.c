/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tests/trace/machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RESERVED_BYTES (UINT64_C(1) << 40)
#define ANY            UINT32_MAX

struct cpuid_row {
	uint32_t leaf, subleaf;
	uint32_t regs[4];
};

/* A server CPU that the module accepts. Leaves not listed read as zero. */
/* clang-format off */
static const struct cpuid_row cpuid_rows[] = {
	{0x0, ANY, {0x20, 0x756e6547, 0x6c65746e, 0x49656e69}},
	{0x1, ANY, {0, 0x800800, 0x7ffefbbf, 0xbfebfbff}},
	{0x4, 0, {0x7c004121, 0x2c0003f, 0x3f, 0}},
	{0x4, 1, {0x7c004122, 0x1c0003f, 0x3f, 0}},
	{0x4, 2, {0x7c01c143, 0x3c0003f, 0x7ff, 0}},
	{0x4, 3, {0x1c1fc163, 0x380003f, 0x1bfff, 0x4}},
	{0x5, ANY, {0x40, 0x40, 0x3, 0x10102120}},
	{0x6, ANY, {0x9, 0x2, 0x1, 0x3}},
	{0x7, 0, {0x2, 0xf3ffa7eb, 0x9b417ffc, 0xff5d4430}},
	{0x7, 1, {0x1c30, 0, 0, 0}},
	{0x7, 2, {0, 0, 0, 0x17}},
	{0xa, ANY, {0x8300805, 0, 0xf, 0x8604}},
	{0xd, 0, {0x602e7, 0x2b00, 0x2b00, 0}},
	{0xd, 1, {0x1f, 0x2b00, 0x1dd00, 0}},
	{0xd, 2, {0x100, 0x240, 0, 0}},
	{0xd, 5, {0x40, 0x440, 0, 0}},
	{0xd, 6, {0x200, 0x480, 0, 0}},
	{0xd, 7, {0x400, 0x680, 0, 0}},
	{0xd, 8, {0x80, 0, 0x1, 0}},
	{0xd, 9, {0x8, 0xa80, 0, 0}},
	{0xd, 11, {0x10, 0, 0x1, 0}},
	{0xd, 12, {0x18, 0, 0x1, 0}},
	{0xd, 14, {0x30, 0, 0x1, 0}},
	{0xd, 15, {0x328, 0, 0x1, 0}},
	{0xd, 17, {0x40, 0xac0, 0x2, 0}},
	{0xd, 18, {0x2000, 0xb00, 0x6, 0}},
	{0x14, 0, {0x1, 0xf, 0x7, 0}},
	{0x14, 1, {0x2490002, 0x3f3fff, 0, 0}},
	{0x15, ANY, {0x1, 80, 25000000, 0}},
	{0x19, ANY, {0x7, 0x14, 0x1, 0}},
	{0x1c, ANY, {0x4000000b, 0x7, 0x7, 0}},
	{0x1d, 0, {0x1, 0, 0, 0}},
	{0x1d, 1, {0x4002000, 0x80040, 0x10, 0}},
	{0x1e, ANY, {0, 0x4010, 0, 0}},
	{0x1f, 0, {0x1, 0x2, 0x100, 0}},
	{0x1f, 1, {0x7, 0x70, 0x201, 0}},
	{0x1f, 2, {0, 0, 0x2, 0}},
	{0x1f, 3, {0, 0, 0x3, 0}},
	{0x1f, 4, {0, 0, 0x4, 0}},
	{0x1f, 5, {0, 0, 0x5, 0}},
	{0x80000000, ANY, {0x80000008, 0, 0, 0}},
	{0x80000001, ANY, {0, 0, 0x121, 0x2c100800}},
	{0x80000006, ANY, {0, 0, 0x8007040, 0}},
	{0x80000007, ANY, {0, 0, 0, 0x100}},
	{0x80000008, ANY, {0x3934, 0x200, 0, 0}},
};

/* Bits that the header's cpuid_config lines show only if the CPU has them. */
static const struct cpuid_row cpuid_shown[] = {
	{0x1, ANY, {0, 0, 0x31044d88, 0xb8440000}},
	{0x7, 0, {0, 0xdc2b9b18, 0x2417f65, 0x5411c}},
	{0x7, 1, {0x1d30, 0, 0, 0}},
	{0x7, 2, {0, 0, 0, 0x28}},
	{0x1c, ANY, {0xff, 0, 0, 0}},
	{0x23, 0, {0xf, 0, 0, 0}},
	{0x80000008, ANY, {0, 0x200, 0, 0}},
};

struct msr_row {
	uint32_t msr;
	uint64_t value;
};

static const struct msr_row msr_rows[] = {
	{0x480, 0xda040000000013}, {0x48d, 0xffffffff00000016}, {0x48e, 0xffffffff04006172},
	{0x48b, 0xffffffff00000000}, {0x492, 0xffffffffffffffff}, {0x48f, 0xffffffff00036dfb},
	{0x490, 0xffffffff000011fb}, {0x485, 0x7004c1e7}, {0x48c, 0xf0106f341c1},
	{0x486, 0x80000021}, {0x487, 0xffffffff}, {0x488, 0x2000}, {0x489, 0x3ffffff},
	{0x981, 0xf}, {0x982, 0x3000000000003}, {0xfe, 0xcd08}, {0x1f2, 0},
	{0x1f3, 0x400}, {0x345, 0xa000}, {0x1a0, 0x840089}, {0x3b, 0}, {0xcf, 0},
	{0x10a, 0x20fd6b}, {0xbd, 0x1}, {0xbc, 0x1}, {0x87, 0}, {0x98, 0}, {0x99, 0},
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void tick(struct machine *m)
{
	if (m->tick)
		m->tick(m->ctx);
}

void machine_free(struct machine *m)
{
	if (m->memory)
		munmap(m->memory, RESERVED_BYTES);
	free(m->beyond);
	free(m->msr);
	free(m->cpuid);
	m->memory = NULL;
	m->beyond = NULL;
	m->msr = NULL;
	m->cpuid = NULL;
	m->msr_count = m->cpuid_count = 0;
}

void machine_reset(struct machine *m)
{
	machine_free(m);
	m->memory = mmap(NULL, RESERVED_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->memory == MAP_FAILED)
		abort();
	m->beyond = aligned_alloc(4096, 4096);
	memset(m->beyond, 0, 4096);
	memset(m->interrupts, 0, sizeof(m->interrupts));
	m->pconfig_failures = m->rdrand_failures = m->rdseed_failures = 0;
	m->tsc = 1000000000;
	m->random = 1;
}

uint8_t *machine_memory(struct machine *m, uint64_t hpa)
{
	return hpa < RESERVED_BYTES ? m->memory + hpa : m->beyond + hpa % 4096;
}

uint64_t pattern_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* `list` with room for one more; without memory there is nothing left to test. */
static void *grow(void *list, unsigned count, size_t size)
{
	void *grown = realloc(list, (count + 1) * size);

	if (!grown)
		abort();
	return grown;
}

void machine_set_msr(struct machine *m, unsigned lp, uint32_t msr, uint64_t value)
{
	unsigned i = 0;

	while (i < m->msr_count && (m->msr[i].lp != lp || m->msr[i].msr != msr))
		i++;
	if (i == m->msr_count)
		m->msr = grow(m->msr, m->msr_count++, sizeof(m->msr[0]));
	m->msr[i] = (struct msr_override){lp, msr, value};
}

/* The last one counts, also between a sub-leaf and "any". */
void machine_set_cpuid(struct machine *m, const struct cpuid_override *override)
{
	m->cpuid = grow(m->cpuid, m->cpuid_count, sizeof(m->cpuid[0]));
	m->cpuid[m->cpuid_count++] = *override;
}

/* ---- callbacks ------------------------------------------------------------ */

static void *memory_callback(void *ctx, uint64_t hpa)
{
	tick(ctx);
	return machine_memory(ctx, hpa);
}

static bool random_callback(struct machine *m, uint64_t *failures, uint64_t *value)
{
	tick(m);
	if (*failures > 0) {
		--*failures;
		return false;
	}
	*value = pattern_next(&m->random);
	return true;
}

static bool rdrand_callback(void *ctx, unsigned lp, uint64_t *value)
{
	struct machine *m = ctx;

	(void)lp;
	return random_callback(m, &m->rdrand_failures, value);
}

static bool rdseed_callback(void *ctx, unsigned lp, uint64_t *value)
{
	struct machine *m = ctx;

	(void)lp;
	return random_callback(m, &m->rdseed_failures, value);
}

static uint64_t rdtsc_callback(void *ctx, unsigned lp)
{
	struct machine *m = ctx;

	(void)lp;
	return m->tsc += 100000;
}

/* What the header says about KeyIDs and caches, where the MSRs have it. */
static uint64_t platform_bits(const struct tdx_platform *p, uint32_t msr)
{
	uint64_t bits = p->keyid_bits;

	switch (msr) {
	case 0x87: /* IA32_MKTME_KEYID_PARTITIONING */
		return (p->first_private_keyid - 1) | (uint64_t)p->private_keyid_count << 32;
	case 0x98: /* IA32_WBINVDP */
	case 0x99: /* IA32_WBNOINVDP */
		return p->wbinvd_blocks;
	case 0x981: /* IA32_TME_CAPABILITY: KeyID bits, and the most KeyIDs */
		return bits << 32 | ((UINT64_C(1) << bits) - 1) << 36;
	case 0x982: /* IA32_TME_ACTIVATE */
		return bits << 32;
	default:
		return 0;
	}
}

static bool rdmsr_callback(void *ctx, unsigned lp, uint32_t msr, uint64_t *value)
{
	const struct machine *m = ctx;

	tick(ctx);
	for (unsigned i = 0; i < m->msr_count; i++)
		if (m->msr[i].lp == lp && m->msr[i].msr == msr) {
			*value = m->msr[i].value;
			return true;
		}
	for (unsigned i = 0; i < COUNT(msr_rows); i++)
		if (msr_rows[i].msr == msr) {
			*value = msr_rows[i].value | platform_bits(&m->platform, msr);
			return true;
		}
	return false;
}

/* What the header says about configurable bits decides whether the CPU has them. */
static void apply_header(const struct machine *m, uint32_t leaf, uint32_t subleaf,
			 uint32_t regs[4])
{
	for (unsigned i = 0; i < COUNT(cpuid_shown); i++) {
		const struct cpuid_row *shown = &cpuid_shown[i];

		if (shown->leaf != leaf || (shown->subleaf != ANY && shown->subleaf != subleaf))
			continue;
		for (unsigned j = 0; j < m->cpuid_allowed_count; j++) {
			const uint32_t *line = m->cpuid_allowed[j];

			if (line[0] != shown->leaf || line[1] != shown->subleaf)
				continue;
			for (unsigned r = 0; r < 4; r++)
				regs[r] = (regs[r] & ~shown->regs[r]) |
					  (line[2 + r] & shown->regs[r]);
		}
	}
}

/* x2APIC id: package in bits 31:7, as the last shift of leaf 0x1F says. */
static uint32_t apic_id(const struct machine *m, unsigned lp)
{
	uint32_t index = 0;

	for (unsigned i = 0; i < lp; i++)
		index += m->platform.lp_package[i] == m->platform.lp_package[lp];
	return (uint32_t)m->platform.lp_package[lp] << 7 | index;
}

static void cpuid_callback(void *ctx, unsigned lp, uint32_t leaf, uint32_t subleaf,
			   uint32_t regs[4])
{
	const struct machine *m = ctx;

	memset(regs, 0, 4 * sizeof(regs[0]));
	for (unsigned i = 0; i < COUNT(cpuid_rows); i++)
		if (cpuid_rows[i].leaf == leaf &&
		    (cpuid_rows[i].subleaf == ANY || cpuid_rows[i].subleaf == subleaf))
			memcpy(regs, cpuid_rows[i].regs, sizeof(cpuid_rows[i].regs));
	apply_header(m, leaf, subleaf, regs);
	if (leaf == 1)
		regs[0] = m->cpu_fms;
	if (leaf == 0x1f)
		regs[3] = apic_id(m, lp);
	for (unsigned i = 0; i < m->cpuid_count; i++)
		if (m->cpuid[i].leaf == leaf &&
		    (m->cpuid[i].subleaf == ANY || m->cpuid[i].subleaf == subleaf))
			memcpy(regs, m->cpuid[i].regs, sizeof(m->cpuid[i].regs));
}

/* A look of the host side while RFLAGS.IF is 0 is used up, but sees nothing. */
static bool interrupt_callback(void *ctx, unsigned lp, bool guest_side)
{
	struct machine *m = ctx;
	struct interrupt_plan *plan = &m->interrupts[lp];

	tick(ctx);
	if (plan->times == 0)
		return false;
	if (plan->after > 0) {
		plan->after--;
		return false;
	}
	if (plan->times > 0)
		plan->times--;
	return guest_side || !plan->blocked;
}

static unsigned pconfig_callback(void *ctx, unsigned lp, unsigned keyid)
{
	struct machine *m = ctx;

	(void)lp;
	(void)keyid;
	tick(ctx);
	if (m->pconfig_failures == 0)
		return 0;
	m->pconfig_failures--;
	return m->pconfig_code;
}

static void sept_changed_callback(void *ctx, uint64_t tdr_hpa, uint64_t gpa, unsigned level)
{
	(void)tdr_hpa;
	(void)gpa;
	(void)level;
	tick(ctx);
}

static void owner_changed_callback(void *ctx, uint64_t hpa, uint64_t size, bool module_owns)
{
	(void)hpa;
	(void)size;
	(void)module_owns;
	tick(ctx);
}

static void lock_changed_callback(void *ctx) { tick(ctx); }

static void run_guest_callback(void *ctx, unsigned lp, struct tdx_vcpu_view *vcpu,
			       struct tdx_exit *exit)
{
	struct machine *m = ctx;

	m->run_guest(m->ctx, lp, vcpu, exit);
}

struct tdx_machine machine_callbacks(struct machine *m)
{
	return (struct tdx_machine){
		.ctx = m,
		.memory = memory_callback,
		.owner_changed = owner_changed_callback,
		.sept_changed = sept_changed_callback,
		.rdrand = rdrand_callback,
		.rdseed = rdseed_callback,
		.rdtsc = rdtsc_callback,
		.rdmsr = rdmsr_callback,
		.cpuid = cpuid_callback,
		.interrupt_pending = interrupt_callback,
		.pconfig = pconfig_callback,
		.run_guest = run_guest_callback,
		.lock_changed = lock_changed_callback,
	};
}
