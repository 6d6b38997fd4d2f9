/* SPDX-License-Identifier: MIT */
#include "tests/emu/boot_args.h"
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/lapic.h"
#include "tests/emu/machine.h"
#include "tests/emu/options.h"
#include "tests/emu/pool.h"
#include "tests/emu/quirks.h"
#include "tests/emu/smp.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/td.h"
#include "tests/emu/trap.h"

#define GIB         (UINT64_C(1) << 30)
#define MAPPED_GIBS 1024U /* what we can reach: far more RAM than any test machine has */

#define PTE_TABLE 3U
#define PTE_LARGE 0x83U

struct emu emu;

/* Identity map of the low TiB with 1 GiB pages; returns the 4-level root. */
static uint64_t make_host_tables(uint64_t *pml5)
{
	uint64_t *top = pool_alloc(4096);
	uint64_t *pml4 = pool_alloc(4096);
	uint64_t *pdpt = pool_alloc(MAPPED_GIBS * sizeof(uint64_t));

	top[0] = (uint64_t)pml4 | PTE_TABLE;
	for (unsigned i = 0; i < MAPPED_GIBS / 512; i++)
		pml4[i] = ((uint64_t)pdpt + i * 4096UL) | PTE_TABLE;
	for (uint64_t i = 0; i < MAPPED_GIBS; i++)
		pdpt[i] = i * GIB | PTE_LARGE;
	*pml5 = (uint64_t)top;
	return (uint64_t)pml4;
}

static void find_xcr0_mask(void)
{
	uint32_t r[4];

	insn_cpuid(0xd, 0, r);
	emu.xcr0_mask = (uint64_t)r[3] << 32 | r[0];
}

void core_start(const struct boot_args *args, const struct l1_start *start)
{
	uint64_t pml4, pml5;

	console_init();
	console_banner();
	emu_log("tdxemu: emulated TDX machine: a development tool, it protects nothing");
	emu.args = *args;
	pool_init(args->carve_base + args->image_size, args->carve_base + EMU_CARVE_SIZE);
	options_parse();
	quirks_check_cpu();
	find_xcr0_mask();
	smp_init(args->rsdp);
	l1_msr_make_bitmap();
	l1_prepare_bsp(&lps[0], start);
	quirks_probe();
	lapic_calibrate();
	trap_init();
	pml4 = make_host_tables(&pml5);
	machine_make_platform();
	l1_mem_init();
	l1_prepare_bsp(&lps[0], start);
	td_init();
	td_cpuid_print_tables();
	machine_load_module();
	smp_prepare_trampoline(args->trampoline, pml5);
	smp_start_aps();
	emu_log("tdxemu: %lu KiB used, L1 starts", pool_used() >> 10);
	smp_enter_self(pml4, l1_bsp_main);
}
