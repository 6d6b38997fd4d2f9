/* SPDX-License-Identifier: MIT */
#include "vm/dev/virtio_console.h"

#include "guest-abi/virtio.h"

/* Simple communication controller, other. */
#define CLASS_COMMUNICATION 0x07
#define SUBCLASS_OTHER      0x80

/* A driver that sends more in one chain is broken; Linux stays below 32 KiB. */
#define CHAIN_BYTES_MAX 65536U

#define COPY_SIZE 256U

STATIC_ASSERT(VIRTIO_CONSOLE_QUEUES == VIRTIO_MAX_QUEUES, "both queues are there");

static uint32_t ring_used(const struct byte_ring *r) { return r->head - r->tail; }
static uint32_t ring_room(const struct byte_ring *r) { return r->size - ring_used(r); }

static void ring_put(struct byte_ring *r, const char *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		r->bytes[r->head++ % r->size] = from[i];
	if (ring_used(r) > r->size)
		r->tail = r->head - r->size;
}

static size_t ring_get(struct byte_ring *r, char *to, size_t size)
{
	size_t n = 0;

	while (n < size && r->tail != r->head)
		to[n++] = r->bytes[r->tail++ % r->size];
	return n;
}

static struct virtio_console *console_of(struct virtio_device *dev)
{
	return (void *)((char *)dev - offsetof(struct virtio_console, virtio));
}

/* One descriptor's bytes, in pieces; *total grows by them. */
static bool take_output(struct virtio_console *con, const struct virtq_desc *d, uint32_t *total)
{
	char piece[COPY_SIZE];

	if (d->len > CHAIN_BYTES_MAX - *total)
		return false;
	for (uint32_t n, done = 0; done < d->len; done += n) {
		n = d->len - done < COPY_SIZE ? d->len - done : COPY_SIZE;
		if (!shared_mem_read(con->virtio.mem, d->addr + done, piece, n))
			return false;
		ring_put(&con->out, piece, n);
	}
	*total += d->len;
	return true;
}

/* Moves waiting input into one descriptor; *total grows by what went in. */
static bool give_input(struct virtio_console *con, const struct virtq_desc *d, uint32_t *total)
{
	uint64_t at = d->addr;
	uint32_t room = d->len;

	while (room > 0 && ring_used(&con->in) > 0) {
		char piece[COPY_SIZE];
		size_t n = ring_get(&con->in, piece, room < COPY_SIZE ? room : COPY_SIZE);

		if (!shared_mem_write(con->virtio.mem, at, piece, n))
			return false;
		at += n;
		room -= (uint32_t)n;
		*total += (uint32_t)n;
	}
	return true;
}

/*
 * All output of one chain goes into the ring. Linux sends at most a page at a time, for which
 * can_pump() keeps room while somebody reads; of a longer one the ring keeps the end.
 */
static enum virtq_result serve_chain(struct virtio_console *con, struct virtq *q,
				     struct virtq_chain *chain, bool is_input)
{
	uint32_t total = 0;
	struct virtq_desc d;
	enum virtq_result r;

	while ((r = virtq_chain_next(q, con->virtio.mem, chain, &d)) == VIRTQ_OK) {
		if (((d.flags & VIRTQ_DESC_F_WRITE) != 0) != is_input)
			return VIRTQ_BROKEN;
		if (!(is_input ? give_input : take_output)(con, &d, &total))
			return VIRTQ_BROKEN;
	}
	if (r != VIRTQ_END)
		return VIRTQ_BROKEN;
	return virtq_push(q, con->virtio.mem, chain, is_input ? total : 0);
}

/* With a reader attached, output waits until its ring is half empty. */
static bool can_pump(const struct virtio_console *con, unsigned index)
{
	if (index == VIRTIO_CONSOLE_RX)
		return ring_used(&con->in) > 0;
	return !con->is_read || ring_room(&con->out) >= CONSOLE_OUT_SIZE / 2;
}

/*
 * Serves a queue. Each call takes at most twice the queue's size, so that another vCPU that
 * refills it cannot hold the host here.
 */
static void pump(struct virtio_device *dev, unsigned index)
{
	struct virtio_console *con = console_of(dev);
	struct virtq *q = &dev->queue[index];
	enum virtq_result r = VIRTQ_OK;
	unsigned served = 0;

	if (!virtio_queue_is_live(dev, index))
		return;
	while (served < 2U * q->size && can_pump(con, index)) {
		struct virtq_chain chain;

		r = virtq_pop(q, dev->mem, &chain);
		if (r == VIRTQ_OK)
			r = serve_chain(con, q, &chain, index == VIRTIO_CONSOLE_RX);
		if (r != VIRTQ_OK)
			break;
		served++;
	}
	if (r == VIRTQ_BROKEN)
		virtio_broken(dev);
	else if (served > 0)
		virtio_interrupt(dev, index);
}

/* What was typed for the driver before is of no use to the next one. */
static void reset(struct virtio_device *dev)
{
	struct virtio_console *con = console_of(dev);

	con->in.tail = con->in.head;
}

void virtio_console_init(struct virtio_console *con, uint32_t bar)
{
	static const struct virtio_ops ops = {.notify = pump, .reset = reset};
	static const struct pci_identity id = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = VIRTIO_PCI_DEVICE(VIRTIO_ID_CONSOLE),
		.class_base = CLASS_COMMUNICATION,
		.class_sub = SUBCLASS_OTHER,
		.revision = 1,
	};

	con->out = (struct byte_ring){.bytes = con->out_bytes, .size = CONSOLE_OUT_SIZE};
	con->in = (struct byte_ring){.bytes = con->in_bytes, .size = CONSOLE_IN_SIZE};
	con->virtio.ops = &ops;
	virtio_pci_init(&con->virtio, &id, bar);
}

void virtio_console_set_reader(struct virtio_console *con, bool is_read)
{
	con->is_read = is_read;
	pump(&con->virtio, VIRTIO_CONSOLE_TX);
}

size_t virtio_console_read(struct virtio_console *con, char *to, size_t size)
{
	size_t n = ring_get(&con->out, to, size);

	if (n > 0)
		pump(&con->virtio, VIRTIO_CONSOLE_TX);
	return n;
}

void virtio_console_put(struct virtio_console *con, char c) { ring_put(&con->out, &c, 1); }

void virtio_console_type(struct virtio_console *con, char c)
{
	if (ring_room(&con->in) > 0)
		ring_put(&con->in, &c, 1);
	pump(&con->virtio, VIRTIO_CONSOLE_RX);
}

bool virtio_console_has_output(const struct virtio_console *con)
{
	return ring_used(&con->out) > 0;
}
