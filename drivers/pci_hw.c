/* SPDX-License-Identifier: MIT */
#define LOG_TAG "pci"
#include "drivers/pci.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/hw.h"
#include "core/log.h"
#include "mm/paging.h"

#define CONFIG_ADDRESS 0xcf8U
#define CONFIG_DATA    0xcfcU
#define CONFIG_ENABLE  0x80000000U

#define REG_VENDOR  0x00U
#define REG_COMMAND 0x04U
#define REG_HEADER  0x0cU

#define COMMAND_BUS_MASTER 0x4U
#define HEADER_MULTI       0x800000U
#define NO_DEVICE          0xffffU
#define BUS_SIZE           UINT64_C(0x100000)

/* One bus: by its ECAM window, or by the ports if there is none. */
struct bus {
	volatile uint32_t *ecam;
	unsigned number;
};

static void select(const struct bus *b, unsigned devfn, unsigned reg)
{
	hw_out32(CONFIG_ADDRESS, CONFIG_ENABLE | b->number << 16 | devfn << 8 | reg);
}

static uint32_t config_read(const struct bus *b, unsigned devfn, unsigned reg)
{
	if (b->ecam != NULL)
		return b->ecam[(devfn << 12 | reg) / 4];
	select(b, devfn, reg);
	return hw_in32(CONFIG_DATA);
}

/* 16 bits wide: the status register above has bits that writing clears. */
static void command_write(const struct bus *b, unsigned devfn, uint16_t value)
{
	if (b->ecam != NULL) {
		*(volatile uint16_t *)&b->ecam[(devfn << 12 | REG_COMMAND) / 4] = value;
		return;
	}
	select(b, devfn, REG_COMMAND);
	hw_out16(CONFIG_DATA, value);
}

static unsigned stop_function(const struct bus *b, unsigned devfn)
{
	uint32_t command = config_read(b, devfn, REG_COMMAND);

	if ((command & COMMAND_BUS_MASTER) == 0)
		return 0;
	command_write(b, devfn, (uint16_t)(command & ~COMMAND_BUS_MASTER));
	return 1;
}

static unsigned stop_device(const struct bus *b, unsigned device)
{
	unsigned stopped = 0;
	unsigned functions = 1;

	for (unsigned f = 0; f < functions; f++) {
		unsigned devfn = device << 3 | f;

		if ((config_read(b, devfn, REG_VENDOR) & 0xffff) == NO_DEVICE)
			continue;
		if (f == 0 && (config_read(b, devfn, REG_HEADER) & HEADER_MULTI) != 0)
			functions = 8;
		stopped += stop_function(b, devfn);
	}
	return stopped;
}

static unsigned stop_bus(const struct bus *b)
{
	unsigned stopped = 0;

	for (unsigned device = 0; device < 32; device++)
		stopped += stop_device(b, device);
	return stopped;
}

static unsigned stop_segment(const struct acpi_ecam *e)
{
	unsigned stopped = 0;

	for (unsigned n = e->first_bus; n <= e->last_bus; n++) {
		struct bus b = {paging_map_mmio(hpa_add(e->base, n * BUS_SIZE), BUS_SIZE), n};

		if (b.ecam == NULL) {
			log_error("segment %u bus %u cannot be mapped: its devices may do DMA",
				  e->segment, n);
			break;
		}
		stopped += stop_bus(&b);
	}
	return stopped;
}

unsigned pci_stop_bus_masters(const struct acpi_info *acpi)
{
	unsigned stopped = 0;

	for (unsigned n = 0; n < 256; n++)
		stopped += stop_bus(&(struct bus){NULL, n});
	for (unsigned i = 0; i < acpi->ecam_count; i++) {
		if (acpi->ecam[i].segment != 0)
			stopped += stop_segment(&acpi->ecam[i]);
	}
	return stopped;
}
