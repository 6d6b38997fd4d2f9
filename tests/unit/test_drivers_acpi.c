/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "drivers/acpi.h"

#define ARENA_SIZE 0x4000U
#define RSDP       0x100U
#define XSDT       0x200U
#define MADT       0x400U
#define FADT       0x800U
#define DSDT       0xc00U
#define MCFG       0x1000U

static uint8_t arena[ARENA_SIZE];
static struct acpi_info info;

static const void *map(hpa_t at, uint64_t size)
{
	if (at.raw > ARENA_SIZE || ARENA_SIZE - at.raw < size)
		return NULL;
	return arena + at.raw;
}

static void put(uint32_t at, uint64_t v, unsigned bytes) { memcpy(arena + at, &v, bytes); }

static void set_sum(uint32_t at, uint32_t size, uint32_t sum_at)
{
	uint8_t sum = 0;

	arena[sum_at] = 0;
	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + arena[at + i]);
	arena[sum_at] = (uint8_t)(0 - sum);
}

static void finish(uint32_t at, const char *signature, uint32_t size)
{
	memcpy(arena + at, signature, 4);
	put(at + 4, size, 4);
	set_sum(at, size, at + 9);
}

static void build_madt(void)
{
	static const uint8_t entries[] = {
		0,  8,  0, 2, 1,  0, 0,    0, /* APIC ID 2, enabled */
		0,  8,  1, 4, 1,  0, 0,    0, /* APIC ID 4 */
		0,  8,  2, 6, 0,  0, 0,    0, /* APIC ID 6, disabled */
		9,  16, 0, 0, 0,  3, 0,    0,    1,   0, 0, 0,
		9,  0,  0, 0, /* x2APIC ID 0x300 */
		9,  16, 0, 0, 4,  0, 0,    0,    1,   0, 0, 0,
		9,  0,  0, 0,                                  /* x2APIC ID 4: known */
		1,  12, 0, 0, 0,  0, 0xc0, 0xfe, 24,  0, 0, 0, /* I/O APIC, GSI 24 */
		2,  10, 0, 4, 20, 0, 0,    0,    0xf, 0,       /* IRQ 4 is GSI 20, low, level */
		77, 4,  0, 0,                                  /* unknown */
	};

	put(MADT + 36, 0xfee00000, 4);
	memcpy(arena + MADT + 44, entries, sizeof(entries));
	finish(MADT, "APIC", 44 + sizeof(entries));
}

static void build_fadt(void)
{
	static const uint8_t s5[] = {0x08, '_',  'S',  '5',  '_', 0x12,
				     0x06, 0x04, 0x0a, 0x05, 0x01};

	put(FADT + 40, DSDT, 4);
	put(FADT + 48, 0xb2, 4);
	put(FADT + 52, 0xa0, 1);
	put(FADT + 64, 0x604, 4);
	put(FADT + 76, 0x608, 4);
	put(FADT + 91, 4, 1);
	put(FADT + 112, 1U << 10 | 1U << 8, 4);
	put(FADT + 116, 1, 1);
	put(FADT + 120, 0xcf9, 8);
	put(FADT + 128, 6, 1);
	finish(FADT, "FACP", 244);
	memcpy(arena + DSDT + 40, s5, sizeof(s5));
	finish(DSDT, "DSDT", 0x80);
}

static void build(void)
{
	build_madt();
	build_fadt();
	put(MCFG + 44, 0xe0000000, 8);
	put(MCFG + 54, 0xff00, 2);
	finish(MCFG, "MCFG", 60);
	put(XSDT + 36, MADT, 8);
	put(XSDT + 44, FADT, 8);
	put(XSDT + 52, MCFG, 8);
	finish(XSDT, "XSDT", 60);
	memcpy(arena + RSDP, "RSD PTR ", 8);
	put(RSDP + 15, 2, 1);
	put(RSDP + 20, 36, 4);
	put(RSDP + 24, XSDT, 8);
	set_sum(RSDP, 20, RSDP + 8);
	set_sum(RSDP, 36, RSDP + 32);
}

