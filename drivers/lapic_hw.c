/* SPDX-License-Identifier: MIT */
#define LOG_TAG "lapic"
#include "drivers/lapic.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/trap.h"
#include "core/x86.h"
#include "mm/paging.h"

/* Register offsets of the xAPIC page; the x2APIC MSR is 0x800 + offset / 16 (SDM 3A, 11.12). */
enum {
	REG_TPR = 0x080,
	REG_EOI = 0x0b0,
	REG_SPURIOUS = 0x0f0,
	REG_ICR = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_THERMAL = 0x330,
	REG_LVT_PERF = 0x340,
	REG_LVT_LINT0 = 0x350,
	REG_LVT_LINT1 = 0x360,
	REG_LVT_ERROR = 0x370,
	REG_TIMER_INITIAL = 0x380,
	REG_TIMER_CURRENT = 0x390,
	REG_TIMER_DIVIDE = 0x3e0,
};

#define XAPIC_SIZE      0x400U
#define SPURIOUS_ENABLE 0x100U
#define LVT_MASKED      0x10000U
#define LVT_NMI         0x400U
#define LVT_DEADLINE    0x40000U
#define DIVIDE_BY_16    0x3U
#define ICR_NMI         0x400U
#define ICR_INIT        0x500U
#define ICR_STARTUP     0x600U
#define ICR_PENDING     0x1000U
#define ICR_ASSERT      0x4000U
#define ICR_ALL_OTHERS  0xc0000U
#define ICR_WAIT_SPINS  1000000
#define X2APIC_ONLY_ID  255U

static volatile uint32_t *xapic; /* NULL in x2APIC mode */

static uint32_t reg_read(uint32_t reg)
{
	if (xapic == NULL)
		return (uint32_t)hw_rdmsr(MSR_X2APIC_BASE + reg / 16);
	return xapic[reg / 4];
}

static void reg_write(uint32_t reg, uint32_t value)
{
	if (xapic == NULL)
		hw_wrmsr(MSR_X2APIC_BASE + reg / 16, value);
	else
		xapic[reg / 4] = value;
}

enum status lapic_init(uint32_t highest_apic_id)
{
	hpa_t base = hpa(align_down(hw_rdmsr(MSR_APIC_BASE), PAGE_SIZE));

	if ((hw_cpuid(1, 0).ecx & UINT32_C(1) << 21) != 0) {
		log_info("x2APIC mode");
		return STATUS_OK;
	}
	if (highest_apic_id >= X2APIC_ONLY_ID) {
		log_error("APIC ID %u needs x2APIC, which the CPU lacks", highest_apic_id);
		return STATUS_UNSUPPORTED;
	}
	xapic = paging_map_mmio(base, XAPIC_SIZE);
	if (xapic == NULL)
		return STATUS_NO_MEMORY;
	log_info("xAPIC mode, registers at %#lx", base.raw);
	return STATUS_OK;
}

static void mask_local_interrupts(void)
{
	reg_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	reg_write(REG_LVT_LINT0, LVT_MASKED);
	reg_write(REG_LVT_LINT1, LVT_NMI);
	reg_write(REG_LVT_ERROR, LVT_MASKED | VECTOR_SPURIOUS);
	reg_write(REG_LVT_PERF, LVT_MASKED | VECTOR_SPURIOUS);
	reg_write(REG_LVT_THERMAL, LVT_MASKED | VECTOR_SPURIOUS);
}

void lapic_init_this_cpu(void)
{
	uint64_t base = hw_rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	hw_wrmsr(MSR_APIC_BASE, base);
	if (xapic == NULL)
		hw_wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	reg_write(REG_TPR, 0);
	mask_local_interrupts();
	reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
}

void irq_end(void) { reg_write(REG_EOI, 0); }

/* Both halves of the xAPIC's ICR belong together: no interrupt of ours may send in between. */
static void send(uint32_t apic_id, uint32_t command)
{
	bool irq;

	if (xapic == NULL) {
		/* WRMSR to x2APIC registers does not wait for earlier stores (SDM 3A, 11.12.3).
		 */
		hw_mfence();
		hw_wrmsr(MSR_X2APIC_BASE + REG_ICR / 16, (uint64_t)apic_id << 32 | command);
		return;
	}
	irq = hw_irq_save();
	xapic[REG_ICR_HIGH / 4] = apic_id << 24;
	xapic[REG_ICR / 4] = command;
	for (int i = 0; i < ICR_WAIT_SPINS && (xapic[REG_ICR / 4] & ICR_PENDING) != 0; i++)
		hw_pause();
	hw_irq_restore(irq);
}

void hw_send_ipi(unsigned cpu, uint8_t vector) { send(cpus[cpu].apic_id, ICR_ASSERT | vector); }

void hw_send_nmi_others(void)
{
	if (cpu_count > 1)
		send(0, ICR_ASSERT | ICR_ALL_OTHERS | ICR_NMI);
}

void lapic_send_init(uint32_t apic_id) { send(apic_id, ICR_ASSERT | ICR_INIT); }

void lapic_send_startup(uint32_t apic_id, uint8_t vector)
{
	send(apic_id, ICR_ASSERT | ICR_STARTUP | vector);
}

void lapic_timer_one_shot(uint32_t ticks)
{
	reg_write(REG_LVT_TIMER, VECTOR_TIMER);
	reg_write(REG_TIMER_INITIAL, ticks);
}

/* The fence keeps a WRMSR to IA32_TSC_DEADLINE behind the change of mode (SDM 3A, 11.5.4.1). */
void lapic_timer_deadline_mode(void)
{
	reg_write(REG_LVT_TIMER, LVT_DEADLINE | VECTOR_TIMER);
	hw_mfence();
}

uint32_t lapic_timer_current(void) { return reg_read(REG_TIMER_CURRENT); }
