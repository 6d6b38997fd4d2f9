/* SPDX-License-Identifier: MIT */
#include "tests/emu/machine.h"

#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/lapic.h"
#include "tests/emu/lp.h"
#include "tests/emu/pool.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/td.h"

#define WBINVD_BLOCKS 4U
#define BUILD_DATE    20240101U
#define LOW_MEMORY    (UINT64_C(1) << 20)

static void *memory(void *ctx, uint64_t hpa)
{
	(void)ctx;
	return (void *)hpa;
}

static void owner_changed(void *ctx, uint64_t hpa, uint64_t size, bool module_owns)
{
	(void)ctx;
	if (!module_owns)
		td_forget_pages(hpa, size);
	l1_mem_set_owner(hpa, size, module_owns);
}

static bool rdrand(void *ctx, unsigned lp, uint64_t *value)
{
	(void)ctx;
	(void)lp;
	return insn_rdrand(value) != 0;
}

static uint64_t rdtsc(void *ctx, unsigned lp)
{
	(void)ctx;
	(void)lp;
	return insn_rdtsc();
}

static bool rdmsr(void *ctx, unsigned lp, uint32_t msr, uint64_t *value)
{
	bool known;

	(void)ctx;
	known = l1_msr_read(&lps[lp], msr, value);
	if (!known)
		emu_log("tdxemu: the module reads MSR %#x, which this machine lacks", msr);
	return known;
}

static void cpuid(void *ctx, unsigned lp, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	(void)ctx;
	(void)lp;
	td_cpuid_for_model(leaf, subleaf, regs);
}

static bool interrupt_pending(void *ctx, unsigned lp, bool guest_side)
{
	bool pending = lapic_highest(LAPIC_IRR) > (int)(lapic_read(LAPIC_PPR) | 0xf) ||
		       atomic_load(&lps[lp].kicks) != 0;

	(void)ctx;
	if (guest_side)
		return pending;
	return pending && (lps[lp].l1->rflags & RFLAGS_IF) != 0;
}

static unsigned pconfig(void *ctx, unsigned lp, unsigned keyid)
{
	(void)ctx;
	(void)lp;
	(void)keyid;
	return 0;
}

static void add_cmr(uint64_t base, uint64_t end)
{
	struct tdx_platform *p = &emu.platform;

	if (base >= end || p->cmr_count == TDX_MODEL_MAX_CMRS)
		return;
	p->cmr[p->cmr_count++] = (struct tdx_range){.base = base, .size = end - base};
}

/* RAM above 1 MiB, with the SEAM range as a hole. Touching ranges become one. */
static void make_cmrs(void)
{
	uint64_t seam = emu.platform.seamrr.base;
	uint64_t seam_end = seam + emu.platform.seamrr.size;

	for (unsigned i = 0; i < emu.args.ram_count; i++) {
		uint64_t base = emu.args.ram[i].base;
		uint64_t end = base + emu.args.ram[i].size;

		while (i + 1 < emu.args.ram_count && emu.args.ram[i + 1].base == end)
			end += emu.args.ram[++i].size;
		if (base < LOW_MEMORY)
			base = LOW_MEMORY;
		if (base < seam && seam < end) {
			add_cmr(base, seam);
			add_cmr(seam_end, end);
		} else {
			add_cmr(base, end);
		}
	}
}

static void count_packages(void)
{
	struct tdx_platform *p = &emu.platform;

	for (unsigned i = 0; i < lp_count; i++) {
		p->lp_package[i] = (uint8_t)lps[i].package;
		if (lps[i].package >= p->package_count)
			p->package_count = lps[i].package + 1;
	}
	if (p->package_count > TDX_MODEL_MAX_PACKAGES)
		emu_die(EMU_EXIT_REFUSED, "%u packages", p->package_count);
}

static void print_clocks(void)
{
	uint32_t r[4];
	uint64_t told;

	l1_cpuid_tsc(r);
	told = (uint64_t)r[1] * r[2];
	emu_log("tdxemu: TSC runs at %lu Hz, told as %lu Hz (%ld ppm); LAPIC timer %lu Hz",
		tsc_hz, told, ((long)told - (long)tsc_hz) * 1000 / (long)(tsc_hz / 1000),
		lapic_hz);
}

void machine_make_platform(void)
{
	struct tdx_platform *p = &emu.platform;

	p->lp_count = lp_count;
	p->max_pa_bits = EMU_PA_BITS;
	p->keyid_bits = EMU_KEYID_BITS;
	p->first_private_keyid = EMU_MKTME_KEYIDS + 1;
	p->private_keyid_count = emu.private_keyids;
	p->wbinvd_blocks = WBINVD_BLOCKS;
	p->build_date = BUILD_DATE;
	p->seamrr = (struct tdx_range){.base = emu.args.carve_base, .size = EMU_CARVE_SIZE};
	count_packages();
	make_cmrs();
	for (unsigned i = 0; i < p->cmr_count; i++)
		emu_log("tdxemu: CMR [%#lx, %#lx)", p->cmr[i].base,
			p->cmr[i].base + p->cmr[i].size);
	emu_log("tdxemu: %u CPUs in %u packages, SEAMRR [%#lx, %#lx)", p->lp_count,
		p->package_count, p->seamrr.base, p->seamrr.base + p->seamrr.size);
	print_clocks();
}

void machine_load_module(void)
{
	static const struct tdx_machine machine = {
		.memory = memory,
		.owner_changed = owner_changed,
		.sept_changed = td_sept_changed,
		.rdrand = rdrand,
		.rdseed = rdrand,
		.rdtsc = rdtsc,
		.rdmsr = rdmsr,
		.cpuid = cpuid,
		.interrupt_pending = interrupt_pending,
		.pconfig = pconfig,
		.run_guest = td_run_guest,
	};

	if (!emu.has_no_module)
		emu.model =
			tdx_model_init(pool_alloc(tdx_model_size()), &emu.platform, &machine);
}
