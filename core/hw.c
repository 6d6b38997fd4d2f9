/* SPDX-License-Identifier: MIT */
#include "core/hw.h"

#include "core/hw_insn.h"
#include "core/string.h"
#include "core/x86.h"

#define CACHE_LINE 64U

struct cpuid_regs hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
	uint32_t r[4];

	insn_cpuid(leaf, subleaf, r);
	return (struct cpuid_regs){r[0], r[1], r[2], r[3]};
}

uint64_t hw_rdmsr(uint32_t msr) { return insn_rdmsr(msr); }
void hw_wrmsr(uint32_t msr, uint64_t value) { insn_wrmsr(msr, value); }

enum status hw_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	return insn_rdmsr_safe(msr, value) ? STATUS_OK : STATUS_UNSUPPORTED;
}

enum status hw_wrmsr_safe(uint32_t msr, uint64_t value)
{
	return insn_wrmsr_safe(msr, value) ? STATUS_OK : STATUS_UNSUPPORTED;
}

uint8_t hw_in8(uint16_t port) { return insn_in8(port); }
uint16_t hw_in16(uint16_t port) { return insn_in16(port); }
uint32_t hw_in32(uint16_t port) { return insn_in32(port); }
void hw_out8(uint16_t port, uint8_t value) { insn_out8(port, value); }
void hw_out16(uint16_t port, uint16_t value) { insn_out16(port, value); }
void hw_out32(uint16_t port, uint32_t value) { insn_out32(port, value); }

uint64_t hw_rdtsc(void) { return insn_rdtsc(); }
void hw_pause(void) { insn_pause(); }

uint64_t hw_read_cr4(void) { return insn_read_cr4(); }
void hw_write_cr3(uint64_t value) { insn_write_cr3(value); }
void hw_write_cr4(uint64_t value) { insn_write_cr4(value); }
void hw_write_xcr0(uint64_t value) { insn_xsetbv0(value); }

void hw_clflush_range(const void *p, size_t size)
{
	const char *end = (const char *)p + size;
	const char *line = (const char *)((uintptr_t)p & ~(uintptr_t)(CACHE_LINE - 1));

	for (; line < end; line += CACHE_LINE)
		insn_clflush(line);
}

void hw_mfence(void) { insn_mfence(); }
void hw_wbinvd(void) { insn_wbinvd(); }

/* Asked once: CPUID costs an exit where a hypervisor is below us. */
static bool has_movdir64b(void)
{
	static _Atomic enum { UNKNOWN, NO, YES } answer;

	if (answer == UNKNOWN) {
		bool has = hw_cpuid(0, 0).eax >= 7 &&
			   (hw_cpuid(7, 0).ecx & UINT32_C(1) << 28) != 0;

		answer = has ? YES : NO;
	}
	return answer == YES;
}

void hw_reset_lines(void *p, size_t size)
{
	static const uint64_t zero_line[CACHE_LINE / 8] __attribute__((aligned(CACHE_LINE)));

	if (has_movdir64b()) {
		for (size_t at = 0; at < size; at += CACHE_LINE)
			insn_movdir64b((char *)p + at, zero_line);
	} else {
		memset(p, 0, size);
		hw_clflush_range(p, size);
	}
	insn_mfence();
}

bool hw_irq_save(void)
{
	bool was_enabled = (insn_read_flags() & RFLAGS_IF) != 0;

	insn_cli();
	return was_enabled;
}

void hw_irq_restore(bool was_enabled)
{
	if (was_enabled)
		insn_sti();
}

void hw_irq_disable(void) { insn_cli(); }
void hw_halt_until_interrupt(void) { insn_sti_hlt_cli(); }

void hw_stop(void)
{
	for (;;) {
		insn_cli();
		insn_hlt();
	}
}

void hw_run_nmi_handler(void) { insn_int_nmi(); }

unsigned this_cpu(void) { return insn_gs_u32(); }
