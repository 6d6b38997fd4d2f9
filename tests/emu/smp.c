/* SPDX-License-Identifier: MIT */
#include "tests/emu/smp.h"

#include "core/string.h"
#include "tests/emu/acpi.h"
#include "tests/emu/console.h"
#include "tests/emu/l1.h"
#include "tests/emu/lapic.h"
#include "tests/emu/pool.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/trap.h"

#define MSR_EFER       0xc0000080
#define MSR_VM_HSAVE   0xc0010117
#define MSR_GS_BASE    0xc0000101
#define STACK_SIZE     (128U << 10)
#define START_ATTEMPTS 3

struct lp lps[EMU_MAX_LPS];
unsigned lp_count;

extern const char trampoline_begin[] __attribute__((visibility("hidden")));
extern const char trampoline_end[] __attribute__((visibility("hidden")));
extern const char trampoline_from64[] __attribute__((visibility("hidden")));
extern const uint32_t trampoline_fixups[4] __attribute__((visibility("hidden")));
extern const uint32_t trampoline_args[1] __attribute__((visibility("hidden")));

struct trampoline_args {
	uint64_t cr3, stack, value, entry;
};

static uint64_t trampoline_page;

static struct trampoline_args *arguments(void)
{
	return (struct trampoline_args *)(trampoline_page + trampoline_args[0]);
}

struct lp *lp_by_apic_id(uint32_t apic_id)
{
	for (unsigned i = 0; i < lp_count; i++) {
		if (lps[i].apic_id == apic_id)
			return &lps[i];
	}
	return NULL;
}

/* Package = APIC id above what leaf 0xB says one package needs. */
static unsigned package_of(uint32_t apic_id)
{
	uint32_t r[4];

	insn_cpuid(0xb, 1, r);
	return apic_id >> (r[0] & 31);
}

static void add_lp(uint32_t apic_id, bool is_bsp)
{
	struct lp *lp = &lps[lp_count];

	if (lp_count == EMU_MAX_LPS)
		emu_die(EMU_EXIT_REFUSED, "more than %u CPUs", EMU_MAX_LPS);
	*lp = (struct lp){.self = lp,
			  .index = lp_count,
			  .apic_id = apic_id,
			  .package = package_of(apic_id),
			  .is_bsp = is_bsp,
			  .l1 = pool_alloc(4096),
			  .host = pool_alloc(4096),
			  .hsave = (uint64_t)pool_alloc(4096),
			  .stack_top = (uint64_t)pool_alloc(STACK_SIZE) + STACK_SIZE - 64};
	atomic_store(&lp->start, is_bsp ? LP_RUNNING : LP_WAIT_SIPI);
	atomic_store(&lp->sipi_vector, -1);
	lp_count++;
}

void smp_init(uint64_t rsdp)
{
	uint32_t ids[EMU_MAX_LPS];
	unsigned count = acpi_cpus(rsdp, ids, EMU_MAX_LPS);
	uint32_t self = lapic_read(LAPIC_ID) >> 24;

	add_lp(self, true);
	for (unsigned i = 0; i < count; i++) {
		if (ids[i] != self)
			add_lp(ids[i], false);
	}
}

void smp_prepare_trampoline(uint64_t page, uint64_t pml5)
{
	trampoline_page = page;
	memcpy((void *)page, trampoline_begin, (size_t)(trampoline_end - trampoline_begin));
	for (unsigned i = 0; i < 4; i++) {
		uint32_t word;
		char *at = (char *)page + trampoline_fixups[i];

		memcpy(&word, at, sizeof(word));
		word += (uint32_t)page;
		memcpy(at, &word, sizeof(word));
	}
	arguments()->cr3 = pml5;
}

