/* SPDX-License-Identifier: MIT */
#include "tests/emu/lapic.h"

#include "tests/emu/svm_insn.h"

#define PIT_HZ            UINT64_C(1193182)
#define CALIBRATION_TICKS UINT16_C(30000) /* 25 ms of the PIT's 55 */
#define LOOKS             64U

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

/* All three clocks at one moment, as well as a busy machine below us allows. */
struct moment {
	uint64_t tsc, width;
	uint32_t lapic;
	uint16_t pit;
};

static uint16_t pit_read(void)
{
	uint8_t low;

	insn_outb(0x43, 0x80); /* latch channel 2 */
	low = insn_inb(0x42);
	return (uint16_t)(low | insn_inb(0x42) << 8);
}

/* The tightest of many looks: the others were interrupted. */
static struct moment look(void)
{
	struct moment best = {.width = ~UINT64_C(0)};

	for (unsigned i = 0; i < LOOKS; i++) {
		struct moment m;
		uint64_t begin = insn_rdtsc();

		m.lapic = lapic_read(LAPIC_TIMER_CURRENT);
		m.pit = pit_read();
		m.tsc = insn_rdtsc();
		m.width = m.tsc - begin;
		if (m.width < best.width)
			best = m;
	}
	return best;
}

static void measure(void)
{
	struct moment first, last;
	uint16_t ticks;

	insn_outb(0x61, (uint8_t)((insn_inb(0x61) & ~3U) | 1U));
	insn_outb(0x43, 0xb4); /* channel 2, rate generator */
	insn_outb(0x42, 0);
	insn_outb(0x42, 0);
	lapic_write(LAPIC_TIMER_INITIAL, 0xffffffff);
	first = look();
	do {
		last = look();
		ticks = (uint16_t)(first.pit - last.pit);
	} while (ticks < CALIBRATION_TICKS);
	tsc_hz = (last.tsc - first.tsc) * PIT_HZ / ticks;
	lapic_hz = (uint64_t)(first.lapic - last.lapic) * PIT_HZ / ticks;
}

void lapic_calibrate(void)
{
	uint32_t svr = lapic_read(LAPIC_SVR);
	uint32_t divide = lapic_read(LAPIC_TIMER_DIVIDE);
	uint32_t lvt = lapic_read(LAPIC_LVT_TIMER);
	uint32_t initial = lapic_read(LAPIC_TIMER_INITIAL);

	lapic_write(LAPIC_SVR, svr | 0x100);
	lapic_write(LAPIC_LVT_TIMER, 0x10000);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	measure();
	lapic_write(LAPIC_TIMER_DIVIDE, divide);
	lapic_write(LAPIC_LVT_TIMER, lvt);
	lapic_write(LAPIC_TIMER_INITIAL, initial);
	lapic_write(LAPIC_SVR, svr);
}
