/* SPDX-License-Identifier: MIT */
#include "tests/unit/vm_machine.h"

#include <stddef.h>

#include "tests/unit/test.h"

#define AT_NOTIFY 0x2000
#define AT_TABLE  0x3000

static void deliver(void *ctx, uint64_t address, uint32_t data)
{
	struct machine *m = ctx;

	m->interrupts++;
	m->msi_address = address;
	m->msi_data = data;
}

struct machine *machine_new(void)
{
	static struct machine m;

	memset(&m, 0, sizeof(m));
	EXPECT_EQ(shared_mem_init(&m.mem), STATUS_OK);
	EXPECT_EQ(shared_mem_populate(&m.mem, gpa(MACHINE_RAM), MACHINE_RAM_SIZE), STATUS_OK);
	pci_root_init(&m.pci);
	virtio_console_init(&m.con, MACHINE_BAR);
	m.con.virtio.mem = &m.mem;
	m.con.virtio.msi = (struct msi_sink){.deliver = deliver, .ctx = &m};
	m.pci.slot[1] = &m.con.virtio.pci;
	return &m;
}

uint64_t machine_read(struct machine *m, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	EXPECT_TRUE(pci_mmio_read(&m->pci, MACHINE_BAR + offset, size, &value));
	return value;
}

void machine_write(struct machine *m, uint64_t offset, unsigned size, uint64_t value)
{
	EXPECT_TRUE(pci_mmio_write(&m->pci, MACHINE_BAR + offset, size, value));
}

uint64_t machine_desc(unsigned q) { return MACHINE_RAM + q * 0x1000; }
uint64_t machine_avail(unsigned q) { return machine_desc(q) + 0x400; }
uint64_t machine_used(unsigned q) { return machine_desc(q) + 0x800; }

void machine_put(struct machine *m, uint64_t at, const void *bytes, size_t size)
{
	EXPECT_TRUE(shared_mem_write(&m->mem, at, bytes, size));
}

void machine_get(struct machine *m, uint64_t at, void *bytes, size_t size)
{
	EXPECT_TRUE(shared_mem_read(&m->mem, at, bytes, size));
}

static void common(struct machine *m, size_t field, unsigned size, uint64_t value)
{
	machine_write(m, field, size, value);
}

#define COMMON(field) offsetof(struct virtio_pci_common, field)

static void start_queue(struct machine *m, unsigned q)
{
	common(m, COMMON(queue_select), 2, q);
	common(m, COMMON(queue_size), 2, MACHINE_QUEUE_SIZE);
	common(m, COMMON(queue_msix_vector), 2, q + 1);
	common(m, COMMON(queue_desc), 4, machine_desc(q));
	common(m, COMMON(queue_desc) + 4, 4, 0);
	common(m, COMMON(queue_driver), 8, machine_avail(q));
	common(m, COMMON(queue_device), 8, machine_used(q));
	common(m, COMMON(queue_enable), 2, 1);
}

void machine_start_driver(struct machine *m)
{
	uint32_t msix = m->con.virtio.msix_cap;

	EXPECT_TRUE(pci_mmio_write(&m->pci, TD_PCI_ECAM_BASE + 0x8000 + PCI_COMMAND, 2,
				   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
	EXPECT_TRUE(pci_mmio_write(&m->pci, TD_PCI_ECAM_BASE + 0x8000 + msix + PCI_MSIX_CONTROL,
				   2, PCI_MSIX_ENABLE));
	for (unsigned i = 0; i < VIRTIO_MSIX_COUNT; i++) {
		machine_write(m, AT_TABLE + 16 * i, 4, MSI_ADDRESS_BASE);
		machine_write(m, AT_TABLE + 16 * i + 8, 4, 0x40 + i);
		machine_write(m, AT_TABLE + 16 * i + 12, 4, 0);
	}
	common(m, COMMON(device_status), 1, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	common(m, COMMON(driver_feature_select), 4, 1);
	common(m, COMMON(driver_feature), 4, 3);
	common(m, COMMON(device_status), 1, 0x0b);
	for (unsigned q = 0; q < VIRTIO_CONSOLE_QUEUES; q++)
		start_queue(m, q);
	common(m, COMMON(device_status), 1, 0x0f);
}

void machine_set_desc(struct machine *m, unsigned q, unsigned i, struct virtq_desc d)
{
	machine_put(m, machine_desc(q) + sizeof(d) * i, &d, sizeof(d));
}

void machine_offer(struct machine *m, unsigned q, uint16_t head)
{
	uint16_t slot = m->avail[q] % MACHINE_QUEUE_SIZE;

	machine_put(m, machine_avail(q) + VIRTQ_RING_ENTRIES + 2U * slot, &head, sizeof(head));
	m->avail[q]++;
	machine_put(m, machine_avail(q) + VIRTQ_RING_IDX, &m->avail[q], sizeof(m->avail[q]));
	machine_write(m, AT_NOTIFY + 4 * q, 2, q);
}

uint16_t machine_used_index(struct machine *m, unsigned q)
{
	uint16_t index = 0;

	machine_get(m, machine_used(q) + VIRTQ_RING_IDX, &index, sizeof(index));
	return index;
}
