/* SPDX-License-Identifier: MIT */
/* The emulator's inline assembly. */
#pragma once

#include <stdint.h>

struct lp;

static inline void insn_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(subleaf));
}

static inline uint64_t insn_rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void insn_wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t insn_rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* Carry set means that a random number was delivered. */
static inline int insn_rdrand(uint64_t *value)
{
	int ok;

	__asm__ volatile("rdrand %1" : "=@ccc"(ok), "=r"(*value));
	return ok;
}

static inline uint64_t insn_xgetbv(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(index));
	return (uint64_t)hi << 32 | lo;
}

static inline void insn_xsetbv(uint32_t index, uint64_t value)
{
	__asm__ volatile("xsetbv"
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline void insn_xsave(void *area, uint64_t mask)
{
	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}

static inline void insn_xrstor(const void *area, uint64_t mask)
{
	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}

static inline uint8_t insn_inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void insn_outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

#define INSN_READ_REG(name, reg)                                                               \
	static inline uint64_t name(void)                                                      \
	{                                                                                      \
		uint64_t v;                                                                    \
		__asm__ volatile("mov %%" reg ", %0" : "=r"(v));                               \
		return v;                                                                      \
	}
#define INSN_WRITE_REG(name, reg)                                                              \
	static inline void name(uint64_t v)                                                    \
	{                                                                                      \
		__asm__ volatile("mov %0, %%" reg : : "r"(v) : "memory");                      \
	}

INSN_READ_REG(insn_read_cr0, "cr0")
INSN_READ_REG(insn_read_cr2, "cr2")
INSN_READ_REG(insn_read_cr3, "cr3")
INSN_READ_REG(insn_read_cr4, "cr4")
INSN_READ_REG(insn_read_cr8, "cr8")
INSN_READ_REG(insn_read_dr0, "dr0")
INSN_READ_REG(insn_read_dr1, "dr1")
INSN_READ_REG(insn_read_dr2, "dr2")
INSN_READ_REG(insn_read_dr3, "dr3")
INSN_WRITE_REG(insn_write_cr4, "cr4")
INSN_WRITE_REG(insn_write_dr0, "dr0")
INSN_WRITE_REG(insn_write_dr1, "dr1")
INSN_WRITE_REG(insn_write_dr2, "dr2")
INSN_WRITE_REG(insn_write_dr3, "dr3")

#define INSN_READ_SEL(name, reg)                                                               \
	static inline uint16_t name(void)                                                      \
	{                                                                                      \
		uint16_t v;                                                                    \
		__asm__ volatile("mov %%" reg ", %0" : "=r"(v));                               \
		return v;                                                                      \
	}

INSN_READ_SEL(insn_read_cs, "cs")
INSN_READ_SEL(insn_read_ss, "ss")
INSN_READ_SEL(insn_read_ds, "ds")
INSN_READ_SEL(insn_read_es, "es")

struct insn_table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline void insn_sgdt(struct insn_table *t) { __asm__ volatile("sgdt %0" : "=m"(*t)); }
static inline void insn_sidt(struct insn_table *t) { __asm__ volatile("sidt %0" : "=m"(*t)); }
static inline void insn_lgdt(const struct insn_table *t)
{
	__asm__ volatile("lgdt %0" : : "m"(*t));
}
static inline void insn_lidt(const struct insn_table *t)
{
	__asm__ volatile("lidt %0" : : "m"(*t));
}

static inline void insn_vmsave(uint64_t vmcb)
{
	__asm__ volatile("vmsave" : : "a"(vmcb) : "memory");
}

static inline void insn_vmload(uint64_t vmcb)
{
	__asm__ volatile("vmload" : : "a"(vmcb) : "memory");
}

/*
 * Opens the gate for whatever is pending (NMIs, and interrupts with
 * `interrupts`), lets the CPU take it through our IDT, and shuts it again.
 */
static inline void insn_open_gate(int interrupts)
{
	if (interrupts)
		__asm__ volatile("stgi; sti; nop; nop; cli; clgi" : : : "memory");
	else
		__asm__ volatile("cli; stgi; nop; clgi" : : : "memory");
}

static inline void insn_stgi(void) { __asm__ volatile("cli; stgi" : : : "memory"); }
static inline void insn_clgi(void) { __asm__ volatile("clgi" : : : "memory"); }

/* Our 4-level table, then the trampoline at `to` with its page in RBX; interrupts are off. */
__attribute__((noreturn)) static inline void insn_leave_firmware(uint64_t pml4, uint64_t page,
								 uint64_t to)
{
	__asm__ volatile("mov %0, %%cr3\n\tjmp *%2"
			 :
			 : "r"(pml4), "b"(page), "r"(to)
			 : "memory");
	__builtin_unreachable();
}

/* The running CPU's own structure: the first word behind GS points to itself. */
static inline struct lp *insn_this_lp(void)
{
	struct lp *lp;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(lp));
	return lp;
}

static inline void insn_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}
