/* SPDX-License-Identifier: MIT */
#include "vm/dev/virtio_pci.h"

#include <stddef.h>

#include "core/string.h"

/* Inside the BAR. */
#define AT_COMMON 0x0000U
#define AT_ISR    0x1000U
#define AT_DEVICE 0x1800U
#define AT_NOTIFY 0x2000U
#define AT_TABLE  0x3000U
#define AT_PBA    0x3800U

#define ISR_SIZE      4U
#define DEVICE_SIZE   0x100U
#define NOTIFY_STRIDE 4U
#define TABLE_SIZE    ((uint32_t)sizeof(struct pci_msix_entry) * VIRTIO_MSIX_COUNT)

#define OFFERED (VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM)

static struct virtio_device *virtio_of(struct pci_device *pci)
{
	return (void *)((char *)pci - offsetof(struct virtio_device, pci));
}

static bool is_within(uint32_t offset, uint32_t start, uint32_t size)
{
	return offset >= start && offset - start < size;
}

/* Interrupts */

static uint16_t msix_control(const struct virtio_device *dev)
{
	return (uint16_t)pci_config_get(&dev->pci, dev->msix_cap + PCI_MSIX_CONTROL, 2);
}

static void signal_vector(struct virtio_device *dev, uint16_t vector)
{
	uint16_t control = msix_control(dev);
	const struct pci_msix_entry *e;

	if ((control & PCI_MSIX_ENABLE) == 0 || vector >= VIRTIO_MSIX_COUNT)
		return;
	e = &dev->msix[vector];
	if ((control & PCI_MSIX_FUNCTION_MASK) != 0 ||
	    (e->control & PCI_MSIX_ENTRY_MASKED) != 0) {
		dev->msix_pending = (uint8_t)(dev->msix_pending | 1U << vector);
		return;
	}
	dev->msix_pending = (uint8_t)(dev->msix_pending & ~(1U << vector));
	dev->msi.deliver(dev->msi.ctx, (uint64_t)e->address_high << 32 | e->address_low,
			 e->data);
}

/* After anything that may have unmasked a vector. */
static void signal_pending(struct virtio_device *dev)
{
	for (uint16_t i = 0; i < VIRTIO_MSIX_COUNT; i++) {
		if ((dev->msix_pending & 1U << i) != 0)
			signal_vector(dev, i);
	}
}

void virtio_interrupt(struct virtio_device *dev, unsigned index)
{
	if (!virtq_wants_interrupt(&dev->queue[index], dev->mem))
		return;
	dev->isr |= VIRTIO_ISR_QUEUE;
	signal_vector(dev, dev->queue[index].msix_vector);
}

bool virtio_queue_is_live(const struct virtio_device *dev, unsigned index)
{
	return (dev->regs.device_status & VIRTIO_STATUS_DRIVER_OK) != 0 &&
	       (dev->regs.device_status & VIRTIO_STATUS_DEVICE_NEEDS_RESET) == 0 &&
	       dev->queue[index].is_enabled;
}

void virtio_broken(struct virtio_device *dev)
{
	dev->regs.device_status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
	signal_vector(dev, dev->regs.config_msix_vector);
}

void virtio_pci_stop(struct virtio_device *dev) { dev->regs.device_status = 0; }

/* Common configuration */

static void reset(struct virtio_device *dev)
{
	dev->accepted = 0;
	dev->isr = 0;
	dev->regs = (struct virtio_pci_common){
		.config_msix_vector = VIRTIO_MSI_NO_VECTOR,
		.num_queues = VIRTIO_MAX_QUEUES,
	};
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
		dev->queue[i] = (struct virtq){
			.size = VIRTQ_MAX_SIZE,
			.msix_vector = VIRTIO_MSI_NO_VECTOR,
		};
	}
	dev->ops->reset(dev);
}

/* FEATURES_OK sticks only if the driver took VERSION_1 and ACCESS_PLATFORM and nothing else. */
static void set_status(struct virtio_device *dev, uint8_t status)
{
	uint8_t needs_reset = dev->regs.device_status & VIRTIO_STATUS_DEVICE_NEEDS_RESET;

	if (status == 0) {
		reset(dev);
		return;
	}
	if (dev->accepted != OFFERED)
		status = (uint8_t)(status &
				   ~(VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK));
	dev->regs.device_status = status | needs_reset;
}

static void accept_features(struct virtio_device *dev, uint32_t value)
{
	unsigned shift = dev->regs.driver_feature_select * 32;

	if (dev->regs.driver_feature_select > 1 ||
	    (dev->regs.device_status & VIRTIO_STATUS_FEATURES_OK) != 0)
		return;
	dev->accepted &= ~((uint64_t)UINT32_MAX << shift);
	dev->accepted |= (uint64_t)value << shift;
}

