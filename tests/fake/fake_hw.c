/* SPDX-License-Identifier: MIT */
#include "tests/fake/fake.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/addr.h"
#include "core/cpu.h"

#define MAX_CPUID 256
#define MAX_MSR   256
#define ANY_CPU   UINT32_MAX
#define LARGE     (UINT64_C(2) << 20)

struct cpu cpus[MAX_CPUS];
unsigned cpu_count;
unsigned package_count;
unsigned cpu_missing_count;

static _Thread_local unsigned current_cpu;
static _Thread_local bool irq_enabled;

static struct {
	uint32_t leaf, subleaf;
	struct cpuid_regs regs;
} cpuid_table[MAX_CPUID];
static unsigned cpuid_count;

static struct {
	uint32_t cpu, msr;
	uint64_t value;
	bool is_set;
} msr_table[MAX_MSR];
static unsigned msr_count;

static fake_port_fn port_hook;
static fake_cache_fn cache_hook;
static fake_ipi_fn ipi_hook;
static fake_wait_fn wait_hook;
static atomic_ullong tsc;
static uint64_t cr4;
static irq_handler_fn irq_handlers[256];

void fake_cpus(unsigned count, unsigned packages)
{
	cpu_count = count;
	package_count = packages;
	for (unsigned i = 0; i < count; i++)
		cpus[i] = (struct cpu){.apic_id = i, .package = i % packages};
}

unsigned fake_set_this_cpu(unsigned cpu)
{
	unsigned before = current_cpu;

	current_cpu = cpu;
	return before;
}

unsigned this_cpu(void) { return current_cpu; }

void irq_register(uint8_t vector, irq_handler_fn handler) { irq_handlers[vector] = handler; }

void fake_set_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs regs)
{
	for (unsigned i = 0; i < cpuid_count; i++) {
		if (cpuid_table[i].leaf == leaf && cpuid_table[i].subleaf == subleaf) {
			cpuid_table[i].regs = regs;
			return;
		}
	}
	if (cpuid_count == MAX_CPUID)
		abort();
	cpuid_table[cpuid_count].leaf = leaf;
	cpuid_table[cpuid_count].subleaf = subleaf;
	cpuid_table[cpuid_count++].regs = regs;
}

struct cpuid_regs hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
	for (unsigned i = 0; i < cpuid_count; i++) {
		if (cpuid_table[i].leaf == leaf && cpuid_table[i].subleaf == subleaf)
			return cpuid_table[i].regs;
	}
	return (struct cpuid_regs){0, 0, 0, 0};
}

static void set_msr(uint32_t cpu, uint32_t msr, uint64_t value, bool is_set)
{
	unsigned i = 0;

	while (i < msr_count && (msr_table[i].cpu != cpu || msr_table[i].msr != msr))
		i++;
	if (i == MAX_MSR)
		abort();
	if (i == msr_count)
		msr_count++;
	msr_table[i].cpu = cpu;
	msr_table[i].msr = msr;
	msr_table[i].value = value;
	msr_table[i].is_set = is_set;
}

void fake_set_msr(uint32_t msr, uint64_t value) { set_msr(ANY_CPU, msr, value, true); }
void fake_clear_msr(uint32_t msr) { set_msr(ANY_CPU, msr, 0, false); }

void fake_set_cpu_msr(unsigned cpu, uint32_t msr, uint64_t value)
{
	set_msr(cpu, msr, value, true);
}

static bool find_msr(uint32_t msr, unsigned *found)
{
	bool is_found = false;

	for (unsigned i = 0; i < msr_count; i++) {
		if (msr_table[i].msr != msr || !msr_table[i].is_set)
			continue;
		if (msr_table[i].cpu == current_cpu ||
		    (msr_table[i].cpu == ANY_CPU && !is_found)) {
			*found = i;
			is_found = true;
		}
	}
	return is_found;
}

enum status hw_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	unsigned i;

	if (!find_msr(msr, &i))
		return STATUS_UNSUPPORTED;
	*value = msr_table[i].value;
	return STATUS_OK;
}

