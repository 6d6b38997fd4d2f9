/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables: the input is physical memory from MEMORY_BASE on, with the RSDP at its
 * start. Checksums are made right, or no input would come far.
 */
#include "drivers/acpi.h"
#include "tests/fuzz/fuzz.h"

#define MEMORY_BASE UINT64_C(0xe0000)
#define HEADER_SIZE 36U
#define RSDP_V1     20U
#define MAX_MAPS    4096U

static const uint8_t *memory;
static size_t memory_size;
static uint8_t *maps[MAX_MAPS];
static unsigned map_count;

static void fix_sum(uint8_t *p, size_t size, size_t at)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + p[i]);
	p[at] = (uint8_t)(p[at] - sum);
}

static void fix_rsdp(uint8_t *p, uint64_t size)
{
	fix_sum(p, RSDP_V1, 8);
	if (size > RSDP_V1)
		fix_sum(p, size, 32);
}

/* A copy of its own for each mapping: what lies behind a table is not to be read. */
static const void *map(hpa_t at, uint64_t size)
{
	uint8_t *copy;

	if (at.raw < MEMORY_BASE || at.raw - MEMORY_BASE > memory_size ||
	    size > memory_size - (at.raw - MEMORY_BASE) || map_count == MAX_MAPS)
		return NULL;
	copy = fuzz_copy(memory + (at.raw - MEMORY_BASE), size);
	maps[map_count++] = copy;
	if (at.raw == MEMORY_BASE && size >= RSDP_V1)
		fix_rsdp(copy, size);
	else if (size >= HEADER_SIZE)
		fix_sum(copy, size, 9);
	return copy;
}

static void check(const struct acpi_info *info, enum status s)
{
	FUZZ_CHECK(s == STATUS_OK || s == STATUS_NOT_FOUND);
	FUZZ_CHECK(s != STATUS_OK || info->cpu_count > 0);
	FUZZ_CHECK(info->cpu_count <= MAX_CPUS);
	FUZZ_CHECK(info->cpu_excess == 0 || info->cpu_count == MAX_CPUS);
	FUZZ_CHECK(info->ioapic_count <= ACPI_MAX_IOAPICS);
	FUZZ_CHECK(info->ecam_count <= ACPI_MAX_ECAMS);
	for (unsigned i = 0; i < info->ecam_count; i++)
		FUZZ_CHECK(info->ecam[i].first_bus <= info->ecam[i].last_bus);
	for (unsigned i = 1; i < info->cpu_count; i++)
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(info->apic_id[i] != info->apic_id[j]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct acpi_info info;

	memory = data;
	memory_size = size;
	check(&info, acpi_parse(hpa(MEMORY_BASE), map, &info));
	while (map_count > 0)
		free(maps[--map_count]);
	return 0;
}
