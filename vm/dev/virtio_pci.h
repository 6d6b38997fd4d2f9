/* SPDX-License-Identifier: MIT */
/*
 * Modern virtio over PCI (VIRTIO 1.2, 4.1): VERSION_1 and ACCESS_PLATFORM, split rings,
 * MSI-X. A driver's mistake sets DEVICE_NEEDS_RESET and nothing else. The caller holds the
 * TD's device lock around every call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vm/dev/pci.h"
#include "vm/dev/virtq.h"
#include "vm/shared_mem.h"

#define VIRTIO_MAX_QUEUES 2
#define VIRTIO_MSIX_COUNT (VIRTIO_MAX_QUEUES + 1)
#define VIRTIO_BAR_SIZE   0x4000U

struct virtio_device;

struct virtio_ops {
	/* The driver notified queue `index`, which is enabled. */
	void (*notify)(struct virtio_device *dev, unsigned index);
	/* The driver reset the device; queues are gone. */
	void (*reset)(struct virtio_device *dev);
};

/* Delivers one MSI: what the device writes and where. */
struct msi_sink {
	void (*deliver)(void *ctx, uint64_t address, uint32_t data);
	void *ctx;
};

struct virtio_device {
	struct pci_device pci; /* first: the PCI root knows it as this */
	const struct virtio_ops *ops;
	struct shared_mem *mem;
	struct msi_sink msi;
	uint64_t accepted; /* features */
	/* What the driver wrote; the registers that others select are made when it reads. */
	struct virtio_pci_common regs;
	uint8_t isr;
	uint8_t msix_cap;
	uint8_t msix_pending;
	struct virtq queue[VIRTIO_MAX_QUEUES];
	struct pci_msix_entry msix[VIRTIO_MSIX_COUNT];
};

/*
 * *dev zeroed; it keeps `ops`, `mem` and the sink. Its BAR starts out at `bar`; it has
 * VIRTIO_MAX_QUEUES queues.
 */
void virtio_pci_init(struct virtio_device *dev, const struct pci_identity *id, uint32_t bar);

/* Is the queue enabled and the driver running? */
bool virtio_queue_is_live(const struct virtio_device *dev, unsigned index);

/* Interrupts the driver for queue `index`, unless it asked not to be. */
void virtio_interrupt(struct virtio_device *dev, unsigned index);

/* The driver broke a rule: no queue is served until it resets the device. */
void virtio_broken(struct virtio_device *dev);

/* The shared memory goes away: no queue is served any more. */
void virtio_pci_stop(struct virtio_device *dev);
