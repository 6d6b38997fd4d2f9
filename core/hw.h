/* SPDX-License-Identifier: MIT */
/*
 * Everything core mm drivers vmx tdx vm mgmt ask of the CPU itself. The kernel
 * links core/hw_*.c; hosted tests link tests/fake/. No other file there holds
 * inline assembly.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/compiler.h"
#include "core/status.h"

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

struct cpuid_regs hw_cpuid(uint32_t leaf, uint32_t subleaf);

uint64_t hw_rdmsr(uint32_t msr);
void hw_wrmsr(uint32_t msr, uint64_t value);
/* STATUS_UNSUPPORTED when the access takes #GP; *value untouched then. */
MUST_CHECK enum status hw_rdmsr_safe(uint32_t msr, uint64_t *value);
MUST_CHECK enum status hw_wrmsr_safe(uint32_t msr, uint64_t value);

uint8_t hw_in8(uint16_t port);
uint16_t hw_in16(uint16_t port);
uint32_t hw_in32(uint16_t port);
void hw_out8(uint16_t port, uint8_t value);
void hw_out16(uint16_t port, uint16_t value);
void hw_out32(uint16_t port, uint32_t value);

uint64_t hw_rdtsc(void);
void hw_pause(void);

uint64_t hw_read_cr4(void);
void hw_write_cr3(uint64_t value);
void hw_write_cr4(uint64_t value);

/* CLFLUSHes every line of [p, p+size); the caller ends a batch with hw_mfence(). */
void hw_clflush_range(const void *p, size_t size);
void hw_mfence(void);
void hw_wbinvd(void);

/*
 * Zeroes [p, p+size), 64-byte multiples, with full-line direct stores (MOVDIR64B)
 * and a fence; with plain stores and CLFLUSH where CPUID lacks it. No line stays in a cache.
 */
void hw_reset_lines(void *p, size_t size);

/* Interrupt flag of this CPU. hw_irq_save() disables and returns whether it was enabled. */
bool hw_irq_save(void);
void hw_irq_restore(bool was_enabled);
void hw_irq_disable(void);
/* Enables interrupts and halts without a window in between; returns with them disabled. */
void hw_halt_until_interrupt(void);
_Noreturn void hw_stop(void);

/*
 * After a guest's NMI exit: runs the host's NMI handler through a frame that ends in
 * IRET, which also lets the next NMI in.
 */
void hw_run_nmi_handler(void);

/* Dense number of this CPU, 0 = BSP; valid after cpu_init_this(). */
unsigned this_cpu(void);

/* Sends fixed interrupt `vector` to CPU `cpu`. Defined in drivers/. */
void hw_send_ipi(unsigned cpu, uint8_t vector);

/* Sends an NMI to every other CPU that runs. Defined in drivers/. */
void hw_send_nmi_others(void);
