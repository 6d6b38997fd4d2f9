/* SPDX-License-Identifier: MIT */
/*
 * virtio-console, one port, two queues. Output goes into a ring that remembers the last
 * CONSOLE_OUT_SIZE bytes while nobody reads, and makes the guest wait while somebody does. The
 * caller holds the TD's device lock around every call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "vm/dev/virtio_pci.h"

#define CONSOLE_OUT_SIZE 16384U
#define CONSOLE_IN_SIZE  1024U

/* Bytes between two free-running indices; the size is a power of two. */
struct byte_ring {
	char *bytes;
	uint32_t size;
	uint32_t head, tail; /* written, read */
};

struct virtio_console {
	struct virtio_device virtio; /* first */
	bool is_read;                /* attached: output waits rather than overwrites */
	struct byte_ring out, in;
	char out_bytes[CONSOLE_OUT_SIZE];
	char in_bytes[CONSOLE_IN_SIZE];
};

/* *con zeroed. */
void virtio_console_init(struct virtio_console *con, uint32_t bar);

/* Attaches or detaches the reader. */
void virtio_console_set_reader(struct virtio_console *con, bool is_read);

/* Takes up to `size` bytes of output; then lets the guest go on if it waited. */
size_t virtio_console_read(struct virtio_console *con, char *to, size_t size);

/* Output of another kind of port (the early serial console); what does not fit is lost. */
void virtio_console_put(struct virtio_console *con, char c);

/* Input; what does not fit is lost. */
void virtio_console_type(struct virtio_console *con, char c);

bool virtio_console_has_output(const struct virtio_console *con);
