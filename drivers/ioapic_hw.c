/* SPDX-License-Identifier: MIT */
#include "drivers/ioapic.h"

#include <stddef.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "mm/paging.h"

#define IOAPIC_SIZE     0x20U
#define REG_VERSION     1U
#define REG_REDIRECT    0x10U
#define REDIRECT_MASKED 0x10000U
#define REDIRECT_LEVEL  0x8000U
#define REDIRECT_LOW    0x2000U

#define PIC1_DATA 0x21U
#define PIC2_DATA 0xa1U

static const struct acpi_info *acpi;
static struct {
	volatile uint32_t *registers; /* index at 0, window at 0x10 */
	uint32_t line_count;
} ioapics[ACPI_MAX_IOAPICS];

static uint32_t reg_read(unsigned i, uint32_t reg)
{
	ioapics[i].registers[0] = reg;
	return ioapics[i].registers[4];
}

static void reg_write(unsigned i, uint32_t reg, uint32_t value)
{
	ioapics[i].registers[0] = reg;
	ioapics[i].registers[4] = value;
}

void ioapic_init(const struct acpi_info *info)
{
	acpi = info;
	hw_out8(PIC1_DATA, 0xff);
	hw_out8(PIC2_DATA, 0xff);
	for (unsigned i = 0; i < info->ioapic_count; i++) {
		ioapics[i].registers = paging_map_mmio(info->ioapic[i].base, IOAPIC_SIZE);
		if (ioapics[i].registers == NULL)
			continue;
		ioapics[i].line_count = (reg_read(i, REG_VERSION) >> 16 & 0xff) + 1;
		for (uint32_t line = 0; line < ioapics[i].line_count; line++)
			reg_write(i, REG_REDIRECT + 2 * line, REDIRECT_MASKED);
	}
}

enum status ioapic_route_isa(unsigned irq, uint8_t vector)
{
	const struct acpi_isa_irq *isa = &acpi->isa_irq[irq];

	for (unsigned i = 0; i < acpi->ioapic_count; i++) {
		uint32_t line = isa->gsi - acpi->ioapic[i].gsi_base;
		uint32_t low = vector;

		if (isa->gsi < acpi->ioapic[i].gsi_base || line >= ioapics[i].line_count)
			continue;
		if (cpus[0].apic_id > 0xff)
			return STATUS_UNSUPPORTED;
		low |= isa->is_level ? REDIRECT_LEVEL : 0;
		low |= isa->is_low_active ? REDIRECT_LOW : 0;
		reg_write(i, REG_REDIRECT + 2 * line + 1, cpus[0].apic_id << 24);
		reg_write(i, REG_REDIRECT + 2 * line, low);
		return STATUS_OK;
	}
	return STATUS_NOT_FOUND;
}
