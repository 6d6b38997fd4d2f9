/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"
#include "tests/unit/vm_machine.h"

#define CONSOLE_ECAM (TD_PCI_ECAM_BASE + 0x8000)
#define CONSOLE_CF8  (PCI_CONFIG_ENABLE | 1U << 11)

static uint32_t port_config(struct machine *m, uint32_t address)
{
	uint32_t value = 0;

	EXPECT_TRUE(pci_port_write(&m->pci, PCI_CONFIG_ADDRESS_PORT, 4, address));
	EXPECT_TRUE(pci_port_read(&m->pci, PCI_CONFIG_DATA_PORT, 4, &value));
	return value;
}

static uint64_t ecam(struct machine *m, uint64_t at, unsigned size)
{
	uint64_t value = 0;

	EXPECT_TRUE(pci_mmio_read(&m->pci, at, size, &value));
	return value;
}

TEST(pci_bridge_and_console_are_found_by_ports_and_by_ecam)
{
	struct machine *m = machine_new();

	EXPECT_EQ(port_config(m, PCI_CONFIG_ENABLE), 0x0d578086);
	EXPECT_EQ(port_config(m, CONSOLE_CF8), 0x10431af4);
	EXPECT_EQ(ecam(m, TD_PCI_ECAM_BASE, 4), 0x0d578086);
	EXPECT_EQ(ecam(m, CONSOLE_ECAM, 4), 0x10431af4);
	EXPECT_EQ(ecam(m, CONSOLE_ECAM + PCI_DEVICE_ID, 2), 0x1043);
	EXPECT_EQ(ecam(m, CONSOLE_ECAM, 8) >> 32 >> 16, PCI_STATUS_HAS_CAPS);
}

TEST(pci_absent_functions_read_all_ones)
{
	struct machine *m = machine_new();

	EXPECT_EQ(port_config(m, PCI_CONFIG_ENABLE | 2U << 11), UINT32_MAX);
	EXPECT_EQ(port_config(m, CONSOLE_CF8 | 1U << 8), UINT32_MAX);
	EXPECT_EQ(port_config(m, CONSOLE_CF8 | 1U << 16), UINT32_MAX);
	EXPECT_EQ(port_config(m, 1U << 11), UINT32_MAX);
	EXPECT_EQ(ecam(m, TD_PCI_ECAM_BASE + 0x10000, 4), UINT32_MAX);
	EXPECT_EQ(ecam(m, TD_PCI_ECAM_BASE + 0x9000, 2), 0xffff);
	EXPECT_EQ(ecam(m, TD_PCI_ECAM_BASE + TD_PCI_ECAM_SIZE - 1, 1), 0xff);
}

TEST(pci_extended_configuration_space_is_empty)
{
	struct machine *m = machine_new();

	EXPECT_EQ(ecam(m, CONSOLE_ECAM + 0x100, 4), 0);
	EXPECT_EQ(ecam(m, CONSOLE_ECAM + 0xff, 4), 0);
	EXPECT_EQ(ecam(m, CONSOLE_ECAM + 0xffc, 8), 0);
}

TEST(pci_bar_tells_its_size_and_moves)
{
	struct machine *m = machine_new();
	uint64_t value;

	EXPECT_TRUE(pci_mmio_write(&m->pci, CONSOLE_ECAM + PCI_BAR0, 4, UINT32_MAX));
	EXPECT_EQ(ecam(m, CONSOLE_ECAM + PCI_BAR0, 4), ~(VIRTIO_BAR_SIZE - 1));
	EXPECT_TRUE(pci_mmio_write(&m->pci, CONSOLE_ECAM + PCI_BAR0, 4, 0xc1230000));
	EXPECT_TRUE(!pci_mmio_read(&m->pci, 0xc1230000, 4, &value));
	EXPECT_TRUE(pci_mmio_write(&m->pci, CONSOLE_ECAM + PCI_COMMAND, 2, PCI_COMMAND_MEMORY));
	EXPECT_TRUE(pci_mmio_read(&m->pci, 0xc1230000, 4, &value));
	EXPECT_TRUE(!pci_mmio_read(&m->pci, MACHINE_BAR, 4, &value));
	EXPECT_TRUE(!pci_mmio_read(&m->pci, 0xc1230000 + VIRTIO_BAR_SIZE - 2, 4, &value));
}

TEST(pci_identity_is_read_only)
{
	struct machine *m = machine_new();

	EXPECT_TRUE(pci_mmio_write(&m->pci, CONSOLE_ECAM, 4, 0));
	EXPECT_EQ(ecam(m, CONSOLE_ECAM, 4), 0x10431af4);
}

/* Follows the list as a driver does: 5 capabilities, MSI-X among them, each inside the space.
 */
TEST(pci_capability_list_holds_the_four_structures_and_msix)
{
	struct machine *m = machine_new();
	unsigned types = 0;
	unsigned msix = 0;
	uint64_t at = ecam(m, CONSOLE_ECAM + PCI_CAPABILITIES, 1);

	for (unsigned i = 0; at != 0 && i < 16; i++) {
		uint64_t id = ecam(m, CONSOLE_ECAM + at, 1);

		EXPECT_TRUE(at >= 0x40 && at % 4 == 0);
		if (id == PCI_CAP_MSIX)
			msix++;
		else if (id == PCI_CAP_VENDOR)
			types |= 1U << ecam(m, CONSOLE_ECAM + at + 3, 1);
		at = ecam(m, CONSOLE_ECAM + at + 1, 1);
	}
	EXPECT_EQ(msix, 1);
	EXPECT_EQ(types, 0x1e);
}

TEST(pci_config_ports_take_bytes_and_words_within_the_dword)
{
	struct machine *m = machine_new();
	uint32_t value = 0;

	EXPECT_EQ(port_config(m, CONSOLE_CF8), 0x10431af4);
	EXPECT_TRUE(pci_port_read(&m->pci, PCI_CONFIG_DATA_PORT + 2, 2, &value));
	EXPECT_EQ(value, 0x1043);
	EXPECT_TRUE(pci_port_read(&m->pci, PCI_CONFIG_DATA_PORT + 3, 1, &value));
	EXPECT_EQ(value, 0x10);
	EXPECT_TRUE(!pci_port_read(&m->pci, PCI_CONFIG_DATA_PORT + 2, 4, &value));
	EXPECT_TRUE(!pci_port_read(&m->pci, PCI_CONFIG_ADDRESS_PORT + 1, 1, &value));
}
