/* SPDX-License-Identifier: MIT */
#include "tests/emu/acpi.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/string.h"
#include "tests/emu/console.h"

#define MADT_HEADER  44U
#define TYPE_LAPIC   0
#define TYPE_X2APIC  9
#define CPU_ENABLED  1U
#define TABLE_HEADER 36U

static uint64_t load(uint64_t at, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, (const void *)at, size);
	return v;
}

/* The table behind an RSDT or XSDT with this signature, or 0. */
static uint64_t find_in(uint64_t root, size_t entry_size, const char *signature)
{
	uint64_t end = root + load(root + 4, 4);

	for (uint64_t at = root + TABLE_HEADER; at + entry_size <= end; at += entry_size) {
		uint64_t table = load(at, entry_size);

		if (memcmp((const void *)table, signature, 4) == 0)
			return table;
	}
	return 0;
}

static uint64_t find_table(uint64_t rsdp, const char *signature)
{
	bool has_xsdt = load(rsdp + 15, 1) >= 2 && load(rsdp + 24, 8) != 0;

	if (has_xsdt)
		return find_in(load(rsdp + 24, 8), 8, signature);
	return find_in(load(rsdp + 16, 4), 4, signature);
}

unsigned acpi_cpus(uint64_t rsdp, uint32_t *ids, unsigned max)
{
	uint64_t madt = rsdp == 0 ? 0 : find_table(rsdp, "APIC");
	unsigned count = 0;
	uint64_t end;

	if (madt == 0)
		emu_die(EMU_EXIT_REFUSED, "no ACPI MADT (RSDP %#lx)", rsdp);
	end = madt + load(madt + 4, 4);
	for (uint64_t at = madt + MADT_HEADER; at + 2 <= end; at += load(at + 1, 1)) {
		uint64_t type = load(at, 1);

		if (load(at + 1, 1) < 2)
			break;
		if (type == TYPE_LAPIC && (load(at + 4, 4) & CPU_ENABLED) != 0 && count < max)
			ids[count++] = (uint32_t)load(at + 3, 1);
		if (type == TYPE_X2APIC && (load(at + 8, 4) & CPU_ENABLED) != 0 && count < max)
			ids[count++] = (uint32_t)load(at + 4, 4);
	}
	return count;
}