void smp_setup_lp(struct lp *lp)
{
	trap_load();
	insn_wrmsr(MSR_EFER, insn_rdmsr(MSR_EFER) | EFER_SVME);
	insn_wrmsr(MSR_VM_HSAVE, lp->hsave);
	insn_wrmsr(MSR_GS_BASE, (uint64_t)lp);
	insn_vmsave((uint64_t)lp->host);
	lp->host_xcr0 = 1;
	insn_xsetbv(0, 1);
}

/*
 * INIT leaves the memory types alone on hardware; QEMU resets them. The BSP's
 * are what the firmware had given to every CPU.
 */
#define MTRR_COUNT 28U
static const uint16_t mtrr_msr[MTRR_COUNT] = {
	0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209,
	0x20a, 0x20b, 0x20c, 0x20d, 0x20e, 0x20f, 0x250, 0x258, 0x259, 0x268,
	0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f, 0x2ff,
};
static uint64_t mtrr_of_bsp[MTRR_COUNT];

static void save_mtrrs(void)
{
	for (unsigned i = 0; i < MTRR_COUNT; i++)
		mtrr_of_bsp[i] = insn_rdmsr(mtrr_msr[i]);
}

static void restore_mtrrs(void)
{
	for (unsigned i = 0; i < MTRR_COUNT; i++)
		insn_wrmsr(mtrr_msr[i], mtrr_of_bsp[i]);
}

static void ap_main(void *arg)
{
	struct lp *lp = arg;

	smp_setup_lp(lp);
	restore_mtrrs();
	lapic_reset();
	atomic_store(&lp->is_up, true);
	l1_ap_main(lp);
}

static void delay_us(uint64_t us)
{
	uint64_t end = insn_rdtsc() + us * (tsc_hz / 1000000);

	while (insn_rdtsc() < end)
		;
}

static bool wait_up(const struct lp *lp, uint64_t us)
{
	uint64_t end = insn_rdtsc() + us * (tsc_hz / 1000000);

	while (insn_rdtsc() < end) {
		if (atomic_load(&lp->is_up))
			return true;
	}
	return atomic_load(&lp->is_up);
}

static void start_ap(struct lp *lp)
{
	struct trampoline_args *a = arguments();

	a->stack = lp->stack_top;
	a->value = (uint64_t)lp;
	a->entry = (uint64_t)ap_main;
	lapic_send(lp->apic_id, ICR_ASSERT | ICR_LEVEL | ICR_MODE_INIT << 8);
	delay_us(1000);
	for (unsigned i = 0; i < START_ATTEMPTS; i++) {
		lapic_send(lp->apic_id,
			   ICR_ASSERT | ICR_MODE_SIPI << 8 | (uint32_t)(trampoline_page >> 12));
		if (wait_up(lp, 2000000))
			return;
	}
	emu_die(EMU_EXIT_FATAL, "CPU with APIC id %u does not start", lp->apic_id);
}

void smp_start_aps(void)
{
	save_mtrrs();
	for (unsigned i = 1; i < lp_count; i++)
		start_ap(&lps[i]);
}

void smp_enter_self(uint64_t pml4, void (*entry)(void *))
{
	struct trampoline_args *a = arguments();
	uint64_t to = trampoline_page + (uint64_t)(trampoline_from64 - trampoline_begin);

	a->stack = lps[0].stack_top;
	a->value = (uint64_t)&lps[0];
	a->entry = (uint64_t)entry;
	insn_leave_firmware(pml4, trampoline_page, to);
}

void smp_kick(struct lp *to, unsigned reason)
{
	atomic_fetch_or(&to->kicks, reason);
	lapic_send(to->apic_id, ICR_ASSERT | ICR_MODE_NMI << 8);
}

unsigned smp_wait_sipi(struct lp *lp)
{
	int vector;

	insn_open_gate(0);
	insn_stgi();
	lp_wait(&lp->sipi_vector);
	insn_clgi();
	vector = atomic_exchange(&lp->sipi_vector, -1);
	atomic_store(&lp->start, LP_RUNNING);
	return (unsigned)vector & 0xff;
}
