/* SPDX-License-Identifier: MIT */
/* A virtio console behind a PCI root, with a driver's side of its rings, for tests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest-abi/tdboot.h"
#include "vm/dev/virtio_console.h"

#define MACHINE_RAM        UINT64_C(0x100000) /* shared RAM lies here... */
#define MACHINE_RAM_SIZE   UINT64_C(0x10000)  /* ...this much of it */
#define MACHINE_BAR        TD_PCI_MMIO_BASE
#define MACHINE_QUEUE_SIZE 8U

struct machine {
	struct shared_mem mem;
	struct pci_root pci;
	struct virtio_console con;
	unsigned interrupts;
	uint64_t msi_address;
	uint32_t msi_data;
	uint16_t avail[VIRTIO_CONSOLE_QUEUES];
};

/* The one machine of a test, powered on, nothing negotiated. */
struct machine *machine_new(void);

uint64_t machine_read(struct machine *m, uint64_t offset, unsigned size);
void machine_write(struct machine *m, uint64_t offset, unsigned size, uint64_t value);

/* A driver's start: features, MSI-X vectors 0x41 (receive) and 0x42 (transmit), rings,
 * DRIVER_OK. */
void machine_start_driver(struct machine *m);

/* Where queue `q` has its descriptors, and buffers for tests lie. */
uint64_t machine_desc(unsigned q);
uint64_t machine_avail(unsigned q);
uint64_t machine_used(unsigned q);
#define MACHINE_BUFFER (MACHINE_RAM + 0x8000)

void machine_set_desc(struct machine *m, unsigned q, unsigned i, struct virtq_desc d);
/* Makes the chain at `head` available and notifies. */
void machine_offer(struct machine *m, unsigned q, uint16_t head);
uint16_t machine_used_index(struct machine *m, unsigned q);
void machine_put(struct machine *m, uint64_t at, const void *bytes, size_t size);
void machine_get(struct machine *m, uint64_t at, void *bytes, size_t size);
