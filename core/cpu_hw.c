/* SPDX-License-Identifier: MIT */
#include "core/cpu_hw.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/compiler.h"
#include "core/cpu.h"
#include "core/hw.h"
#include "core/hw_insn.h"
#include "core/trap.h"
#include "core/x86.h"

#define GDT_CODE64   UINT64_C(0x00af9b000000ffff)
#define GDT_DATA     UINT64_C(0x00cf93000000ffff)
#define GDT_TSS      UINT64_C(0x0000890000000000)
#define SELECTOR_TSS 0x18U

struct cpu cpus[MAX_CPUS];
unsigned cpu_count;
unsigned package_count;
unsigned cpu_missing_count;

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));

/* Behind GS; the number comes first, this_cpu() reads it. */
struct block {
	uint32_t number;
	_Alignas(16) uint64_t gdt[5];
	_Alignas(128) struct tss tss;
};

STATIC_ASSERT(sizeof(struct tss) == 104, "a 64-bit TSS is 104 bytes");
STATIC_ASSERT(offsetof(struct block, number) == 0, "this_cpu() reads gs:0");

static struct block blocks[MAX_CPUS];

static void fill_gdt(struct block *b)
{
	uint64_t base = (uint64_t)&b->tss;

	b->gdt[1] = GDT_CODE64;
	b->gdt[2] = GDT_DATA;
	b->gdt[3] = GDT_TSS | (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 |
		    (base >> 24 & 0xff) << 56;
	b->gdt[4] = base >> 32;
}

void cpu_init_this(unsigned cpu, const struct cpu_stacks *stacks)
{
	struct block *b = &blocks[cpu];
	struct insn_table_ptr p = {sizeof(b->gdt) - 1, (uint64_t)b->gdt};

	b->number = cpu;
	b->tss.ist[0] = stacks->nmi;
	b->tss.ist[1] = stacks->double_fault;
	b->tss.ist[2] = stacks->machine_check;
	b->tss.io_map = sizeof(struct tss);
	fill_gdt(b);
	insn_lgdt(&p);
	hw_wrmsr(MSR_GS_BASE, (uint64_t)b);
	insn_ltr(SELECTOR_TSS);
	trap_init_this_cpu();
}

static void enable_machine_checks(void)
{
	uint64_t cap = 0;

	if (hw_rdmsr_safe(MSR_MCG_CAP, &cap) != STATUS_OK)
		return;
	for (uint32_t bank = 0; bank < (cap & 0xff); bank++) {
		(void)!hw_wrmsr_safe(MSR_MC_CTL(bank), UINT64_MAX);
		(void)!hw_wrmsr_safe(MSR_MC_STATUS(bank), 0);
	}
	hw_write_cr4(hw_read_cr4() | CR4_MCE);
}

/*
 * XCR0 gets every state component that CPUID lists: TDH.VP.ENTER loads what a TD's XFAM
 * names. The supervisor's access and execution prevention come last: all host mappings
 * are supervisor's.
 */
void cpu_set_features(void)
{
	uint64_t cr4 = hw_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PGE;
	struct cpuid_regs seven = hw_cpuid(7, 0);

	insn_write_cr0(insn_read_cr0() | CR0_WP);
	if ((seven.ebx & UINT32_C(1) << 7) != 0)
		cr4 |= CR4_SMEP;
	if ((seven.ebx & UINT32_C(1) << 20) != 0)
		cr4 |= CR4_SMAP;
	if ((hw_cpuid(1, 0).ecx & UINT32_C(1) << 26) != 0)
		cr4 |= CR4_OSXSAVE;
	hw_write_cr4(cr4);
	if ((cr4 & CR4_OSXSAVE) != 0) {
		struct cpuid_regs d = hw_cpuid(0xd, 0);

		insn_xsetbv0((uint64_t)d.edx << 32 | d.eax);
	}
	enable_machine_checks();
}

/* The topology leaf to use: 0x1F, 0xB, or 0 if the CPU has neither. */
static uint32_t topology_leaf(void)
{
	uint32_t max = hw_cpuid(0, 0).eax;

	if (max >= 0x1f && hw_cpuid(0x1f, 0).ebx != 0)
		return 0x1f;
	return max >= 0xb && hw_cpuid(0xb, 0).ebx != 0 ? 0xb : 0;
}

const char *cpu_missing_feature(void)
{
	struct cpuid_regs one = hw_cpuid(1, 0);
	struct cpuid_regs ext = hw_cpuid(0x80000001U, 0);

	if ((ext.edx & UINT32_C(1) << 20) == 0)
		return "no-execute pages (BIOS: Execute Disable Bit)";
	if ((one.edx & UINT32_C(1) << 9) == 0)
		return "a local APIC";
	if ((one.edx & UINT32_C(1) << 19) == 0)
		return "CLFLUSH";
	if (topology_leaf() == 0)
		return "CPUID leaf 0xB";
	return NULL;
}

uint32_t cpu_read_apic_id(void) { return hw_cpuid(topology_leaf(), 0).edx; }

/* The last valid level's shift leads from the APIC ID to the package (SDM vol. 2, CPUID 0x1F).
 */
uint32_t cpu_read_package_id(void)
{
	uint32_t leaf = topology_leaf();
	uint32_t shift = 0;

	for (uint32_t level = 0; level < 8; level++) {
		struct cpuid_regs r = hw_cpuid(leaf, level);

		if ((r.ecx >> 8 & 0xff) == 0)
			break;
		shift = r.eax & 0x1f;
	}
	return cpu_read_apic_id() >> shift;
}
