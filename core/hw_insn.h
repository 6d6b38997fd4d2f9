/* SPDX-License-Identifier: MIT */
/* Instructions that only core/ needs; the other ones are in core/hw.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

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

static inline void insn_write_cr0(uint64_t v)
{
	asm volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}
static inline void insn_xsetbv0(uint64_t v)
{
	asm volatile("xsetbv"
		     :
		     : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(0)
		     : "memory");
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
