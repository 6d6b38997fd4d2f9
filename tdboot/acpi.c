/* SPDX-License-Identifier: MIT */
#include "tdboot/acpi.h"

#include "guest-abi/acpi_ports.h"
#include "guest-abi/acpi_tables.h"
#include "guest-abi/tdboot.h"
#include "tdboot/layout.h"

#define LAPIC_ADDRESS UINT32_C(0xfee00000)
#define LAPIC_ENABLED 1U

#define TABLE _Alignas(16)

/* What the area holds. The MADT ends with the last vCPU's LAPIC. */
struct tables {
	struct acpi_rsdp rsdp;
	TABLE struct {
		struct acpi_header header;
		uint64_t table[3];
	} ACPI_PACKED xsdt;
	TABLE struct acpi_fadt fadt;
	TABLE struct {
		struct acpi_madt head;
		struct acpi_madt_mp_wakeup wakeup;
		struct acpi_madt_lapic lapic[TDBOOT_MAX_VCPUS];
	} ACPI_PACKED madt;
	TABLE struct acpi_mcfg mcfg;
	TABLE uint8_t dsdt[];
};

static uint8_t checksum(const void *table, size_t size)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}

/* Writes the header of a table whose other bytes are final. */
static void complete(struct acpi_header *h, const char *signature, uint8_t revision,
		     size_t length)
{
	*h = (struct acpi_header){.length = (uint32_t)length,
				  .revision = revision,
				  .oem_id = "REDOUB",
				  .oem_table_id = "TDBOOT  ",
				  .oem_revision = 1,
				  .creator_id = "RDBT",
				  .creator_revision = 1};
	__builtin_memcpy(h->signature, signature, sizeof(h->signature));
	h->checksum = checksum(h, length);
}

static struct acpi_gas io_port(uint16_t port)
{
	return (struct acpi_gas){.space = ACPI_SPACE_SYSTEM_IO,
				 .bit_width = 8,
				 .access_size = ACPI_ACCESS_BYTE,
				 .address = port};
}

static void build_fadt(struct acpi_fadt *fadt, uint64_t dsdt)
{
	*fadt = (struct acpi_fadt){
		.boot_arch = ACPI_FADT_ARCH_NO_VGA | ACPI_FADT_ARCH_NO_CMOS,
		.flags = ACPI_FADT_WBINVD | ACPI_FADT_PWR_BUTTON | ACPI_FADT_SLP_BUTTON |
			 ACPI_FADT_RESET_REG_SUP | ACPI_FADT_HW_REDUCED,
		.reset_register = io_port(TD_ACPI_RESET_PORT),
		.reset_value = TD_ACPI_RESET_VALUE,
		.dsdt = dsdt,
		.sleep_control = io_port(TD_ACPI_SLEEP_CONTROL_PORT),
		.sleep_status = io_port(TD_ACPI_SLEEP_STATUS_PORT),
	};
	complete(&fadt->header, "FACP", ACPI_FADT_REVISION, sizeof(*fadt));
}

static void build_madt(struct tables *t, const struct acpi_inputs *in)
{
	size_t unused = (TDBOOT_MAX_VCPUS - in->vcpu_count) * sizeof(t->madt.lapic[0]);

	t->madt.head.lapic_address = LAPIC_ADDRESS;
	t->madt.wakeup = (struct acpi_madt_mp_wakeup){.type = ACPI_MADT_MP_WAKEUP,
						      .length = sizeof(t->madt.wakeup),
						      .mailbox = in->mailbox};
	for (uint32_t i = 0; i < in->vcpu_count; i++)
		t->madt.lapic[i] = (struct acpi_madt_lapic){.type = ACPI_MADT_LAPIC,
							    .length = sizeof(t->madt.lapic[i]),
							    .processor_uid = (uint8_t)i,
							    .apic_id = (uint8_t)i,
							    .flags = LAPIC_ENABLED};
	complete(&t->madt.head.header, "APIC", 5, sizeof(t->madt) - unused);
}

static void build_mcfg(struct acpi_mcfg *mcfg)
{
	_Static_assert(TD_PCI_ECAM_SIZE == 1U << 20,
		       "one bus of 1 MiB: first_bus = last_bus = 0");
	mcfg->base = TD_PCI_ECAM_BASE;
	complete(&mcfg->header, "MCFG", 1, sizeof(*mcfg));
}

static void build_rsdp(struct acpi_rsdp *rsdp, uint64_t xsdt)
{
	*rsdp = (struct acpi_rsdp){.signature = "RSD PTR ",
				   .oem_id = "REDOUB",
				   .revision = 2,
				   .length = sizeof(*rsdp),
				   .xsdt = xsdt};
	rsdp->checksum = checksum(rsdp, offsetof(struct acpi_rsdp, length));
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

uint64_t acpi_build(uint8_t *area, size_t size, uint64_t gpa, const struct acpi_inputs *in)
{
	struct tables *t = (void *)area;

	if (size < sizeof(*t) + in->dsdt_size)
		return 0;
	__builtin_memcpy(t->dsdt, in->dsdt, in->dsdt_size);
	build_fadt(&t->fadt, gpa + offsetof(struct tables, dsdt));
	build_madt(t, in);
	build_mcfg(&t->mcfg);
	t->xsdt.table[0] = gpa + offsetof(struct tables, fadt);
	t->xsdt.table[1] = gpa + offsetof(struct tables, madt);
	t->xsdt.table[2] = gpa + offsetof(struct tables, mcfg);
	complete(&t->xsdt.header, "XSDT", 1, sizeof(t->xsdt));
	build_rsdp(&t->rsdp, gpa + offsetof(struct tables, xsdt));
	return gpa + offsetof(struct tables, rsdp);
}
