/* SPDX-License-Identifier: MIT */
/* PCI Local Bus 3.0 and PCI Express: configuration space, MSI-X, the configuration ports. */
#pragma once

#include <stdint.h>

#define PCI_CONFIG_ADDRESS_PORT 0xcf8
#define PCI_CONFIG_DATA_PORT    0xcfc

/* The dword written to port 0xcf8: 31 enable, 23:16 bus, 15:11 device, 10:8 function, 7:2
 * register. */
#define PCI_CONFIG_ENABLE UINT32_C(0x80000000)

#define PCI_CONFIG_SIZE 256

/* Offsets in configuration space, type 0 header. */
enum {
	PCI_VENDOR_ID = 0x00,
	PCI_DEVICE_ID = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION_ID = 0x08,
	PCI_CLASS_SUB = 0x0a,
	PCI_CLASS_BASE = 0x0b,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
	PCI_SUBSYSTEM_ID = 0x2e,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
};

#define PCI_COMMAND_MEMORY  0x0002
#define PCI_COMMAND_MASTER  0x0004
#define PCI_COMMAND_NO_INTX 0x0400
#define PCI_STATUS_HAS_CAPS 0x0010

#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX   0x11

/* MSI-X capability: +2 message control, +4 table, +8 pending bits (offset | BAR number). */
#define PCI_MSIX_CAP_SIZE      12
#define PCI_MSIX_CONTROL       2
#define PCI_MSIX_TABLE         4
#define PCI_MSIX_PBA           8
#define PCI_MSIX_ENABLE        0x8000
#define PCI_MSIX_FUNCTION_MASK 0x4000
#define PCI_MSIX_ENTRY_SIZE    16
#define PCI_MSIX_ENTRY_MASKED  0x1

/* One entry of the MSI-X table. */
struct pci_msix_entry {
	uint32_t address_low;
	uint32_t address_high;
	uint32_t data;
	uint32_t control; /* bit 0 masked */
};

/* MSI address: 0xfee in 31:20, destination APIC ID 19:12. Data: vector 7:0, delivery mode 10:8.
 */
#define MSI_ADDRESS_BASE UINT32_C(0xfee00000)
#define MSI_ADDRESS_MASK UINT32_C(0xfff00000)

_Static_assert(sizeof(struct pci_msix_entry) == PCI_MSIX_ENTRY_SIZE, "MSI-X entry layout");