static struct virtq *selected_queue(struct virtio_device *dev)
{
	return dev->regs.queue_select < VIRTIO_MAX_QUEUES ? &dev->queue[dev->regs.queue_select]
							  : NULL;
}

STATIC_ASSERT(offsetof(struct virtq, used) - offsetof(struct virtq, desc) == 16,
	      "a queue's addresses in the order of struct virtio_pci_common");

/* Of the three, which follow each other in both structures: one, or half of it. */
static void set_address(struct virtq *q, size_t offset, unsigned size, uint64_t value)
{
	if (size >= 4 && offset % size == 0 && offset < 3 * sizeof(q->desc))
		memcpy((char *)q + offsetof(struct virtq, desc) + offset, &value, size);
}

static void enable_queue(struct virtio_device *dev, struct virtq *q, uint64_t value)
{
	if (value != 1)
		return;
	if (virtq_is_valid(q))
		q->is_enabled = true;
	else
		virtio_broken(dev);
}

/* A queue's configuration is frozen once it is enabled. */
static void queue_write(struct virtio_device *dev, uint32_t field, unsigned size,
			uint64_t value)
{
	struct virtq *q = selected_queue(dev);

	if (q == NULL || q->is_enabled)
		return;
	switch (field) {
	case offsetof(struct virtio_pci_common, queue_size):
		q->size = (uint16_t)value;
		break;
	case offsetof(struct virtio_pci_common, queue_enable):
		enable_queue(dev, q, value);
		break;
	default:
		set_address(q, field - offsetof(struct virtio_pci_common, queue_desc), size,
			    value);
		break;
	}
}

static uint16_t checked_vector(uint64_t value)
{
	return value < VIRTIO_MSIX_COUNT ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
}

static void common_write(struct virtio_device *dev, uint32_t field, unsigned size,
			 uint64_t value)
{
	struct virtq *q = selected_queue(dev);

	switch (field) {
	case offsetof(struct virtio_pci_common, device_feature_select):
		dev->regs.device_feature_select = (uint32_t)value;
		break;
	case offsetof(struct virtio_pci_common, driver_feature_select):
		dev->regs.driver_feature_select = (uint32_t)value;
		break;
	case offsetof(struct virtio_pci_common, driver_feature):
		accept_features(dev, (uint32_t)value);
		break;
	case offsetof(struct virtio_pci_common, config_msix_vector):
		dev->regs.config_msix_vector = checked_vector(value);
		break;
	case offsetof(struct virtio_pci_common, device_status):
		set_status(dev, (uint8_t)value);
		break;
	case offsetof(struct virtio_pci_common, queue_select):
		dev->regs.queue_select = (uint16_t)value;
		break;
	case offsetof(struct virtio_pci_common, queue_msix_vector):
		if (q != NULL)
			q->msix_vector = checked_vector(value);
		break;
	default:
		queue_write(dev, field, size, value);
		break;
	}
}

/* The structure as the driver sees it now; reads of any size and offset come out of it. */
static void common_snapshot(struct virtio_device *dev, struct virtio_pci_common *c)
{
	const struct virtq *q = selected_queue(dev);

	*c = dev->regs;
	if (c->device_feature_select <= 1)
		c->device_feature = (uint32_t)(OFFERED >> (32 * c->device_feature_select));
	if (c->driver_feature_select <= 1)
		c->driver_feature =
			(uint32_t)(dev->accepted >> (32 * c->driver_feature_select));
	if (q == NULL)
		return;
	c->queue_size = q->size;
	c->queue_msix_vector = q->msix_vector;
	c->queue_enable = q->is_enabled;
	c->queue_notify_off = c->queue_select;
	c->queue_desc = q->desc;
	c->queue_driver = q->avail;
	c->queue_device = q->used;
}

/* The BAR */

static uint64_t bytes_at(const void *from, uint32_t length, uint32_t offset, unsigned size)
{
	uint64_t value = 0;

	if (offset + size <= length)
		memcpy(&value, (const char *)from + offset, size);
	return value;
}

