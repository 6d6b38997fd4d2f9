/* SPDX-License-Identifier: MIT */
/* What tdboot hands to a kernel: boot_params, E820 and the ACPI tables, read back as a kernel
 * reads them. */
#include <stddef.h>

#include "guest-abi/acpi_ports.h"
#include "guest-abi/acpi_tables.h"
#include "guest-abi/linux_boot.h"
#include "guest-abi/tdboot.h"
#include "tdboot/acpi.h"
#include "tdboot/boot_params.h"
#include "tdboot/bytes.h"
#include "tdboot/text.h"
#include "tests/unit/test.h"

#define MIB     UINT64_C(0x100000)
#define GPA     UINT64_C(0x1fff0000)
#define MAILBOX UINT64_C(0xffff9000)

extern const uint8_t tdboot_dsdt_start[], tdboot_dsdt_end[];

static _Alignas(4096) uint8_t area[LAYOUT_ACPI_SIZE];

static uint64_t build(size_t size, uint32_t vcpus)
{
	struct acpi_inputs in = {.vcpu_count = vcpus,
				 .mailbox = MAILBOX,
				 .dsdt = tdboot_dsdt_start,
				 .dsdt_size = (size_t)(tdboot_dsdt_end - tdboot_dsdt_start)};

	memset(area, 0, sizeof(area));
	return acpi_build(area, size, GPA, &in);
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
	uint8_t s = 0;

	while (size-- > 0)
		s = (uint8_t)(s + bytes[size]);
	return s;
}

/* The table at `gpa`, checked for signature, bounds and checksum. */
static const uint8_t *table_at(uint64_t gpa, const char *signature)
{
	const uint8_t *t = area + (gpa - GPA);
	uint32_t length = get_le32(t + offsetof(struct acpi_header, length));

	EXPECT_TRUE(gpa >= GPA && gpa - GPA + length <= sizeof(area));
	EXPECT_MEM_EQ(t, signature, 4);
	EXPECT_EQ(sum(t, length), 0);
	return t;
}

/* Entry `i` of the XSDT behind the RSDP. */
static const uint8_t *table(uint64_t rsdp, unsigned i, const char *signature)
{
	const uint8_t *xsdt = table_at(
		get_le64(area + (rsdp - GPA) + offsetof(struct acpi_rsdp, xsdt)), "XSDT");

	EXPECT_EQ(get_le32(xsdt + 4), sizeof(struct acpi_header) + 3 * 8);
	return table_at(get_le64(xsdt + sizeof(struct acpi_header) + 8 * (size_t)i), signature);
}

TEST(tdboot_acpi_rsdp_is_revision_2_with_both_checksums)
{
	uint64_t rsdp = build(sizeof(area), 1);
	const uint8_t *r = area + (rsdp - GPA);

	EXPECT_EQ(rsdp % 16, 0);
	EXPECT_MEM_EQ(r, "RSD PTR ", 8);
	EXPECT_EQ(r[15], 2);
	EXPECT_EQ(sum(r, 20), 0);
	EXPECT_EQ(sum(r, 36), 0);
}

TEST(tdboot_acpi_fadt_is_hardware_reduced_with_sleep_and_reset_ports)
{
	struct acpi_fadt fadt;

	memcpy(&fadt, table(build(sizeof(area), 1), 0, "FACP"), sizeof(fadt));
	EXPECT_EQ(fadt.header.length, 276);
	EXPECT_EQ(fadt.header.revision, 6);
	EXPECT_EQ(fadt.flags >> 20 & 1, 1);
	EXPECT_EQ(fadt.flags >> 10 & 1, 1);
	EXPECT_EQ(fadt.boot_arch, 0x24);
	EXPECT_EQ(fadt.sleep_control.address, TD_ACPI_SLEEP_CONTROL_PORT);
	EXPECT_EQ(fadt.sleep_control.space, 1);
	EXPECT_EQ(fadt.sleep_status.address, TD_ACPI_SLEEP_STATUS_PORT);
	EXPECT_EQ(fadt.reset_register.address, TD_ACPI_RESET_PORT);
	EXPECT_EQ(fadt.reset_value, TD_ACPI_RESET_VALUE);
	table_at(fadt.dsdt, "DSDT");
}

TEST(tdboot_acpi_madt_names_each_vcpu_and_the_mailbox)
{
	for (uint32_t vcpus = 1; vcpus <= TDBOOT_MAX_VCPUS; vcpus++) {
		const uint8_t *madt = table(build(sizeof(area), vcpus), 1, "APIC");
		const uint8_t *entry = madt + sizeof(struct acpi_madt);

		EXPECT_EQ(get_le32(entry), 16 << 8 | 0x10);
		EXPECT_EQ(get_le64(entry + 8), MAILBOX);
		entry += 16;
		for (uint32_t i = 0; i < vcpus; i++, entry += 8) {
			EXPECT_EQ(get_le32(entry), i << 24 | i << 16 | 8 << 8 | 0);
			EXPECT_EQ(get_le32(entry + 4), 1);
		}
		EXPECT_EQ(get_le32(madt + 4), entry - madt);
	}
}

