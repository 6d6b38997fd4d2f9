/* SPDX-License-Identifier: MIT */
/*
 * A PCI root with bus 0 only: a host bridge and single-function devices with one memory
 * BAR each, reached through the configuration ports, ECAM and the MMIO window. The
 * caller holds the TD's device lock around every call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest-abi/pci.h"

#define PCI_SLOTS 2

struct pci_device;

struct pci_device_ops {
	/* Access of `size` 1, 2, 4 or 8 at `offset` of the BAR, inside it. */
	uint64_t (*bar_read)(struct pci_device *dev, uint32_t offset, unsigned size);
	void (*bar_write)(struct pci_device *dev, uint32_t offset, unsigned size,
			  uint64_t value);
	/* After a write to configuration space; NULL if nobody cares. */
	void (*config_written)(struct pci_device *dev);
};

struct pci_device {
	const struct pci_device_ops *ops; /* NULL: configuration space only */
	uint32_t bar_size;                /* power of two, 0 = no BAR */
	uint8_t free_at;                  /* where the next capability goes */
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE]; /* bits the guest may change */
};

struct pci_root {
	uint32_t address; /* last dword written to 0xcf8 */
	struct pci_device bridge;
	struct pci_device *slot[PCI_SLOTS]; /* slot 0 is the bridge */
};

void pci_root_init(struct pci_root *root);

struct pci_identity {
	uint16_t vendor, device;
	uint8_t class_base, class_sub, revision;
};

/* Fills the header of a device with one memory BAR of `bar_size` at `bar`; no BAR when 0. */
void pci_device_init(struct pci_device *dev, const struct pci_identity *id, uint32_t bar,
		     uint32_t bar_size);

/* Appends a capability of `size` bytes (the header's two included), returns its offset. */
uint8_t pci_add_capability(struct pci_device *dev, uint8_t id, uint8_t size);

/* Little-endian fields of 1, 2, 4 or (to get) 8 bytes. */
uint64_t pci_config_get(const struct pci_device *dev, uint32_t at, unsigned size);
void pci_config_set(struct pci_device *dev, uint32_t at, unsigned size, uint32_t value);

/* Ports 0xcf8..0xcff. False when the port is none of them. Absent devices read all ones. */
bool pci_port_read(struct pci_root *root, uint16_t port, unsigned size, uint32_t *value);
bool pci_port_write(struct pci_root *root, uint16_t port, unsigned size, uint32_t value);

/* MMIO at guest-physical `at`: ECAM and BARs. False when nobody is there. */
bool pci_mmio_read(struct pci_root *root, uint64_t at, unsigned size, uint64_t *value);
bool pci_mmio_write(struct pci_root *root, uint64_t at, unsigned size, uint64_t value);
