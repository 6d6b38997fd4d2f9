/* SPDX-License-Identifier: MIT */
/* ACPI tables as they lie in memory (ACPI 6.5, chapter 5): the ones a TD is given. */
#pragma once

#include <stdint.h>

#define ACPI_PACKED __attribute__((packed))

struct acpi_rsdp { /* 5.2.5.3, revision 2 */
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum; /* of all 36 */
	uint8_t reserved[3];
} ACPI_PACKED;

struct acpi_header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} ACPI_PACKED;

#define ACPI_SPACE_SYSTEM_IO 1
#define ACPI_ACCESS_BYTE     1

struct acpi_gas { /* 5.2.3.2, generic address */
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} ACPI_PACKED;

#define ACPI_FADT_REVISION      6
#define ACPI_FADT_WBINVD        (1U << 0)
#define ACPI_FADT_PWR_BUTTON    (1U << 4) /* no fixed power button */
#define ACPI_FADT_SLP_BUTTON    (1U << 5) /* no fixed sleep button */
#define ACPI_FADT_RESET_REG_SUP (1U << 10)
#define ACPI_FADT_HW_REDUCED    (1U << 20)
#define ACPI_FADT_ARCH_NO_VGA   (1U << 2)
#define ACPI_FADT_ARCH_NO_CMOS  (1U << 5)

struct acpi_fadt { /* 5.2.9 */
	struct acpi_header header;
	uint32_t facs32, dsdt32;
	uint8_t reserved0;
	uint8_t pm_profile;
	uint8_t fixed_hardware[62]; /* all zero on hardware-reduced platforms */
	uint8_t century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_gas reset_register;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t facs, dsdt;
	struct acpi_gas fixed_blocks[8];
	struct acpi_gas sleep_control, sleep_status;
	uint64_t hypervisor_id;
} ACPI_PACKED;

_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT revision 6 is 276 bytes");
_Static_assert(__builtin_offsetof(struct acpi_fadt, boot_arch) == 109, "FADT layout");
_Static_assert(__builtin_offsetof(struct acpi_fadt, sleep_control) == 244, "FADT layout");

struct acpi_madt { /* 5.2.12 */
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;
} ACPI_PACKED;

#define ACPI_MADT_LAPIC     0
#define ACPI_MADT_MP_WAKEUP 0x10

struct acpi_madt_lapic { /* 5.2.12.2 */
	uint8_t type, length;
	uint8_t processor_uid;
	uint8_t apic_id;
	uint32_t flags; /* bit 0: enabled */
} ACPI_PACKED;

struct acpi_madt_mp_wakeup { /* 5.2.12.19, mailbox version 0 */
	uint8_t type, length;
	uint16_t mailbox_version;
	uint32_t reserved;
	uint64_t mailbox;
} ACPI_PACKED;

#define ACPI_MP_WAKEUP_WAKEUP 1

struct acpi_mp_mailbox { /* 4 KiB; the rest belongs to OS and firmware */
	uint16_t command;
	uint16_t reserved;
	uint32_t apic_id;
	uint64_t wakeup_vector;
} ACPI_PACKED;

struct acpi_mcfg { /* PCI Firmware Specification 3.x, 4.1.2, with one segment */
	struct acpi_header header;
	uint64_t reserved;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved1;
} ACPI_PACKED;

_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP revision 2 is 36 bytes");
_Static_assert(sizeof(struct acpi_header) == 36, "every table header is 36 bytes");
_Static_assert(sizeof(struct acpi_mcfg) == 60, "MCFG with one segment is 60 bytes");
