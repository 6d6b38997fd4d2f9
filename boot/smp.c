/* SPDX-License-Identifier: MIT */
#define LOG_TAG "smp"
#include "boot/smp.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "boot/host_map.h"
#include "boot/image.h"
#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "core/panic.h"
#include "core/string.h"
#include "drivers/lapic.h"
#include "drivers/timer.h"
#include "mm/paging.h"
#include "mm/phys.h"

#define STACK_SIZE     UINT64_C(0x8000)
#define IST_STACK_SIZE UINT64_C(0x2000)
#define LOW_PAGES_END  UINT64_C(0xa0000)

/* INIT, 10 ms, STARTUP, 200 us, STARTUP again to those that slept through it (SDM 3A, 9.4.4).
 */
#define INIT_DELAY_US    10000U
#define STARTUP_DELAY_US 2000U
#define COME_UP_US       5000000U

/* The way of a candidate; the one who changes it from ABSENT wins. */
enum ap_state { AP_ABSENT, AP_PRESENT, AP_GIVEN_UP };

#define NO_NUMBER UINT32_MAX

/* Read by boot/entry.asm: which candidate is this, and where is its stack? */
uint32_t ap_apic_ids[MAX_CPUS];
uint64_t ap_stack_tops[MAX_CPUS];
uint32_t ap_count;

static struct {
	struct cpu_stacks stacks;
	_Atomic uint32_t state;  /* enum ap_state */
	_Atomic uint32_t number; /* of the CPU; given when it is known who is there */
	_Atomic bool is_ready;
} candidates[MAX_CPUS];

static uint32_t package_ids[MAX_CPUS]; /* of CPUs; as CPUID tells them */
static void (*_Atomic release_to)(void);

extern const char trampoline_start[], trampoline_end[];
extern const char trampoline_start32[], trampoline_start64[];
extern const char trampoline_gdt[], trampoline_gdt_pointer[];
extern const char trampoline_far32[], trampoline_far64[], trampoline_cr3[];

static uint64_t create_stack(uint64_t size)
{
	uint64_t top;
	enum status s;

	s = paging_map_stack(size, &top);
	if (s != STATUS_OK)
		panic("no memory for a CPU's stack: %s", status_name(s));
	return top;
}

uint64_t smp_create_stacks(struct cpu_stacks *out)
{
	out->nmi = create_stack(IST_STACK_SIZE);
	out->double_fault = create_stack(IST_STACK_SIZE);
	out->machine_check = create_stack(IST_STACK_SIZE);
	return create_stack(STACK_SIZE);
}

/* ---- on each application processor ---- */

static _Noreturn void wait_for_release(void)
{
	void (*loop)(void);

	while ((loop = atomic_load(&release_to)) == NULL) {
		hw_irq_disable();
		if (!oncpu_pending() && atomic_load(&release_to) == NULL)
			hw_halt_until_interrupt();
		oncpu_drain();
	}
	loop();
	hw_stop();
}

void ap_main(uint32_t index)
{
	uint32_t absent = AP_ABSENT;
	uint32_t number;

	if (!atomic_compare_exchange_strong(&candidates[index].state, &absent, AP_PRESENT))
		hw_stop();
	while ((number = atomic_load(&candidates[index].number)) == NO_NUMBER)
		hw_pause();
	cpu_init_this(number, &candidates[index].stacks);
	cpu_set_features();
	lapic_init_this_cpu();
	timer_init_this_cpu();
	package_ids[number] = cpu_read_package_id();
	atomic_store(&candidates[index].is_ready, true);
	wait_for_release();
}

/* ---- on the BSP ---- */

static void write32(char *page, const char *symbol, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	memcpy(page + (symbol - trampoline_start), &v, sizeof(v));
}

static void place_trampoline(hpa_t at)
{
	char *page = phys_ptr(at);
	hpa_t cr3;
	uint64_t entry;

	memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	write32(page, trampoline_gdt_pointer + 2,
		at.raw + (uint64_t)(trampoline_gdt - trampoline_start));
	write32(page, trampoline_far32,
		at.raw + (uint64_t)(trampoline_start32 - trampoline_start));
	write32(page, trampoline_far64,
		at.raw + (uint64_t)(trampoline_start64 - trampoline_start));
	CHECK(paging_lookup((uint64_t)boot_pml4, &cr3, &entry) == STATUS_OK);
	write32(page, trampoline_cr3, cr3.raw);
}