enum status hw_wrmsr_safe(uint32_t msr, uint64_t value)
{
	unsigned i;

	if (!find_msr(msr, &i))
		return STATUS_UNSUPPORTED;
	msr_table[i].value = value;
	return STATUS_OK;
}

uint64_t hw_rdmsr(uint32_t msr)
{
	uint64_t value = 0;

	if (hw_rdmsr_safe(msr, &value) != STATUS_OK) {
		printf("# rdmsr %#x: not set\n", msr);
		abort();
	}
	return value;
}

void hw_wrmsr(uint32_t msr, uint64_t value)
{
	if (hw_wrmsr_safe(msr, value) != STATUS_OK)
		set_msr(current_cpu, msr, value, true);
}

void fake_set_ports(fake_port_fn hook) { port_hook = hook; }

static uint32_t port_in(uint16_t port, unsigned size)
{
	return port_hook == NULL ? UINT32_MAX : port_hook(false, port, 0, size);
}

static void port_out(uint16_t port, uint32_t value, unsigned size)
{
	if (port_hook != NULL)
		(void)port_hook(true, port, value, size);
}

uint8_t hw_in8(uint16_t port) { return (uint8_t)port_in(port, 1); }
uint16_t hw_in16(uint16_t port) { return (uint16_t)port_in(port, 2); }
uint32_t hw_in32(uint16_t port) { return port_in(port, 4); }
void hw_out8(uint16_t port, uint8_t value) { port_out(port, value, 1); }
void hw_out16(uint16_t port, uint16_t value) { port_out(port, value, 2); }
void hw_out32(uint16_t port, uint32_t value) { port_out(port, value, 4); }

void fake_set_tsc(uint64_t value) { atomic_store(&tsc, value); }
uint64_t hw_rdtsc(void) { return atomic_fetch_add(&tsc, 1); }

void fake_set_wait_hook(fake_wait_fn hook) { wait_hook = hook; }

static void wait(void)
{
	if (wait_hook != NULL)
		wait_hook();
}

void hw_pause(void) { wait(); }

uint64_t hw_read_cr4(void) { return cr4; }
void hw_write_cr3(uint64_t value) { (void)value; }
void hw_write_cr4(uint64_t value) { cr4 = value; }

fake_cache_fn fake_set_cache_hook(fake_cache_fn hook)
{
	fake_cache_fn before = cache_hook;

	cache_hook = hook;
	return before;
}

static void cache_op(enum fake_cache_op op, const void *p, size_t size)
{
	if (cache_hook != NULL)
		cache_hook(op, p, size);
}

void hw_clflush_range(const void *p, size_t size) { cache_op(FAKE_CLFLUSH, p, size); }
void hw_mfence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	cache_op(FAKE_MFENCE, NULL, 0);
}

void hw_wbinvd(void) { cache_op(FAKE_WBINVD, NULL, 0); }

/* Large frames are zeroed by letting them go: what was never touched stays so. */
static void zero(void *p, size_t size)
{
	if (size < LARGE || (uintptr_t)p % PAGE_SIZE != 0 || size % PAGE_SIZE != 0 ||
	    madvise(p, size, MADV_DONTNEED) != 0)
		memset(p, 0, size);
}

void hw_reset_lines(void *p, size_t size)
{
	zero(p, size);
	cache_op(FAKE_RESET_LINES, p, size);
}

bool hw_irq_save(void)
{
	bool was_enabled = irq_enabled;

	irq_enabled = false;
	return was_enabled;
}

void hw_irq_restore(bool was_enabled) { irq_enabled = was_enabled; }
void hw_irq_disable(void) { irq_enabled = false; }
void hw_halt_until_interrupt(void) { wait(); }
void hw_run_nmi_handler(void) {}

void hw_stop(void)
{
	printf("# hw_stop\n");
	abort();
}

void fake_set_ipi_hook(fake_ipi_fn hook) { ipi_hook = hook; }

void hw_send_ipi(unsigned cpu, uint8_t vector)
{
	if (ipi_hook != NULL)
		ipi_hook(cpu, vector);
}

void hw_send_nmi_others(void) {}
