/* SPDX-License-Identifier: MIT */
/*
 * A guest at its virtio console: the input is a list of accesses to the BAR, to PCI
 * configuration space and to shared memory, and of what the operator does meanwhile.
 */
#include <stddef.h>

#include "guest-abi/tdboot.h"
#include "tests/fuzz/fuzz.h"
#include "vm/dev/virtio_console.h"

#define RAM        UINT64_C(0x100000)
#define RAM_SIZE   UINT64_C(0x10000)
#define QUEUE_SIZE 8U
#define QUEUE_STEP UINT64_C(0x1000)
#define ECAM_SLOT1 (TD_PCI_ECAM_BASE + 0x8000)

enum op {
	OP_BAR_WRITE,
	OP_BAR_READ,
	OP_RAM_WRITE,
	OP_DESCRIPTOR,
	OP_OFFER,
	OP_CONFIG,
	OP_PORT,
	OP_TYPE,
	OP_READ,
	OP_READER,
	OP_COUNT,
};

static struct shared_mem mem;
static struct pci_root pci;
static struct virtio_console con;
static uint16_t offered[VIRTIO_CONSOLE_QUEUES];

static void deliver(void *ctx, uint64_t address, uint32_t data)
{
	(void)ctx;
	(void)address;
	(void)data;
}

static void ram_write(uint64_t offset, const void *bytes, size_t size)
{
	/* Partly outside is a guest's right, and no success. */
	bool ok = shared_mem_write(&mem, RAM + offset, bytes, size);

	FUZZ_CHECK(ok == (offset + size <= RAM_SIZE));
}

static void power_on(void)
{
	static uint8_t zeros[RAM_SIZE];

	if (mem.doomed == NULL) {
		FUZZ_CHECK(shared_mem_init(&mem) == STATUS_OK);
		FUZZ_CHECK(shared_mem_populate(&mem, gpa(RAM), RAM_SIZE) == STATUS_OK);
	}
	ram_write(0, zeros, sizeof(zeros));
	memset(&pci, 0, sizeof(pci));
	memset(&con, 0, sizeof(con));
	memset(offered, 0, sizeof(offered));
	pci_root_init(&pci);
	virtio_console_init(&con, TD_PCI_MMIO_BASE);
	con.virtio.mem = &mem;
	con.virtio.msi = (struct msi_sink){.deliver = deliver};
	pci.slot[1] = &con.virtio.pci;
}

static void bar_write(uint64_t offset, unsigned size, uint64_t value)
{
	(void)pci_mmio_write(&pci, TD_PCI_MMIO_BASE + offset, size, value);
}

#define COMMON(field) offsetof(struct virtio_pci_common, field)

/* What a sound driver does before it goes mad. */
static void start_driver(void)
{
	(void)pci_mmio_write(&pci, ECAM_SLOT1 + PCI_COMMAND, 2,
			     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	(void)pci_mmio_write(&pci, ECAM_SLOT1 + con.virtio.msix_cap + PCI_MSIX_CONTROL, 2,
			     PCI_MSIX_ENABLE);
	bar_write(COMMON(driver_feature_select), 4, 1);
	bar_write(COMMON(driver_feature), 4, 3);
	bar_write(COMMON(device_status), 1, 0x0b);
	for (unsigned q = 0; q < VIRTIO_CONSOLE_QUEUES; q++) {
		bar_write(COMMON(queue_select), 2, q);
		bar_write(COMMON(queue_size), 2, QUEUE_SIZE);
		bar_write(COMMON(queue_msix_vector), 2, q + 1);
		bar_write(COMMON(queue_desc), 8, RAM + q * QUEUE_STEP);
		bar_write(COMMON(queue_driver), 8, RAM + q * QUEUE_STEP + 0x400);
		bar_write(COMMON(queue_device), 8, RAM + q * QUEUE_STEP + 0x800);
		bar_write(COMMON(queue_enable), 2, 1);
	}
	bar_write(COMMON(device_status), 1, 0x0f);
}

static void write_ram(struct fuzz_input *in)
{
	uint8_t bytes[16];
	uint64_t offset = fuzz_take(in, 2) % (RAM_SIZE + 16);
	size_t size = fuzz_take(in, 1) % (sizeof(bytes) + 1);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)fuzz_take(in, 1);
	ram_write(offset, bytes, size);
}