TEST(tdboot_acpi_mcfg_covers_bus_0)
{
	struct acpi_mcfg mcfg;

	memcpy(&mcfg, table(build(sizeof(area), 1), 2, "MCFG"), sizeof(mcfg));
	EXPECT_EQ(mcfg.base, TD_PCI_ECAM_BASE);
	EXPECT_EQ(mcfg.first_bus, 0);
	EXPECT_EQ(mcfg.last_bus, 0);
}

/* Offset of `pattern` in the DSDT, or its size. */
static size_t dsdt_find(const uint8_t *pattern, size_t length)
{
	size_t size = (size_t)(tdboot_dsdt_end - tdboot_dsdt_start);

	for (size_t i = 0; i + length <= size; i++) {
		if (memcmp(tdboot_dsdt_start + i, pattern, length) == 0)
			return i;
	}
	return size;
}

/* Resource descriptors as ACPI 6.5, 6.4.3 encodes them. */
TEST(tdboot_dsdt_says_what_the_headers_say)
{
	size_t size = (size_t)(tdboot_dsdt_end - tdboot_dsdt_start);
	uint8_t window[16], ecam[12] = {0x86, 9, 0, 1};
	uint8_t s5[] = {'_', 'S', '5', '_', 0x12, 7, 4, 0x0a, TD_ACPI_SLP_TYP_S5, 0, 0, 0};

	put_le32(window, (uint32_t)TD_PCI_MMIO_BASE);
	put_le32(window + 4, (uint32_t)(TD_PCI_MMIO_BASE + TD_PCI_MMIO_SIZE - 1));
	put_le32(window + 8, 0);
	put_le32(window + 12, (uint32_t)TD_PCI_MMIO_SIZE);
	put_le32(ecam + 4, (uint32_t)TD_PCI_ECAM_BASE);
	put_le32(ecam + 8, (uint32_t)TD_PCI_ECAM_SIZE);
	EXPECT_TRUE(dsdt_find(window, sizeof(window)) < size);
	EXPECT_TRUE(dsdt_find(ecam, sizeof(ecam)) < size);
	EXPECT_TRUE(dsdt_find(s5, sizeof(s5)) < size);
}

TEST(tdboot_acpi_in_too_small_an_area_writes_nothing_beyond_it)
{
	uint64_t rsdp = 0;

	for (size_t size = 0; size < 2048; size++) {
		rsdp = build(size, 1);
		EXPECT_TRUE(rsdp == 0 || rsdp + 36 <= GPA + size);
		for (size_t i = size; i < 4096; i++)
			EXPECT_EQ(area[i], 0);
	}
	EXPECT_TRUE(rsdp != 0);
}

struct range {
	uint64_t start, end;
	uint32_t type;
};

static struct range e820_entry(const uint8_t *zero_page, unsigned i)
{
	const uint8_t *e = zero_page + BOOT_PARAMS_E820_TABLE + (size_t)i * E820_ENTRY_SIZE;

	return (struct range){get_le64(e), get_le64(e) + get_le64(e + 8), get_le32(e + 16)};
}

/* Type of the range that holds all of [start, start + size), 0 if none. */
static uint32_t e820_type_of(const uint8_t *zero_page, uint64_t start, uint64_t size)
{
	for (unsigned i = 0; i < zero_page[BOOT_PARAMS_E820_ENTRIES]; i++) {
		struct range r = e820_entry(zero_page, i);

		if (start >= r.start && start + size <= r.end)
			return r.type;
	}
	return 0;
}

static struct tdboot_params params_with(uint64_t low, uint64_t high)
{
	struct tdboot_params p = {.low_size = low, .high_size = high};

	p.file[TDBOOT_KERNEL].length = 11 * MIB;
	p.file[TDBOOT_INITRD].length = 3 * MIB + 5;
	return p;
}

static void build_zero_page(uint8_t *zero_page, const struct tdboot_params *p, struct layout *l)
{
	uint8_t file[LINUX_SETUP_HEADER_LIMIT];
	struct bzimage z = {.header_end = 0x26c};
	struct boot_inputs in = {
		.kernel_file = file, .image = &z, .params = p, .layout = l, .mailbox = MAILBOX};

	for (unsigned i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i | 1);
	EXPECT_STR_EQ(layout_plan(p, l), NULL);
	memset(zero_page, 0, BOOT_PARAMS_SIZE);
	in.rsdp = l->acpi + 0x2c0;
	boot_params_build(zero_page, &in);
}

