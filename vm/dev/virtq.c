/* SPDX-License-Identifier: MIT */
#include "vm/dev/virtq.h"

static bool read16(struct shared_mem *mem, uint64_t at, uint16_t *value)
{
	return shared_mem_read(mem, at, value, sizeof(*value));
}

/* Is a chain available? */
static enum virtq_result peek(const struct virtq *q, struct shared_mem *mem)
{
	uint16_t index;

	if (!read16(mem, q->avail + VIRTQ_RING_IDX, &index) ||
	    (uint16_t)(index - q->next_avail) > q->size)
		return VIRTQ_BROKEN;
	return index == q->next_avail ? VIRTQ_END : VIRTQ_OK;
}

enum virtq_result virtq_pop(struct virtq *q, struct shared_mem *mem, struct virtq_chain *chain)
{
	enum virtq_result r = peek(q, mem);
	uint64_t slot = q->avail + VIRTQ_RING_ENTRIES + UINT64_C(2) * (q->next_avail % q->size);
	uint16_t head;

	if (r != VIRTQ_OK)
		return r;
	/* The entry was written before the index that covers it. */
	atomic_thread_fence(memory_order_acquire);
	if (!read16(mem, slot, &head) || head >= q->size)
		return VIRTQ_BROKEN;
	q->next_avail++;
	*chain = (struct virtq_chain){.head = head, .next = head, .left = q->size};
	return VIRTQ_OK;
}

enum virtq_result virtq_chain_next(const struct virtq *q, struct shared_mem *mem,
				   struct virtq_chain *chain, struct virtq_desc *desc)
{
	if (chain->left == 0)
		return VIRTQ_END;
	if (chain->next >= q->size)
		return VIRTQ_BROKEN;
	if (!shared_mem_read(mem, q->desc + sizeof(*desc) * chain->next, desc, sizeof(*desc)))
		return VIRTQ_BROKEN;
	if ((desc->flags & VIRTQ_DESC_F_INDIRECT) != 0)
		return VIRTQ_BROKEN;
	if ((desc->flags & VIRTQ_DESC_F_NEXT) == 0) {
		chain->left = 0;
		return VIRTQ_OK;
	}
	chain->next = desc->next;
	/* More descriptors than the table has entries: the chain bites its own tail. */
	return --chain->left == 0 ? VIRTQ_BROKEN : VIRTQ_OK;
}

enum virtq_result virtq_push(struct virtq *q, struct shared_mem *mem,
			     const struct virtq_chain *chain, uint32_t written)
{
	struct virtq_used_elem elem = {.id = chain->head, .len = written};
	uint64_t slot = q->used + VIRTQ_RING_ENTRIES + sizeof(elem) * (q->next_used % q->size);
	uint16_t index = (uint16_t)(q->next_used + 1);

	if (!shared_mem_write(mem, slot, &elem, sizeof(elem)))
		return VIRTQ_BROKEN;
	/* The driver may look at the element as soon as it sees the index. */
	atomic_thread_fence(memory_order_release);
	if (!shared_mem_write(mem, q->used + VIRTQ_RING_IDX, &index, sizeof(index)))
		return VIRTQ_BROKEN;
	q->next_used = index;
	return VIRTQ_OK;
}

bool virtq_wants_interrupt(const struct virtq *q, struct shared_mem *mem)
{
	uint16_t flags;

	/* The driver clears the flag, then looks at the index; we wrote the index first. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!read16(mem, q->avail + VIRTQ_RING_FLAGS, &flags))
		return false;
	return (flags & VIRTQ_AVAIL_F_NO_INTERRUPT) == 0;
}

bool virtq_is_valid(const struct virtq *q)
{
	return q->size != 0 && q->size <= VIRTQ_MAX_SIZE && (q->size & (q->size - 1)) == 0 &&
	       q->desc % 16 == 0 && q->avail % 2 == 0 && q->used % 4 == 0;
}
