/* SPDX-License-Identifier: MIT */
/*
 * Instructions that the probe tries. Each try_*() tells how the instruction ended; one that
 * faults is left at the label behind it (trap.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/emu/l1probe/trap.h"

/* The arithmetic flags before the try: all set, so that success has to clear them. */
#define FLAGS_ALL UINT64_C(0x8d5)

#define TRY(instruction)                                                                       \
	"lea 1f(%%rip), %%rax\n"                                                               \
	"mov %%rax, %[resume]\n"                                                               \
	"mov $0xd500, %%eax\n"                                                                 \
	"sahf\n" instruction "\n"                                                              \
	"1: pushfq\n"                                                                          \
	"pop %%rax\n"

#define TRY_MEMORY(name, instruction)                                                          \
	static inline enum outcome name(uint64_t operand)                                      \
	{                                                                                      \
		uint64_t flags;                                                                \
                                                                                               \
		trap_arm();                                                                    \
		__asm__ volatile(TRY(instruction " %[operand]")                                \
				 : "=&a"(flags), [resume] "=m"(trap_resume)                    \
				 : [operand] "m"(operand)                                      \
				 : "cc", "memory");                                            \
		return trap_outcome(flags);                                                    \
	}

TRY_MEMORY(try_vmxon, "vmxon")
TRY_MEMORY(try_vmptrld, "vmptrld")
TRY_MEMORY(try_vmclear, "vmclear")

static inline enum outcome try_vmptrst(uint64_t *pa)
{
	uint64_t flags;

	trap_arm();
	__asm__ volatile(TRY("vmptrst %[pa]")
			 : "=&a"(flags), [resume] "=m"(trap_resume), [pa] "+m"(*pa)
			 :
			 : "cc", "memory");
	return trap_outcome(flags);
}

static inline enum outcome try_vmxoff(void)
{
	uint64_t flags;

	trap_arm();
	__asm__ volatile(TRY("vmxoff")
			 : "=&a"(flags), [resume] "=m"(trap_resume)
			 :
			 : "cc", "memory");
	return trap_outcome(flags);
}

static inline enum outcome try_vmlaunch(void)
{
	uint64_t flags;

	trap_arm();
	__asm__ volatile(TRY("vmlaunch")
			 : "=&a"(flags), [resume] "=m"(trap_resume)
			 :
			 : "cc", "memory");
	return trap_outcome(flags);
}

static inline enum outcome try_invept(uint64_t type, uint64_t eptp, uint64_t reserved)
{
	const struct {
		uint64_t eptp, reserved;
	} descriptor = {eptp, reserved};
	uint64_t flags;

	trap_arm();
	__asm__ volatile(TRY("invept %[descriptor], %[type]")
			 : "=&a"(flags), [resume] "=m"(trap_resume)
			 : [descriptor] "m"(descriptor), [type] "r"(type)
			 : "cc", "memory");
	return trap_outcome(flags);
}

static inline enum outcome try_read(uint64_t address, uint64_t *value)
{
	uint64_t flags, v = 0;

	trap_arm();
	__asm__ volatile(TRY("mov (%[address]), %[value]")
			 : "=&a"(flags), [resume] "=m"(trap_resume), [value] "+&r"(v)
			 : [address] "r"(address)
			 : "cc", "memory");
	*value = v;
	return trap_outcome(flags & ~FLAGS_ALL);
}

static inline enum outcome try_write(uint64_t address, uint64_t value)
{
	uint64_t flags;

	trap_arm();
	__asm__ volatile(TRY("mov %[value], (%[address])")
			 : "=&a"(flags), [resume] "=m"(trap_resume)
			 : [address] "r"(address), [value] "r"(value)
			 : "cc", "memory");
	return trap_outcome(flags & ~FLAGS_ALL);
}

static inline enum outcome try_movdir64b(uint64_t to, const void *line)
{
	uint64_t flags;

	trap_arm();
	__asm__ volatile(TRY("movdir64b (%[line]), %[to]")
			 : "=&a"(flags), [resume] "=m"(trap_resume)
			 : [to] "r"(to), [line] "r"(line)
			 : "cc", "memory");
	return trap_outcome(flags & ~FLAGS_ALL);
}

static inline enum outcome try_write_cr4(uint64_t value)
{
	uint64_t flags;

	trap_arm();
	__asm__ volatile(TRY("mov %[value], %%cr4")
			 : "=&a"(flags), [resume] "=m"(trap_resume)
			 : [value] "r"(value)
			 : "cc", "memory");
	return trap_outcome(flags & ~FLAGS_ALL);
}

/* RAX is an operand of these: the resume address goes through a register of its own. */
static inline enum outcome try_rdmsr(uint32_t msr, uint64_t *value)
{
	uint32_t low = 0, high = 0;
	uint64_t scratch;

	trap_arm();
	__asm__ volatile("lea 1f(%%rip), %[scratch]\n"
			 "mov %[scratch], %[resume]\n"
			 "rdmsr\n"
			 "1:"
			 : "+a"(low),
			   "+d"(high), [scratch] "=&r"(scratch), [resume] "=m"(trap_resume)
			 : "c"(msr)
			 : "memory");
	*value = (uint64_t)high << 32 | low;
	return trap_outcome(0);
}

static inline enum outcome try_wrmsr(uint32_t msr, uint64_t value)
{
	uint64_t scratch;

	trap_arm();
	__asm__ volatile("lea 1f(%%rip), %[scratch]\n"
			 "mov %[scratch], %[resume]\n"
			 "wrmsr\n"
			 "1:"
			 : [scratch] "=&r"(scratch), [resume] "=m"(trap_resume)
			 : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
			 : "memory");
	return trap_outcome(0);
}

static inline enum outcome try_xsetbv(uint32_t index, uint64_t value)
{
	uint64_t scratch;

	trap_arm();
	__asm__ volatile("lea 1f(%%rip), %[scratch]\n"
			 "mov %[scratch], %[resume]\n"
			 "xsetbv\n"
			 "1:"
			 : [scratch] "=&r"(scratch), [resume] "=m"(trap_resume)
			 : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(index)
			 : "memory");
	return trap_outcome(0);
}

/* For the AP, whose faults are not caught. False: VMfail. */
static inline bool vmxon_or_die(uint64_t pa)
{
	bool ok;

	__asm__ volatile("vmxon %[pa]" : "=@cca"(ok) : [pa] "m"(pa) : "memory");
	return ok;
}

static inline void interrupts_on(void) { __asm__ volatile("sti; nop" : : : "memory"); }
static inline void interrupts_off(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void cpu_relax(void) { __asm__ volatile("pause" : : : "memory"); }