TEST(acpi_tables_tell_cpus_interrupts_and_power)
{
	build();
	EXPECT_EQ(acpi_parse(hpa(RSDP), map, &info), STATUS_OK);
	EXPECT_EQ(info.cpu_count, 3);
	EXPECT_EQ(info.apic_id[0], 2);
	EXPECT_EQ(info.apic_id[1], 4);
	EXPECT_EQ(info.apic_id[2], 0x300);
	EXPECT_EQ(info.ioapic_count, 1);
	EXPECT_EQ(info.ioapic[0].gsi_base, 24);
	EXPECT_EQ(info.isa_irq[4].gsi, 20);
	EXPECT_TRUE(info.isa_irq[4].is_low_active && info.isa_irq[4].is_level);
	EXPECT_EQ(info.isa_irq[3].gsi, 3);
	EXPECT_EQ(info.pm1a_control, 0x604);
	EXPECT_EQ(info.pm_timer, 0x608);
	EXPECT_TRUE(info.has_reset && !info.reset_is_memory);
	EXPECT_EQ(info.reset_address, 0xcf9);
	EXPECT_TRUE(info.has_s5);
	EXPECT_EQ(info.s5_type_a, 5);
	EXPECT_EQ(info.s5_type_b, 1);
	EXPECT_EQ(info.ecam_count, 1);
	EXPECT_EQ(info.ecam[0].last_bus, 0xff);
}

TEST(acpi_table_with_a_bad_checksum_is_skipped)
{
	build();
	arena[FADT + 64] ^= 1;
	EXPECT_EQ(acpi_parse(hpa(RSDP), map, &info), STATUS_OK);
	EXPECT_EQ(info.pm1a_control, 0);
	arena[MADT + 50] ^= 1;
	EXPECT_EQ(acpi_parse(hpa(RSDP), map, &info), STATUS_NOT_FOUND);
}

TEST(acpi_without_an_rsdp_finds_nothing)
{
	EXPECT_EQ(acpi_parse(hpa(0), map, &info), STATUS_NOT_FOUND);
	EXPECT_EQ(acpi_parse(hpa(RSDP), map, &info), STATUS_NOT_FOUND);
	EXPECT_EQ(acpi_parse(hpa(UINT64_MAX - 3), map, &info), STATUS_NOT_FOUND);
}

TEST(acpi_madt_entry_of_length_zero_ends_the_table)
{
	build();
	arena[MADT + 44 + 9] = 0;
	finish(MADT, "APIC", 100);
	EXPECT_EQ(acpi_parse(hpa(RSDP), map, &info), STATUS_OK);
	EXPECT_EQ(info.cpu_count, 1);
}

TEST(acpi_more_cpus_than_fit_are_counted)
{
	build();
	for (uint32_t i = 0; i < MAX_CPUS + 5; i++) {
		uint32_t at = 0x2000 + 44 + i * 16;

		put(at, 16 << 8 | 9, 2);
		put(at + 4, i, 4);
		put(at + 8, 1, 4);
	}
	finish(0x2000, "APIC", 44 + (MAX_CPUS + 5) * 16);
	put(XSDT + 36, 0x2000, 8);
	finish(XSDT, "XSDT", 60);
	EXPECT_EQ(acpi_parse(hpa(RSDP), map, &info), STATUS_OK);
	EXPECT_EQ(info.cpu_count, MAX_CPUS);
	EXPECT_EQ(info.cpu_excess, 5);
}

/* Sums are repaired after the damage, so that it reaches the parsers. */
TEST(acpi_random_damage_does_no_harm)
{
	static uint8_t good[ARENA_SIZE];
	static const uint32_t tables[] = {XSDT, MADT, FADT, DSDT, MCFG};

	srand(6);
	build();
	memcpy(good, arena, ARENA_SIZE);
	for (int round = 0; round < 20000; round++) {
		memcpy(arena, good, ARENA_SIZE);
		for (int i = 0; i < 6; i++)
			arena[tables[rand() % 5] + (unsigned)rand() % 0x90] = (uint8_t)rand();
		for (unsigned i = 0; i < 5; i++) {
			uint32_t size;

			memcpy(&size, arena + tables[i] + 4, 4);
			if (size <= 0x400)
				set_sum(tables[i], size, tables[i] + 9);
		}
		(void)!acpi_parse(hpa(RSDP), map, &info);
		EXPECT_TRUE(info.cpu_count <= MAX_CPUS);
		EXPECT_TRUE(info.ioapic_count <= ACPI_MAX_IOAPICS);
	}
}