static void expect_e820_sound(const uint8_t *zero_page, const struct layout *l)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < zero_page[BOOT_PARAMS_E820_ENTRIES]; i++) {
		struct range r = e820_entry(zero_page, i);

		EXPECT_TRUE(r.start >= last && r.start < r.end);
		last = r.end;
	}
	EXPECT_EQ(e820_type_of(zero_page, l->acpi, LAYOUT_ACPI_SIZE), E820_ACPI);
	EXPECT_EQ(e820_type_of(zero_page, MAILBOX, 4096), E820_NVS);
	EXPECT_EQ(e820_type_of(zero_page, TDBOOT_IMAGE_GPA, 4096), E820_RESERVED);
	EXPECT_EQ(e820_type_of(zero_page, 0xfffff000, 4096), E820_RESERVED);
	EXPECT_EQ(e820_type_of(zero_page, LAYOUT_BOOT_PARAMS, 4096), E820_RAM);
	EXPECT_EQ(e820_type_of(zero_page, LAYOUT_CMDLINE, 4096), E820_RAM);
	EXPECT_EQ(e820_type_of(zero_page, l->file[TDBOOT_INITRD], 3 * MIB + 5), E820_RAM);
	EXPECT_EQ(e820_type_of(zero_page, 0xa0000, 1), 0);
}

TEST(tdboot_e820_is_sorted_and_tables_are_never_reserved)
{
	static const uint64_t low[] = {32 * MIB, 256 * MIB, 512 * MIB, TD_LOW_RAM_MAX};
	uint8_t zero_page[BOOT_PARAMS_SIZE];
	struct layout l;

	for (unsigned i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
		struct tdboot_params p = params_with(low[i], 0);

		build_zero_page(zero_page, &p, &l);
		expect_e820_sound(zero_page, &l);
		EXPECT_EQ(e820_type_of(zero_page, TD_HIGH_RAM_BASE, 4096), 0);
	}
	{
		struct tdboot_params p = params_with(TD_LOW_RAM_MAX, 2048 * MIB);

		build_zero_page(zero_page, &p, &l);
		expect_e820_sound(zero_page, &l);
		EXPECT_EQ(e820_type_of(zero_page, TD_HIGH_RAM_BASE, 2048 * MIB), E820_RAM);
	}
}

TEST(tdboot_boot_params_carry_the_header_and_the_places)
{
	struct tdboot_params p = params_with(512 * MIB, 0);
	uint8_t zero_page[BOOT_PARAMS_SIZE];
	struct layout l;

	build_zero_page(zero_page, &p, &l);
	EXPECT_EQ(zero_page[LINUX_SETUP_HEADER - 1], 0);
	EXPECT_EQ(zero_page[LINUX_SETUP_HEADER], 0xf1);
	EXPECT_EQ(zero_page[0x26b], 0x6b);
	EXPECT_EQ(zero_page[0x26c], 0);
	EXPECT_EQ(zero_page[LINUX_TYPE_OF_LOADER], 0xff);
	EXPECT_EQ(get_le32(zero_page + LINUX_CMD_LINE_PTR), LAYOUT_CMDLINE);
	EXPECT_EQ(get_le32(zero_page + LINUX_RAMDISK_IMAGE), l.file[TDBOOT_INITRD]);
	EXPECT_EQ(get_le32(zero_page + LINUX_RAMDISK_SIZE), 3 * MIB + 5);
	EXPECT_EQ(get_le64(zero_page + BOOT_PARAMS_ACPI_RSDP), l.acpi + 0x2c0);
	p.file[TDBOOT_INITRD].length = 0;
	build_zero_page(zero_page, &p, &l);
	EXPECT_EQ(get_le32(zero_page + LINUX_RAMDISK_IMAGE), 0);
	EXPECT_EQ(get_le32(zero_page + LINUX_RAMDISK_SIZE), 0);
}

TEST(tdboot_text_packs_64_characters_and_pads_with_zero)
{
	uint64_t w[FATAL_WORD_COUNT];
	char long_text[80];

	text_pack("tdboot: x", w);
	EXPECT_MEM_EQ(w, "tdboot: x\0\0\0\0\0\0\0", 16);
	EXPECT_EQ(w[7], 0);
	memset(long_text, 'y', sizeof(long_text));
	text_pack(long_text, w);
	EXPECT_MEM_EQ(w, long_text, 64);
}

TEST(tdboot_text_of_an_exception_names_it)
{
	struct exception_frame f = {.vector = 13, .error = 0x18, .rip = 0xffff1234};
	char text[FATAL_TEXT_SIZE];

	text_exception(text, &f, 0x5000, 0);
	EXPECT_STR_EQ(text, "tdboot: exception 13 err 0x18 rip 0xffff1234");
	f.vector = 14;
	text_exception(text, &f, 0x5000, 0);
	EXPECT_STR_EQ(text, "tdboot: exception 14 err 0x18 rip 0xffff1234 at 0x5000");
	f = (struct exception_frame){.vector = 20, .rip = UINT64_MAX};
	text_exception(text, &f, UINT64_MAX, 48);
	EXPECT_STR_EQ(text, "tdboot: #VE reason 48 rip 0xffffffffffffffff at 0xffffffffffffff");
}
