/* SPDX-License-Identifier: MIT */
/*
 * Stands in for the machine in hosted tests: core/hw.h, panic, oncpu, heap, timer,
 * UART and power. Before main() there are 4 CPUs in 2 packages and an arena of
 * FAKE_RAM_SIZE bytes as physical memory with all of it free in mm/frame.h and usable
 * for TDs. Every test runs in a process of its own, so nothing needs to be reset.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/boot_info.h"
#include "core/hw.h"

#define FAKE_RAM_SIZE (UINT64_C(256) << 20)

/* Physical memory from 0 to `size`, zeroed lazily, as the direct map; replaces the one before.
 */
void fake_ram(uint64_t size);

/* Topology: `count` CPUs, numbered round robin over `packages`. */
void fake_cpus(unsigned count, unsigned packages);

/* The CPU that the calling thread is from now on; returns the one before. */
unsigned fake_set_this_cpu(unsigned cpu);

/* Answers CPUID; without an entry all registers are 0. */
void fake_set_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs regs);

/*
 * MSRs: an unset one makes the safe accessors fail, as #GP does. Values are shared by
 * all CPUs unless set for one.
 */
void fake_set_msr(uint32_t msr, uint64_t value);
void fake_set_cpu_msr(unsigned cpu, uint32_t msr, uint64_t value);
void fake_clear_msr(uint32_t msr);

/* Port input comes from this hook, output goes to it (size 1, 2 or 4); NULL: reads give all
 * ones. */
typedef uint32_t (*fake_port_fn)(bool is_write, uint16_t port, uint32_t value, unsigned size);
void fake_set_ports(fake_port_fn hook);

/*
 * Called with each hw_clflush_range(), hw_mfence(), hw_reset_lines() and hw_wbinvd(); p is NULL
 * where there is none. Returns the hook before.
 */
enum fake_cache_op { FAKE_CLFLUSH, FAKE_MFENCE, FAKE_RESET_LINES, FAKE_WBINVD };
typedef void (*fake_cache_fn)(enum fake_cache_op op, const void *p, size_t size);
fake_cache_fn fake_set_cache_hook(fake_cache_fn hook);

/* Called with each IPI. */
typedef void (*fake_ipi_fn)(unsigned cpu, uint8_t vector);
void fake_set_ipi_hook(fake_ipi_fn hook);

/* Called whenever the code under test waits: hw_pause(), sleep, and the interrupt window. */
typedef void (*fake_wait_fn)(void);
void fake_set_wait_hook(fake_wait_fn hook);

/* TSC: starts at 0, each reading adds 1; 1 GHz. */
void fake_set_tsc(uint64_t tsc);

/* The value that timer_arm() got last on `cpu`. */
uint64_t fake_timer_armed(unsigned cpu);

/* What uart_write() and uart_write_raw() printed, NUL-terminated; fake_uart_clear() empties it.
 */
const char *fake_uart_output(void);
void fake_uart_clear(void);
/* Bytes that uart_read() will return. */
void fake_uart_type(const char *text);

/* A panic() prints its message and ends the test with exit code 1, unless one is expected. */
void fake_expect_panic(void);

/* Makes the n-th heap_alloc() from now fail (1 = the next); 0 = never. */
void fake_heap_fail_at(unsigned n);
/* Makes every heap_alloc() fail. */
void fake_heap_is_empty(bool is_empty);
