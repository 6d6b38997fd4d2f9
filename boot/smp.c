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

/* The way of a candidate. It comes, is told its number, and gets ready; or it is given up. */
enum ap_state { AP_ABSENT, AP_PRESENT, AP_NUMBERED, AP_READY, AP_GIVEN_UP };

static struct candidate {
	uint32_t apic_id;
	uint32_t number; /* of the CPU, known when all have come who will */
	_Atomic enum ap_state state;
} candidates[MAX_CPUS];
static unsigned candidate_count;

/* By order of arrival; boot/entry.asm takes the first kind. */
uint64_t ap_stack_tops[MAX_CPUS];
static struct cpu_stacks ap_stacks[MAX_CPUS];

static uint32_t package_ids[MAX_CPUS]; /* of CPUs; as CPUID tells them */
static void (*_Atomic release_to)(void);

extern const char trampoline_start[], trampoline_end[];
extern const char trampoline_distance[], trampoline_gdt_base[], trampoline_entry[];

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

static struct candidate *candidate_with(uint32_t apic_id)
{
	for (unsigned i = 0; i < candidate_count; i++) {
		if (candidates[i].apic_id == apic_id)
			return &candidates[i];
	}
	return NULL;
}

/* Leaving ABSENT is what two may try at once. */
static bool leave_absent(struct candidate *c, enum ap_state to)
{
	enum ap_state absent = AP_ABSENT;

	return atomic_compare_exchange_strong(&c->state, &absent, to);
}

void ap_main(uint32_t arrival)
{
	struct candidate *c = candidate_with(cpu_read_apic_id());

	if (c == NULL || !leave_absent(c, AP_PRESENT))
		hw_stop();
	while (atomic_load(&c->state) == AP_PRESENT)
		hw_pause();
	cpu_init_this(c->number, &ap_stacks[arrival]);
	cpu_set_features();
	lapic_init_this_cpu();
	timer_init_this_cpu();
	package_ids[c->number] = cpu_read_package_id();
	atomic_store(&c->state, AP_READY);
	wait_for_release();
}

/* ---- on the BSP ---- */

static void write32(char *page, const char *symbol, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	memcpy(page + (symbol - trampoline_start), &v, sizeof(v));
}

static void place_trampoline(const struct boot_info *bi, hpa_t at)
{
	char *page = phys_ptr(at);

	memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	write32(page, trampoline_distance, bi->kernel_base.raw - IMAGE_LOAD_ADDRESS);
	write32(page, trampoline_entry, image_phys(bi, boot_enter32).raw);
	write32(page, trampoline_gdt_base, image_phys(bi, boot_gdt).raw);
}

static void collect_candidates(const struct acpi_info *acpi)
{
	for (unsigned i = 0; i < acpi->cpu_count; i++) {
		unsigned n = candidate_count;

		if (acpi->apic_id[i] == cpus[0].apic_id || n == MAX_CPUS - 1)
			continue;
		candidates[n].apic_id = acpi->apic_id[i];
		ap_stack_tops[n] = smp_create_stacks(&ap_stacks[n]);
		candidate_count = n + 1;
	}
}

/* Has every candidate got as far as `least`, or been given up? */
static bool all_are(enum ap_state least)
{
	for (unsigned i = 0; i < candidate_count; i++) {
		if (atomic_load(&candidates[i].state) < least)
			return false;
	}
	return true;
}

static bool wait_until_all_are(enum ap_state least, uint64_t us)
{
	uint64_t end = timer_now_us() + us;

	while (!all_are(least) && timer_now_us() < end)
		hw_pause();
	return all_are(least);
}

static void send_startups(hpa_t trampoline)
{
	for (unsigned i = 0; i < candidate_count; i++) {
		if (atomic_load(&candidates[i].state) == AP_ABSENT)
			lapic_send_startup(candidates[i].apic_id,
					   (uint8_t)(trampoline.raw / PAGE_SIZE));
	}
}

static void wake_candidates(hpa_t trampoline)
{
	for (unsigned i = 0; i < candidate_count; i++)
		lapic_send_init(candidates[i].apic_id);
	timer_delay_us(INIT_DELAY_US);
	send_startups(trampoline);
	if (wait_until_all_are(AP_PRESENT, STARTUP_DELAY_US))
		return;
	send_startups(trampoline);
	(void)wait_until_all_are(AP_PRESENT, COME_UP_US);
}

/* From here on a candidate that did not show up stays out, even if it wakes later. */
static void number_candidates(void)
{
	for (unsigned i = 0; i < candidate_count; i++) {
		struct candidate *c = &candidates[i];

		if (leave_absent(c, AP_GIVEN_UP)) {
			log_error("CPU with APIC ID %u does not come up", c->apic_id);
			cpu_missing_count++;
			continue;
		}
		cpus[cpu_count].apic_id = c->apic_id;
		c->number = cpu_count++;
		atomic_store(&c->state, AP_NUMBERED);
	}
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
		place_trampoline(bi, trampoline);
		wake_candidates(trampoline);
	}
	number_candidates();
	if (!wait_until_all_are(AP_READY, COME_UP_US))
		panic("a CPU that came up stopped on its way");
}

void smp_start(const struct boot_info *bi, const struct acpi_info *acpi)
{
	collect_candidates(acpi);
	cpu_missing_count = acpi->cpu_excess;
	package_ids[0] = cpu_read_package_id();
	if (candidate_count > 0)
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
