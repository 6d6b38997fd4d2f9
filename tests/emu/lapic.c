/* SPDX-License-Identifier: MIT */
#include "tests/emu/lapic.h"

#include "tests/emu/svm_insn.h"

#define PIT_HZ           UINT64_C(1193182)
#define CALIBRATION_TICK UINT16_C(59659) /* 50 ms */

uint64_t tsc_hz, lapic_hz;

int lapic_highest(unsigned reg)
{
	for (int word = 7; word >= 0; word--) {
		uint32_t bits = lapic_read(reg + (unsigned)word * 0x10);

		if (bits != 0)
			return word * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

void lapic_send(uint32_t apic_id, uint32_t command)
{
	uint32_t saved = lapic_read(LAPIC_ICR_HIGH);

	lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
	lapic_write(LAPIC_ICR, command);
	lapic_write(LAPIC_ICR_HIGH, saved);
}

void lapic_reset(void)
{
	static const uint16_t masked[] = {LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PERF,
					  LAPIC_LVT_LINT0, LAPIC_LVT_LINT1,   LAPIC_LVT_ERROR};

	for (unsigned i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		lapic_write(masked[i], 0x10000);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	lapic_write(LAPIC_TIMER_DIVIDE, 0);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LDR, 0);
	lapic_write(LAPIC_DFR, 0xffffffff);
	for (int i = 0; i < 256 && lapic_highest(LAPIC_ISR) >= 0; i++)
		lapic_write(LAPIC_EOI, 0);
	lapic_write(LAPIC_SVR, 0xff);
}

static void pit_start(uint16_t count)
{
	insn_outb(0x61, (uint8_t)((insn_inb(0x61) & ~3U) | 1U));
	insn_outb(0x43, 0xb0);
	insn_outb(0x42, (uint8_t)count);
	insn_outb(0x42, (uint8_t)(count >> 8));
}

static void pit_wait(void)
{
	while ((insn_inb(0x61) & 0x20) == 0)
		;
}

void lapic_calibrate(void)
{
	uint32_t svr = lapic_read(LAPIC_SVR);
	uint32_t divide = lapic_read(LAPIC_TIMER_DIVIDE);
	uint32_t lvt = lapic_read(LAPIC_LVT_TIMER);
	uint32_t initial = lapic_read(LAPIC_TIMER_INITIAL);
	uint64_t tsc;
	uint32_t count;

	lapic_write(LAPIC_SVR, svr | 0x100);
	lapic_write(LAPIC_LVT_TIMER, 0x10000);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	pit_start(CALIBRATION_TICK);
	lapic_write(LAPIC_TIMER_INITIAL, 0xffffffff);
	tsc = insn_rdtsc();
	pit_wait();
	tsc = insn_rdtsc() - tsc;
	count = 0xffffffff - lapic_read(LAPIC_TIMER_CURRENT);
	lapic_write(LAPIC_TIMER_DIVIDE, divide);
	lapic_write(LAPIC_LVT_TIMER, lvt);
	lapic_write(LAPIC_TIMER_INITIAL, initial);
	lapic_write(LAPIC_SVR, svr);
	tsc_hz = tsc * PIT_HZ / CALIBRATION_TICK;
	lapic_hz = count * PIT_HZ / CALIBRATION_TICK;
}
