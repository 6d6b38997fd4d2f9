/* SPDX-License-Identifier: MIT */
/* Virtual I/O Device (VIRTIO) 1.2: device status, features, split rings, PCI transport,
 * console. */
#pragma once

#include <stdint.h>

#define VIRTIO_PCI_VENDOR     0x1af4
#define VIRTIO_PCI_DEVICE(id) (0x1040 + (id))
#define VIRTIO_ID_CONSOLE     3

/* 2.1 Device status field. */
#define VIRTIO_STATUS_ACKNOWLEDGE        0x01
#define VIRTIO_STATUS_DRIVER             0x02
#define VIRTIO_STATUS_DRIVER_OK          0x04
#define VIRTIO_STATUS_FEATURES_OK        0x08
#define VIRTIO_STATUS_DEVICE_NEEDS_RESET 0x40

/* 6 Reserved feature bits. */
#define VIRTIO_F_VERSION_1       (UINT64_C(1) << 32)
#define VIRTIO_F_ACCESS_PLATFORM (UINT64_C(1) << 33)

/* 2.7 Split virtqueues; all little endian. */
#define VIRTQ_DESC_F_NEXT          0x1
#define VIRTQ_DESC_F_WRITE         0x2
#define VIRTQ_DESC_F_INDIRECT      0x4
#define VIRTQ_AVAIL_F_NO_INTERRUPT 0x1

struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct virtq_used_elem {
	uint32_t id;
	uint32_t len;
};

/* Available ring: flags, idx, ring[size]. Used ring: flags, idx, elements[size]. */
#define VIRTQ_RING_FLAGS   0
#define VIRTQ_RING_IDX     2
#define VIRTQ_RING_ENTRIES 4

/* 4.1.4 Virtio structure PCI capabilities. */
enum {
	VIRTIO_PCI_CAP_COMMON_CFG = 1,
	VIRTIO_PCI_CAP_NOTIFY_CFG = 2,
	VIRTIO_PCI_CAP_ISR_CFG = 3,
	VIRTIO_PCI_CAP_DEVICE_CFG = 4,
};

struct virtio_pci_cap {
	uint8_t vendor; /* PCI_CAP_VENDOR */
	uint8_t next;
	uint8_t length; /* of this structure, and what follows it */
	uint8_t type;
	uint8_t bar;
	uint8_t id;
	uint8_t padding[2];
	uint32_t offset;
	uint32_t size;
};

/* The notify capability is followed by a u32, the multiplier of queue_notify_off. */
#define VIRTIO_PCI_NOTIFY_CAP_SIZE 20

/* 4.1.4.3 Common configuration structure. */
struct virtio_pci_common {
	uint32_t device_feature_select;
	uint32_t device_feature;
	uint32_t driver_feature_select;
	uint32_t driver_feature;
	uint16_t config_msix_vector;
	uint16_t num_queues;
	uint8_t device_status;
	uint8_t config_generation;
	uint16_t queue_select;
	uint16_t queue_size;
	uint16_t queue_msix_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_off;
	uint64_t queue_desc;
	uint64_t queue_driver;
	uint64_t queue_device;
};

#define VIRTIO_MSI_NO_VECTOR 0xffff

#define VIRTIO_ISR_QUEUE 0x1

/* 5.3 Console: queue numbers of port 0. */
enum { VIRTIO_CONSOLE_RX, VIRTIO_CONSOLE_TX, VIRTIO_CONSOLE_QUEUES };

_Static_assert(sizeof(struct virtq_desc) == 16, "descriptor layout");
_Static_assert(sizeof(struct virtq_used_elem) == 8, "used element layout");
_Static_assert(sizeof(struct virtio_pci_cap) == 16, "capability layout");
_Static_assert(sizeof(struct virtio_pci_common) == 56, "common configuration layout");