static void write_descriptor(struct fuzz_input *in)
{
	uint64_t which = fuzz_take(in, 1);
	struct virtq_desc d = {
		.addr = RAM + fuzz_take(in, 3),
		.len = (uint32_t)fuzz_take(in, 3),
		.flags = (uint16_t)fuzz_take(in, 1),
		.next = (uint16_t)fuzz_take(in, 1) % (QUEUE_SIZE + 1),
	};

	ram_write(which % 2 * QUEUE_STEP + sizeof(d) * (which / 2 % QUEUE_SIZE), &d, sizeof(d));
}

static void offer(struct fuzz_input *in)
{
	unsigned q = (unsigned)fuzz_take(in, 1) % VIRTIO_CONSOLE_QUEUES;
	uint16_t head = (uint16_t)fuzz_take(in, 1) % (QUEUE_SIZE + 1);
	uint64_t ring = q * QUEUE_STEP + 0x400;

	ram_write(ring + VIRTQ_RING_ENTRIES + 2U * (offered[q]++ % QUEUE_SIZE), &head,
		  sizeof(head));
	ram_write(ring + VIRTQ_RING_IDX, &offered[q], sizeof(offered[q]));
	bar_write(0x2000 + 4 * q, 2, q);
}

static void use_port(struct fuzz_input *in)
{
	uint16_t port = (uint16_t)(0xcf8 + fuzz_take(in, 1) % 8);
	unsigned size = 1U << fuzz_take(in, 1) % 3;
	uint32_t value;

	if (!pci_port_write(&pci, port, size, (uint32_t)fuzz_take(in, 4)))
		return;
	FUZZ_CHECK(pci_port_read(&pci, port, size, &value));
}

static void type(struct fuzz_input *in)
{
	for (uint64_t left = fuzz_take(in, 1); left > 0; left--)
		virtio_console_type(&con, '\0');
}

static void read_output(void)
{
	static char out[CONSOLE_OUT_SIZE];

	FUZZ_CHECK(virtio_console_read(&con, out, sizeof(out)) <= sizeof(out));
}

/* NOLINTNEXTLINE(readability-function-size): one line for each access */
static void do_op(struct fuzz_input *in)
{
	enum op op = (enum op)(fuzz_take(in, 1) % OP_COUNT);
	unsigned size = 1U << fuzz_take(in, 1) % 4;
	uint64_t value;

	switch (op) {
	case OP_BAR_WRITE:
		value = fuzz_take(in, 2);
		bar_write(value, size, fuzz_take(in, size));
		break;
	case OP_BAR_READ:
		(void)pci_mmio_read(&pci, TD_PCI_MMIO_BASE + fuzz_take(in, 2), size, &value);
		break;
	case OP_RAM_WRITE:
		write_ram(in);
		break;
	case OP_DESCRIPTOR:
		write_descriptor(in);
		break;
	case OP_OFFER:
		offer(in);
		break;
	case OP_CONFIG:
		value = TD_PCI_ECAM_BASE + fuzz_take(in, 3) % TD_PCI_ECAM_SIZE;
		(void)pci_mmio_write(&pci, value, size, fuzz_take(in, size));
		(void)pci_mmio_read(&pci, value, size, &value);
		break;
	case OP_PORT:
		use_port(in);
		break;
	case OP_TYPE:
		type(in);
		break;
	case OP_READ:
		read_output();
		break;
	case OP_READER:
		virtio_console_set_reader(&con, size % 2 == 0);
		break;
	case OP_COUNT:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};

	power_on();
	if (fuzz_take(&in, 1) % 4 != 0)
		start_driver();
	while (in.left > 0)
		do_op(&in);
	read_output();
	for (unsigned i = 0; i < VIRTIO_CONSOLE_QUEUES; i++)
		FUZZ_CHECK(!con.virtio.queue[i].is_enabled ||
			   virtq_is_valid(&con.virtio.queue[i]));
	return 0;
}
