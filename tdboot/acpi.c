/* SPDX-License-Identifier: MIT */
#include "tdboot/acpi.h"

#include <stdbool.h>

#include "guest-abi/acpi_ports.h"
#include "guest-abi/acpi_tables.h"
#include "guest-abi/tdboot.h"
#include "tdboot/bytes.h"

#define TABLE_ALIGN   16U
#define LAPIC_ADDRESS UINT32_C(0xfee00000)
#define LAPIC_ENABLED 1U

/* Tables are appended one after the other; `used` is where the next one starts. */
struct area {
	uint8_t *bytes;
	size_t size, used;
	uint64_t gpa;
	bool overflowed;
};

static void set_bytes(char *dst, const char *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = src[i];
}

static uint8_t checksum(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}

static void append(struct area *a, const void *data, size_t size)
{
	if (size > a->size - a->used) {
		a->overflowed = true;
		return;
	}
	__builtin_memcpy(a->bytes + a->used, data, size);
	a->used += size;
}

/* Aligns and returns the offset of the table that starts there. */
static size_t begin(struct area *a)
{
	size_t aligned = (a->used + TABLE_ALIGN - 1) & ~(size_t)(TABLE_ALIGN - 1);

	if (aligned > a->size)
		a->overflowed = true;
	else
		a->used = aligned;
	return a->used;
}

/* Completes length and checksum of the table from `start` to here; returns its GPA. */
static uint64_t end(struct area *a, size_t start)
{
	uint8_t *table = a->bytes + start;

	if (a->overflowed)
		return 0;
	put_le32(table + offsetof(struct acpi_header, length), (uint32_t)(a->used - start));
	table[offsetof(struct acpi_header, checksum)] = 0;
	table[offsetof(struct acpi_header, checksum)] = checksum(table, a->used - start);
	return a->gpa + start;
}

static struct acpi_header header(const char *signature, uint8_t revision)
{
	struct acpi_header h = {.revision = revision, .oem_revision = 1, .creator_revision = 1};

	set_bytes(h.signature, signature, sizeof(h.signature));
	set_bytes(h.oem_id, "REDOUB", sizeof(h.oem_id));
	set_bytes(h.oem_table_id, "TDBOOT  ", sizeof(h.oem_table_id));
	set_bytes(h.creator_id, "RDBT", sizeof(h.creator_id));
	return h;
}

static struct acpi_gas io_port(uint16_t port)
{
	return (struct acpi_gas){.space = ACPI_SPACE_SYSTEM_IO,
				 .bit_width = 8,
				 .access_size = ACPI_ACCESS_BYTE,
				 .address = port};
}

static uint64_t add_dsdt(struct area *a, const struct acpi_inputs *in)
{
	size_t start = begin(a);

	append(a, in->dsdt, in->dsdt_size);
	return end(a, start);
}

static uint64_t add_fadt(struct area *a, uint64_t dsdt)
{
	struct acpi_fadt fadt = {
		.header = header("FACP", ACPI_FADT_REVISION),
		.boot_arch = ACPI_FADT_ARCH_NO_VGA | ACPI_FADT_ARCH_NO_CMOS,
		.flags = ACPI_FADT_WBINVD | ACPI_FADT_PWR_BUTTON | ACPI_FADT_SLP_BUTTON |
			 ACPI_FADT_RESET_REG_SUP | ACPI_FADT_HW_REDUCED,
		.reset_register = io_port(TD_ACPI_RESET_PORT),
		.reset_value = TD_ACPI_RESET_VALUE,
		.dsdt = dsdt,
		.sleep_control = io_port(TD_ACPI_SLEEP_CONTROL_PORT),
		.sleep_status = io_port(TD_ACPI_SLEEP_STATUS_PORT),
	};
	size_t start = begin(a);

	append(a, &fadt, sizeof(fadt));
	return end(a, start);
}

static uint64_t add_madt(struct area *a, const struct acpi_inputs *in)
{
	struct acpi_madt madt = {.header = header("APIC", 5), .lapic_address = LAPIC_ADDRESS};
	struct acpi_madt_mp_wakeup wakeup = {
		.type = ACPI_MADT_MP_WAKEUP, .length = sizeof(wakeup), .mailbox = in->mailbox};
	size_t start = begin(a);

	append(a, &madt, sizeof(madt));
	for (uint32_t i = 0; i < in->vcpu_count; i++) {
		struct acpi_madt_lapic lapic = {.type = ACPI_MADT_LAPIC,
						.length = sizeof(lapic),
						.processor_uid = (uint8_t)i,
						.apic_id = (uint8_t)i,
						.flags = LAPIC_ENABLED};

		append(a, &lapic, sizeof(lapic));
	}
	append(a, &wakeup, sizeof(wakeup));
	return end(a, start);
}

static uint64_t add_mcfg(struct area *a)
{
	struct acpi_mcfg mcfg = {.header = header("MCFG", 1), .base = TD_PCI_ECAM_BASE};
	size_t start = begin(a);

	_Static_assert(TD_PCI_ECAM_SIZE == 1U << 20,
		       "one bus of 1 MiB: first_bus = last_bus = 0");
	append(a, &mcfg, sizeof(mcfg));
	return end(a, start);
}

static uint64_t add_xsdt(struct area *a, const uint64_t *tables, unsigned count)
{
	struct acpi_header xsdt = header("XSDT", 1);
	size_t start = begin(a);

	append(a, &xsdt, sizeof(xsdt));
	for (unsigned i = 0; i < count; i++) {
		uint8_t entry[8];

		put_le64(entry, tables[i]);
		append(a, entry, sizeof(entry));
	}
	return end(a, start);
}

static uint64_t add_rsdp(struct area *a, uint64_t xsdt)
{
	struct acpi_rsdp rsdp = {.revision = 2, .length = sizeof(rsdp), .xsdt = xsdt};
	size_t start = begin(a);
	uint8_t *table = a->bytes + start;

	set_bytes(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	set_bytes(rsdp.oem_id, "REDOUB", sizeof(rsdp.oem_id));
	append(a, &rsdp, sizeof(rsdp));
	if (a->overflowed)
		return 0;
	table[offsetof(struct acpi_rsdp, checksum)] =
		checksum(table, offsetof(struct acpi_rsdp, length));
	table[offsetof(struct acpi_rsdp, extended_checksum)] = checksum(table, sizeof(rsdp));
	return a->gpa + start;
}

uint64_t acpi_build(uint8_t *area, size_t size, uint64_t gpa, const struct acpi_inputs *in)
{
	struct area a = {.bytes = area, .size = size, .gpa = gpa};
	uint64_t tables[3];
	uint64_t xsdt;

	tables[0] = add_fadt(&a, add_dsdt(&a, in));
	tables[1] = add_madt(&a, in);
	tables[2] = add_mcfg(&a);
	xsdt = add_xsdt(&a, tables, sizeof(tables) / sizeof(tables[0]));
	return add_rsdp(&a, xsdt);
}
