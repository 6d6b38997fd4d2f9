/* SPDX-License-Identifier: MIT */
#include "core/hw.h"

#include "core/extable.h"
#include "core/string.h"
#include "core/x86.h"

#define CACHE_LINE 64U

struct cpuid_regs hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

uint64_t hw_rdmsr(uint32_t msr)
{
	uint32_t low;
	uint32_t high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

void hw_wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr"
		     :
		     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
		     : "memory");
}

/* A fault goes on behind the CLC, with the flags that RDMSR and WRMSR found. */
enum status hw_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t low;
	uint32_t high;
	bool faulted;

	asm volatile("stc\n1: rdmsr\nclc\n2:\n" EXTABLE("1b", "2b")
		     : "=@ccc"(faulted), "=a"(low), "=d"(high)
		     : "c"(msr));
	if (faulted)
		return STATUS_UNSUPPORTED;
	*value = (uint64_t)high << 32 | low;
	return STATUS_OK;
}

enum status hw_wrmsr_safe(uint32_t msr, uint64_t value)
{
	uint32_t low = (uint32_t)value;
	bool faulted;

	asm volatile("stc\n1: wrmsr\nclc\n2:\n" EXTABLE("1b", "2b")
		     : "=@ccc"(faulted), "+a"(low)
		     : "d"((uint32_t)(value >> 32)), "c"(msr)
		     : "memory");
	return faulted ? STATUS_UNSUPPORTED : STATUS_OK;
}

uint8_t hw_in8(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

uint16_t hw_in16(uint16_t port)
{
	uint16_t v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

uint32_t hw_in32(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

void hw_out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

void hw_out16(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

void hw_out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* LFENCE: no reading of the counter before what precedes it has completed. */
uint64_t hw_rdtsc(void)
{
	uint32_t low;
	uint32_t high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

void hw_pause(void) { asm volatile("pause" : : : "memory"); }

uint64_t hw_read_cr4(void)
{
	uint64_t v;

	asm volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

void hw_write_cr3(uint64_t value) { asm volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }
void hw_write_cr4(uint64_t value) { asm volatile("mov %0, %%cr4" : : "r"(value) : "memory"); }

void hw_clflush_range(const void *p, size_t size)
{
	const char *end = (const char *)p + size;
	const char *line = (const char *)((uintptr_t)p & ~(uintptr_t)(CACHE_LINE - 1));

	for (; line < end; line += CACHE_LINE)
		asm volatile("clflush (%0)" : : "r"(line) : "memory");
}

void hw_mfence(void) { asm volatile("mfence" : : : "memory"); }
void hw_wbinvd(void) { asm volatile("wbinvd" : : : "memory"); }

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
			asm volatile("movdir64b (%1), %0"
				     :
				     : "r"((char *)p + at), "r"(zero_line)
				     : "memory");
	} else {
		memset(p, 0, size);
		hw_clflush_range(p, size);
	}
	hw_mfence();
}

bool hw_irq_save(void)
{
	uint64_t flags;

	asm volatile("pushfq; pop %0; cli" : "=r"(flags) : : "memory");
	return (flags & RFLAGS_IF) != 0;
}

void hw_irq_restore(bool was_enabled)
{
	if (was_enabled)
		asm volatile("sti" : : : "memory");
}

void hw_irq_disable(void) { asm volatile("cli" : : : "memory"); }

/* STI holds interrupts off for one instruction: HLT sleeps inside it. */
void hw_halt_until_interrupt(void) { asm volatile("sti; hlt; cli" : : : "memory"); }

void hw_stop(void)
{
	for (;;)
		asm volatile("cli; hlt" : : : "memory");
}

/* Vector 2 by software: its IRET also ends the blocking of NMIs. */
void hw_run_nmi_handler(void) { asm volatile("int $2" : : : "memory"); }

/* The dense CPU number at the start of this CPU's block; see core/cpu_hw.c. */
unsigned this_cpu(void)
{
	unsigned number;

	asm volatile("movl %%gs:0, %0" : "=r"(number));
	return number;
}
