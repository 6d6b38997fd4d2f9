/* SPDX-License-Identifier: MIT */
#include "vm/dev/pci.h"

#include <stddef.h>

#include "core/string.h"
#include "guest-abi/tdboot.h"

#define INTEL_VENDOR 0x8086
/* The host bridge that firmware knows as one without registers of its own to program. */
#define HOST_BRIDGE_DEVICE 0x0d57
#define CLASS_BRIDGE       0x06
#define SUBCLASS_HOST      0x00

#define FIRST_CAPABILITY   0x40
#define ECAM_FUNCTION_SIZE 4096U
#define BAR_ADDRESS_MASK   UINT32_C(0xfffffff0)

uint64_t pci_config_get(const struct pci_device *dev, uint32_t at, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, dev->config + at, size);
	return value;
}

void pci_config_set(struct pci_device *dev, uint32_t at, unsigned size, uint32_t value)
{
	memcpy(dev->config + at, &value, size);
}

static void set_writable(struct pci_device *dev, uint32_t at, unsigned size, uint32_t bits)
{
	memcpy(dev->writable + at, &bits, size);
}

void pci_device_init(struct pci_device *dev, const struct pci_identity *id, uint32_t bar,
		     uint32_t bar_size)
{
	pci_config_set(dev, PCI_VENDOR_ID, 2, id->vendor);
	pci_config_set(dev, PCI_DEVICE_ID, 2, id->device);
	pci_config_set(dev, PCI_REVISION_ID, 1, id->revision);
	pci_config_set(dev, PCI_CLASS_SUB, 1, id->class_sub);
	pci_config_set(dev, PCI_CLASS_BASE, 1, id->class_base);
	pci_config_set(dev, PCI_SUBSYSTEM_VENDOR_ID, 2, id->vendor);
	pci_config_set(dev, PCI_SUBSYSTEM_ID, 2, id->device);
	set_writable(dev, PCI_INTERRUPT_LINE, 1, 0xff);
	dev->free_at = FIRST_CAPABILITY;
	dev->bar_size = bar_size;
	if (bar_size == 0)
		return;
	pci_config_set(dev, PCI_BAR0, 4, bar);
	set_writable(dev, PCI_BAR0, 4, ~(bar_size - 1));
	set_writable(dev, PCI_COMMAND, 2,
		     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
}

/* The list grows at its head. */
uint8_t pci_add_capability(struct pci_device *dev, uint8_t id, uint8_t size)
{
	uint8_t at = dev->free_at;

	dev->config[at] = id;
	dev->config[at + 1] = dev->config[PCI_CAPABILITIES];
	dev->config[PCI_CAPABILITIES] = at;
	dev->free_at = (uint8_t)(at + ((size + 3U) & ~3U));
	pci_config_set(dev, PCI_STATUS, 2, PCI_STATUS_HAS_CAPS);
	return at;
}

void pci_root_init(struct pci_root *root)
{
	static const struct pci_identity bridge = {
		.vendor = INTEL_VENDOR,
		.device = HOST_BRIDGE_DEVICE,
		.class_base = CLASS_BRIDGE,
		.class_sub = SUBCLASS_HOST,
	};

	pci_device_init(&root->bridge, &bridge, 0, 0);
	root->slot[0] = &root->bridge;
}

static struct pci_device *device_at(const struct pci_root *root, uint32_t bus, uint32_t slot,
				    uint32_t function)
{
	if (bus != 0 || function != 0 || slot >= PCI_SLOTS)
		return NULL;
	return root->slot[slot];
}

/* Extended configuration space is there and empty; beyond the end nothing is. */
static uint64_t config_read(const struct pci_device *dev, uint32_t at, unsigned size)
{
	if (dev == NULL)
		return UINT64_MAX >> (64 - 8 * size);
	return at + size <= PCI_CONFIG_SIZE ? pci_config_get(dev, at, size) : 0;
}

static void config_write(struct pci_device *dev, uint32_t at, unsigned size, uint64_t value)
{
	if (dev == NULL || at + size > PCI_CONFIG_SIZE)
		return;
	for (unsigned i = 0; i < size; i++) {
		uint8_t mask = dev->writable[at + i];
		uint8_t byte = (uint8_t)(value >> (8 * i));

		dev->config[at + i] = (uint8_t)((dev->config[at + i] & ~mask) | (byte & mask));
	}
	if (dev->ops != NULL && dev->ops->config_written != NULL)
		dev->ops->config_written(dev);
}

/* Which function the address register selects, and the register of an access to `port`. */
static struct pci_device *selected(const struct pci_root *root, uint16_t port, uint32_t *at)
{
	uint32_t a = root->address;

	*at = (a & 0xfc) + (port & 3U);
	if ((a & PCI_CONFIG_ENABLE) == 0)
		return NULL;
	return device_at(root, a >> 16 & 0xff, a >> 11 & 0x1f, a >> 8 & 7);
}

static bool is_data_port(uint16_t port, unsigned size)
{
	return port >= PCI_CONFIG_DATA_PORT && port + size <= PCI_CONFIG_DATA_PORT + 4U;
}

bool pci_port_read(struct pci_root *root, uint16_t port, unsigned size, uint32_t *value)
{
	struct pci_device *dev;
	uint32_t at;

	if (port == PCI_CONFIG_ADDRESS_PORT && size == 4) {
		*value = root->address;
		return true;
	}
	if (!is_data_port(port, size))
		return false;
	dev = selected(root, port, &at);
	*value = (uint32_t)config_read(dev, at, size);
	return true;
}

bool pci_port_write(struct pci_root *root, uint16_t port, unsigned size, uint32_t value)
{
	struct pci_device *dev;
	uint32_t at;

	if (port == PCI_CONFIG_ADDRESS_PORT && size == 4) {
		root->address = value;
		return true;
	}
	if (!is_data_port(port, size))
		return false;
	dev = selected(root, port, &at);
	config_write(dev, at, size, value);
	return true;
}

static bool is_ecam(uint64_t at, unsigned size)
{
	return at >= TD_PCI_ECAM_BASE && at - TD_PCI_ECAM_BASE <= TD_PCI_ECAM_SIZE - size;
}

static struct pci_device *ecam_device(const struct pci_root *root, uint64_t at, uint32_t *reg)
{
	uint32_t offset = (uint32_t)(at - TD_PCI_ECAM_BASE);

	*reg = offset % ECAM_FUNCTION_SIZE;
	return device_at(root, offset >> 20, offset >> 15 & 0x1f, offset >> 12 & 7);
}

/* The device whose enabled BAR covers the whole access. */
static struct pci_device *bar_device(const struct pci_root *root, uint64_t at, unsigned size,
				     uint32_t *offset)
{
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		struct pci_device *dev = root->slot[i];
		uint32_t base;

		if (dev == NULL || dev->bar_size == 0 ||
		    (dev->config[PCI_COMMAND] & PCI_COMMAND_MEMORY) == 0)
			continue;
		base = (uint32_t)pci_config_get(dev, PCI_BAR0, 4) & BAR_ADDRESS_MASK;
		if (at >= base && at - base <= dev->bar_size - size) {
			*offset = (uint32_t)(at - base);
			return dev;
		}
	}
	return NULL;
}

bool pci_mmio_read(struct pci_root *root, uint64_t at, unsigned size, uint64_t *value)
{
	struct pci_device *dev;
	uint32_t reg;

	if (is_ecam(at, size)) {
		dev = ecam_device(root, at, &reg);
		*value = config_read(dev, reg, size);
		return true;
	}
	dev = bar_device(root, at, size, &reg);
	if (dev != NULL)
		*value = dev->ops->bar_read(dev, reg, size);
	return dev != NULL;
}

bool pci_mmio_write(struct pci_root *root, uint64_t at, unsigned size, uint64_t value)
{
	struct pci_device *dev;
	uint32_t reg;

	if (is_ecam(at, size)) {
		dev = ecam_device(root, at, &reg);
		config_write(dev, reg, size, value);
		return true;
	}
	dev = bar_device(root, at, size, &reg);
	if (dev != NULL)
		dev->ops->bar_write(dev, reg, size, value);
	return dev != NULL;
}