static void collect_candidates(const struct acpi_info *acpi)
{
	for (unsigned i = 0; i < acpi->cpu_count; i++) {
		uint32_t n = ap_count;

		if (acpi->apic_id[i] == cpus[0].apic_id || n == MAX_CPUS - 1)
			continue;
		ap_apic_ids[n] = acpi->apic_id[i];
		ap_stack_tops[n] = smp_create_stacks(&candidates[n].stacks);
		atomic_store(&candidates[n].number, NO_NUMBER);
		ap_count = n + 1;
	}
}

static bool is_present(uint32_t i) { return atomic_load(&candidates[i].state) == AP_PRESENT; }

static bool all_are(bool (*fact)(uint32_t i))
{
	for (uint32_t i = 0; i < ap_count; i++) {
		if (!fact(i))
			return false;
	}
	return true;
}

static bool wait_until_all_are(bool (*fact)(uint32_t i), uint64_t us)
{
	uint64_t end = timer_now_us() + us;

	while (!all_are(fact) && timer_now_us() < end)
		hw_pause();
	return all_are(fact);
}

static void send_startups(hpa_t trampoline)
{
	for (uint32_t i = 0; i < ap_count; i++) {
		if (!is_present(i))
			lapic_send_startup(ap_apic_ids[i],
					   (uint8_t)(trampoline.raw / PAGE_SIZE));
	}
}

static void wake_candidates(hpa_t trampoline)
{
	for (uint32_t i = 0; i < ap_count; i++)
		lapic_send_init(ap_apic_ids[i]);
	timer_delay_us(INIT_DELAY_US);
	send_startups(trampoline);
	if (wait_until_all_are(is_present, STARTUP_DELAY_US))
		return;
	send_startups(trampoline);
	(void)wait_until_all_are(is_present, COME_UP_US);
}

/* From here on a candidate that did not show up stays out, even if it wakes later. */
static void number_candidates(void)
{
	for (uint32_t i = 0; i < ap_count; i++) {
		uint32_t absent = AP_ABSENT;

		if (atomic_compare_exchange_strong(&candidates[i].state, &absent,
						   AP_GIVEN_UP)) {
			log_error("CPU with APIC ID %u does not come up", ap_apic_ids[i]);
			cpu_missing_count++;
			continue;
		}
		cpus[cpu_count] = (struct cpu){.apic_id = ap_apic_ids[i], .is_online = true};
		atomic_store(&candidates[i].number, cpu_count);
		cpu_count++;
	}
}

static bool is_ready_or_absent(uint32_t i)
{
	return !is_present(i) || atomic_load(&candidates[i].is_ready);
}

/* CPUID's package IDs have gaps; ours have none. */
static void number_packages(void)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		unsigned j = 0;

		while (j < i && package_ids[j] != package_ids[i])
			j++;
		cpus[i].package = j < i ? cpus[j].package : package_count++;
	}
	if (package_count > MAX_PACKAGES)
		panic("%u packages, at most %d are supported", package_count, MAX_PACKAGES);
}

static void start_candidates(const struct boot_info *bi)
{
	hpa_t trampoline;

	/* frame_init() leaves such memory alone; page 0 keeps the BIOS's data. */
	if (boot_range_find(bi, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, LOW_PAGES_END, &trampoline) !=
	    STATUS_OK) {
		log_error("no memory below 640 KiB: the other CPUs cannot be started");
	} else {
		place_trampoline(trampoline);
		wake_candidates(trampoline);
	}
	number_candidates();
	if (!wait_until_all_are(is_ready_or_absent, COME_UP_US))
		panic("a CPU that came up stopped on its way");
}

void smp_start(const struct boot_info *bi, const struct acpi_info *acpi)
{
	collect_candidates(acpi);
	cpu_missing_count = acpi->cpu_excess;
	package_ids[0] = cpu_read_package_id();
	if (ap_count > 0)
		start_candidates(bi);
	number_packages();
	log_info("%u CPUs in %u packages online, %u missing", cpu_count, package_count,
		 cpu_missing_count);
}

void smp_release(void (*loop)(void))
{
	atomic_store(&release_to, loop);
	for (unsigned i = 1; i < cpu_count; i++)
		hw_send_ipi(i, VECTOR_KICK);
}
