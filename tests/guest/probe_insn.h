/* SPDX-License-Identifier: MIT */
/* Instructions that the probe executes on purpose. Those that end in #VE or #GP are skipped by
 * trap.c. */
#pragma once

#include <stdint.h>

#define FLAG_IF (UINT64_C(1) << 9)

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf)
			 : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
			 : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %%dx, %0" : "=a"(v) : "d"(port) : "memory");
	return v;
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %%dx" : : "a"(v), "d"(port) : "memory");
}

/* The two-byte form, so that the trap handler knows its length. */
static inline uint32_t read_mmio(uint64_t address)
{
	uint32_t v;

	__asm__ volatile("movl (%%rax), %%eax" : "=a"(v) : "a"(address) : "memory");
	return v;
}
#define READ_MMIO_LENGTH 2

static inline void hlt(void) { __asm__ volatile("hlt" : : : "memory"); }
static inline void cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void sti(void) { __asm__ volatile("sti; nop" : : : "memory"); }
static inline void cpu_relax(void) { __asm__ volatile("pause" : : : "memory"); }
static inline void undefined(void) { __asm__ volatile("ud2"); }

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* STI takes effect after TDCALL: TDVMCALL<HLT> with nothing in between. Returns R10. */
static inline uint64_t sti_and_halt(void)
{
	register uint64_t r10 __asm__("r10") = 0;
	register uint64_t r11 __asm__("r11") = 12;
	register uint64_t r12 __asm__("r12") = 0;
	uint64_t rax = 0;
	uint64_t rcx = 0x1c00;

	__asm__ volatile("sti; .byte 0x66, 0x0f, 0x01, 0xcc"
			 : "+a"(rax), "+c"(rcx), "+r"(r10), "+r"(r11), "+r"(r12)
			 :
			 : "memory", "cc");
	return rax != 0 ? rax : r10;
}

/* An IDT without entries: the next exception is a triple fault. */
static inline void forget_idt(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0" : : "m"(none));
}
