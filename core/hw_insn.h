/* SPDX-License-Identifier: MIT */
/* One privileged instruction each, for core/, which offers them through core/hw.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/extable.h"

static inline void insn_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	asm volatile("cpuid"
		     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "a"(leaf), "c"(subleaf));
}

static inline uint64_t insn_rdmsr(uint32_t msr)
{
	uint32_t low;
	uint32_t high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void insn_wrmsr(uint32_t msr, uint64_t v)
{
	asm volatile("wrmsr"
		     :
		     : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(msr)
		     : "memory");
}

/* False when RDMSR faulted. At the fixup RAX holds the vector and ECX still the MSR. */
static inline bool insn_rdmsr_safe(uint32_t msr, uint64_t *v)
{
	uint32_t low;
	uint32_t high;
	uint32_t ok = 1;

	asm volatile("1: rdmsr\n"
		     "   jmp 3f\n"
		     "2: xor %[ok], %[ok]\n"
		     "3:\n" EXTABLE("1b", "2b")
		     : "=a"(low), "=d"(high), [ok] "+r"(ok)
		     : "c"(msr)
		     : "cc");
	if (ok == 0)
		return false;
	*v = (uint64_t)high << 32 | low;
	return true;
}

static inline bool insn_wrmsr_safe(uint32_t msr, uint64_t v)
{
	uint32_t low = (uint32_t)v;
	uint32_t ok = 1;

	asm volatile("1: wrmsr\n"
		     "   jmp 3f\n"
		     "2: xor %[ok], %[ok]\n"
		     "3:\n" EXTABLE("1b", "2b")
		     : "+a"(low), [ok] "+r"(ok)
		     : "d"((uint32_t)(v >> 32)), "c"(msr)
		     : "cc", "memory");
	return ok != 0;
}

static inline uint8_t insn_in8(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint16_t insn_in16(uint16_t port)
{
	uint16_t v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t insn_in32(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void insn_out8(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void insn_out16(uint16_t port, uint16_t v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void insn_out32(uint16_t port, uint32_t v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

/* LFENCE: no reading of the counter before what precedes it has completed. */
static inline uint64_t insn_rdtsc(void)
{
	uint32_t low;
	uint32_t high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void insn_pause(void) { asm volatile("pause" : : : "memory"); }

static inline uint64_t insn_read_cr0(void)
{
	uint64_t v;

	asm volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static inline uint64_t insn_read_cr2(void)
{
	uint64_t v;

	asm volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static inline uint64_t insn_read_cr3(void)
{
	uint64_t v;

	asm volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

static inline uint64_t insn_read_cr4(void)
{
	uint64_t v;

	asm volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static inline void insn_write_cr0(uint64_t v)
{
	asm volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}
static inline void insn_write_cr3(uint64_t v)
{
	asm volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}
static inline void insn_write_cr4(uint64_t v)
{
	asm volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

static inline void insn_xsetbv0(uint64_t v)
{
	asm volatile("xsetbv"
		     :
		     : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(0)
		     : "memory");
}

static inline void insn_invlpg(const void *p)
{
	asm volatile("invlpg (%0)" : : "r"(p) : "memory");
}

static inline void insn_clflush(const void *p)
{
	asm volatile("clflush (%0)" : : "r"(p) : "memory");
}

static inline void insn_mfence(void) { asm volatile("mfence" : : : "memory"); }
static inline void insn_wbinvd(void) { asm volatile("wbinvd" : : : "memory"); }

/* 64 bytes from `src` to the aligned `dst` in one write transaction. */
static inline void insn_movdir64b(void *dst, const void *src)
{
	asm volatile("movdir64b (%1), %0" : : "r"(dst), "r"(src) : "memory");
}

static inline uint64_t insn_read_flags(void)
{
	uint64_t v;

	asm volatile("pushfq; pop %0" : "=r"(v));
	return v;
}

static inline void insn_cli(void) { asm volatile("cli" : : : "memory"); }
static inline void insn_sti(void) { asm volatile("sti" : : : "memory"); }

/* STI holds interrupts off for one instruction: HLT sleeps inside it. */
static inline void insn_sti_hlt_cli(void) { asm volatile("sti; hlt; cli" : : : "memory"); }
static inline void insn_hlt(void) { asm volatile("hlt" : : : "memory"); }

/* Vector 2 by software: its IRET also ends the blocking of NMIs. */
static inline void insn_int_nmi(void) { asm volatile("int $2" : : : "memory"); }

/* The dense CPU number at the start of this CPU's block; see core/cpu_hw.c. */
static inline uint32_t insn_gs_u32(void)
{
	uint32_t v;

	asm volatile("movl %%gs:0, %0" : "=r"(v));
	return v;
}

struct insn_table_ptr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline void insn_lidt(const struct insn_table_ptr *p)
{
	asm volatile("lidt %0" : : "m"(*p));
}

/* Loads the GDT and every segment register: CS 0x08, the data segments 0x10. GS base becomes 0.
 */
static inline void insn_lgdt(const struct insn_table_ptr *p)
{
	asm volatile("lgdt %0\n"
		     "pushq $0x08\n"
		     "leaq 1f(%%rip), %%rax\n"
		     "pushq %%rax\n"
		     "lretq\n"
		     "1: movl $0x10, %%eax\n"
		     "movl %%eax, %%ds; movl %%eax, %%es; movl %%eax, %%ss\n"
		     "movl %%eax, %%fs; movl %%eax, %%gs\n"
		     :
		     : "m"(*p)
		     : "rax", "memory");
}

static inline void insn_ltr(uint16_t selector) { asm volatile("ltr %0" : : "r"(selector)); }

static inline void insn_rep_movs(void *dst, const void *src, size_t n)
{
	size_t words = n / 8;
	size_t bytes = n % 8;

	asm volatile("rep movsq\n"
		     "mov %[bytes], %[n]\n"
		     "rep movsb"
		     : "+D"(dst), "+S"(src), [n] "+c"(words)
		     : [bytes] "r"(bytes)
		     : "memory");
}

static inline void insn_rep_stos(void *dst, uint8_t value, size_t n)
{
	size_t words = n / 8;
	size_t bytes = n % 8;

	asm volatile("rep stosq\n"
		     "mov %[bytes], %[n]\n"
		     "rep stosb"
		     : "+D"(dst), [n] "+c"(words)
		     : [bytes] "r"(bytes), "a"(value * UINT64_C(0x0101010101010101))
		     : "memory");
}
