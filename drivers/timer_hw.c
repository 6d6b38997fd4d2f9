/* SPDX-License-Identifier: MIT */
#define LOG_TAG "timer"
#include "drivers/timer.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/x86.h"
#include "drivers/acpi.h"
#include "drivers/lapic.h"

#define PM_TIMER_HZ       3579545U
#define PM_TIMER_MASK     0xffffffU /* some have 32 bits, all have 24, which last for 4 s */
#define CALIBRATE_MS      20U
#define CALIBRATE_GIVE_UP 200000000U

static uint64_t tsc_khz;
static uint64_t tsc_start;
static uint64_t lapic_khz; /* ticks of the LAPIC timer per ms; 0 in deadline mode */

/* CPUID 0x15: TSC = crystal * EBX / EAX; where the crystal is not told, 0x16 has the base MHz.
 */
static uint64_t cpuid_khz(void)
{
	uint32_t max = hw_cpuid(0, 0).eax;
	struct cpuid_regs r;

	if (max < 0x15)
		return 0;
	r = hw_cpuid(0x15, 0);
	if (r.eax != 0 && r.ebx != 0 && r.ecx != 0)
		return (uint64_t)r.ecx * r.ebx / r.eax / 1000;
	if (r.eax != 0 && r.ebx != 0 && max >= 0x16)
		return hw_cpuid(0x16, 0).eax * UINT64_C(1000);
	return 0;
}

static uint64_t pm_timer_khz(const struct acpi_info *acpi)
{
	uint32_t wanted = PM_TIMER_HZ / 1000 * CALIBRATE_MS;
	uint32_t start = hw_in32(acpi->pm_timer);
	uint64_t tsc = hw_rdtsc();
	uint32_t passed = 0;

	for (unsigned i = 0; i < CALIBRATE_GIVE_UP && passed < wanted; i++)
		passed = (hw_in32(acpi->pm_timer) - start) & PM_TIMER_MASK;
	return passed < wanted ? 0 : (hw_rdtsc() - tsc) * (PM_TIMER_HZ / 1000) / passed;
}

void timer_init(const struct acpi_info *acpi)
{
	const char *how = "CPUID";

	tsc_start = hw_rdtsc();
	tsc_khz = cpuid_khz();
	if (tsc_khz == 0 && acpi->pm_timer != 0) {
		how = "the ACPI PM timer";
		tsc_khz = pm_timer_khz(acpi);
	}
	if (tsc_khz == 0) {
		how = "nothing, 1 GHz assumed";
		tsc_khz = 1000000;
	}
	log_set_clock(timer_now_us);
	log_info("TSC %lu.%03lu MHz by %s", tsc_khz / 1000, tsc_khz % 1000, how);
}

static bool has_deadline(void) { return (hw_cpuid(1, 0).ecx & UINT32_C(1) << 24) != 0; }

/* Counts the LAPIC's bus clock against the TSC, once. */
static void calibrate_lapic(void)
{
	uint64_t end;

	lapic_timer_one_shot(UINT32_MAX);
	end = hw_rdtsc() + tsc_khz * CALIBRATE_MS;
	while (hw_rdtsc() < end)
		hw_pause();
	lapic_khz = (UINT32_MAX - lapic_timer_current()) / CALIBRATE_MS;
	lapic_timer_one_shot(0);
	if (lapic_khz == 0)
		lapic_khz = 1;
}

void timer_init_this_cpu(void)
{
	if (has_deadline()) {
		lapic_timer_deadline_mode();
		return;
	}
	if (lapic_khz == 0)
		calibrate_lapic();
}

/* The one-shot counter has 32 bits: a far deadline fires early and its handler arms it anew. */
static void arm_one_shot(uint64_t tsc)
{
	uint64_t now = hw_rdtsc();
	uint64_t delta = tsc > now ? tsc - now : 0;
	uint64_t limit = (UINT32_MAX - 1) / lapic_khz * tsc_khz;

	if (delta > limit)
		delta = limit;
	lapic_timer_one_shot((uint32_t)(delta * lapic_khz / tsc_khz + 1));
}

void timer_arm(uint64_t tsc)
{
	if (lapic_khz == 0)
		hw_wrmsr(MSR_TSC_DEADLINE, tsc);
	else
		arm_one_shot(tsc);
}

uint64_t timer_tsc_khz(void) { return tsc_khz; }

/* Split, since us * kHz leaves 64 bits after about two months at 3 GHz. */
uint64_t timer_us_to_tsc(uint64_t us)
{
	return us / 1000 * tsc_khz + us % 1000 * tsc_khz / 1000;
}

uint64_t timer_now_us(void)
{
	uint64_t tsc = hw_rdtsc() - tsc_start;

	return tsc / tsc_khz * 1000 + tsc % tsc_khz * 1000 / tsc_khz;
}

void timer_delay_us(uint64_t us)
{
	uint64_t end = hw_rdtsc() + timer_us_to_tsc(us);

	while (hw_rdtsc() < end)
		hw_pause();
}