static uint64_t bar_read(struct pci_device *pci, uint32_t offset, unsigned size)
{
	struct virtio_device *dev = virtio_of(pci);

	if (is_within(offset, AT_COMMON, sizeof(struct virtio_pci_common))) {
		struct virtio_pci_common c;

		common_snapshot(dev, &c);
		return bytes_at(&c, sizeof(c), offset - AT_COMMON, size);
	}
	if (offset == AT_ISR) { /* read to clear */
		uint8_t isr = dev->isr;

		dev->isr = 0;
		return isr;
	}
	if (is_within(offset, AT_TABLE, TABLE_SIZE))
		return bytes_at(dev->msix, TABLE_SIZE, offset - AT_TABLE, size);
	if (offset == AT_PBA)
		return dev->msix_pending;
	return 0;
}

static void table_write(struct virtio_device *dev, uint32_t offset, unsigned size,
			uint64_t value)
{
	if (size < 4 || offset % 4 != 0 || offset + size > TABLE_SIZE)
		return;
	memcpy((char *)dev->msix + offset, &value, size);
	signal_pending(dev);
}

static void bar_write(struct pci_device *pci, uint32_t offset, unsigned size, uint64_t value)
{
	struct virtio_device *dev = virtio_of(pci);

	if (is_within(offset, AT_COMMON, sizeof(struct virtio_pci_common))) {
		common_write(dev, offset - AT_COMMON, size, value);
	} else if (is_within(offset, AT_NOTIFY, NOTIFY_STRIDE * VIRTIO_MAX_QUEUES)) {
		unsigned index = (offset - AT_NOTIFY) / NOTIFY_STRIDE;

		if (virtio_queue_is_live(dev, index))
			dev->ops->notify(dev, index);
	} else if (is_within(offset, AT_TABLE, TABLE_SIZE)) {
		table_write(dev, offset - AT_TABLE, size, value);
	}
}

static void config_written(struct pci_device *pci) { signal_pending(virtio_of(pci)); }

/* Set-up */

static void add_structure(struct pci_device *pci, uint8_t type, uint32_t at, uint32_t size)
{
	bool is_notify = type == VIRTIO_PCI_CAP_NOTIFY_CFG;
	uint8_t length = is_notify ? VIRTIO_PCI_NOTIFY_CAP_SIZE : sizeof(struct virtio_pci_cap);
	uint8_t cap = pci_add_capability(pci, PCI_CAP_VENDOR, length);

	pci_config_set(pci, cap + offsetof(struct virtio_pci_cap, length), 1, length);
	pci_config_set(pci, cap + offsetof(struct virtio_pci_cap, type), 1, type);
	pci_config_set(pci, cap + offsetof(struct virtio_pci_cap, offset), 4, at);
	pci_config_set(pci, cap + offsetof(struct virtio_pci_cap, size), 4, size);
	if (is_notify)
		pci_config_set(pci, cap + sizeof(struct virtio_pci_cap), 4, NOTIFY_STRIDE);
}

static void add_msix(struct virtio_device *dev)
{
	uint8_t cap = pci_add_capability(&dev->pci, PCI_CAP_MSIX, PCI_MSIX_CAP_SIZE);

	pci_config_set(&dev->pci, cap + PCI_MSIX_CONTROL, 2, VIRTIO_MSIX_COUNT - 1);
	pci_config_set(&dev->pci, cap + PCI_MSIX_TABLE, 4, AT_TABLE);
	pci_config_set(&dev->pci, cap + PCI_MSIX_PBA, 4, AT_PBA);
	dev->pci.writable[cap + PCI_MSIX_CONTROL + 1] =
		(PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK) >> 8;
	dev->msix_cap = cap;
	for (unsigned i = 0; i < VIRTIO_MSIX_COUNT; i++)
		dev->msix[i].control = PCI_MSIX_ENTRY_MASKED;
}

void virtio_pci_init(struct virtio_device *dev, const struct pci_identity *id, uint32_t bar)
{
	static const struct pci_device_ops ops = {
		.bar_read = bar_read,
		.bar_write = bar_write,
		.config_written = config_written,
	};

	pci_device_init(&dev->pci, id, bar, VIRTIO_BAR_SIZE);
	dev->pci.ops = &ops;
	add_structure(&dev->pci, VIRTIO_PCI_CAP_COMMON_CFG, AT_COMMON,
		      sizeof(struct virtio_pci_common));
	add_structure(&dev->pci, VIRTIO_PCI_CAP_ISR_CFG, AT_ISR, ISR_SIZE);
	add_structure(&dev->pci, VIRTIO_PCI_CAP_DEVICE_CFG, AT_DEVICE, DEVICE_SIZE);
	add_structure(&dev->pci, VIRTIO_PCI_CAP_NOTIFY_CFG, AT_NOTIFY,
		      NOTIFY_STRIDE * VIRTIO_MAX_QUEUES);
	add_msix(dev);
	reset(dev);
}
