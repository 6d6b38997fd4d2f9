/* SPDX-License-Identifier: MIT */
#include "vm/shared_mem.h"

#include "core/oncpu.h"
#include "core/panic.h"
#include "core/string.h"
#include "guest-abi/ghci.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"

enum status shared_mem_init(struct shared_mem *m)
{
	m->doomed = heap_alloc(SHARED_UNMAP_MAX * sizeof(*m->doomed));
	return m->doomed != NULL ? ept_init(&m->ept, TD_SHARED_BIT) : STATUS_NO_MEMORY;
}

static void invept_this_cpu(void *arg)
{
	(void)arg;
	vmx_invept_all();
}

/* Where the host can reach `at`, or NULL; *room is what is left of that page. */
static void *locate(const struct shared_mem *m, uint64_t at, uint64_t *room)
{
	gpa_t where = gpa(at & ~TD_SHARED_BIT);
	enum page_level level;
	hpa_t page;
	uint64_t offset;

	if (!ept_lookup(&m->ept, where, &page, &level))
		return NULL;
	offset = where.raw & (level_size(level) - 1);
	*room = level_size(level) - offset;
	return phys_ptr(hpa_add(page, offset));
}

/* Files are mapped for the TD to read; only its own RAM may be written on its behalf. */
static bool is_writable(const void *guest)
{
	return frame_owner_of(phys_of(guest)) == FRAME_SHARED;
}

/* Copies what does not leave its page, from the host or, if `from` is NULL, to it; 0 if it may
 * not. */
static size_t copy_piece(struct shared_mem *m, uint64_t at, void *to, const void *from,
			 size_t size)
{
	uint64_t room = 0;
	void *guest;

	spin_lock(&m->lock);
	guest = locate(m, at, &room);
	size = size < room ? size : (size_t)room;
	if (guest == NULL || (from != NULL && !is_writable(guest)))
		size = 0;
	else if (from != NULL)
		memcpy(guest, from, size);
	else
		memcpy(to, guest, size);
	spin_unlock(&m->lock);
	return size;
}

static bool copy(struct shared_mem *m, uint64_t at, char *to, const char *from, size_t size)
{
	uint64_t offset = at & ~TD_SHARED_BIT;

	ASSERT((to == NULL) != (from == NULL));
	if (offset >= TD_SHARED_BIT || size > TD_SHARED_BIT - offset)
		return false;
	for (size_t n, done = 0; done < size; done += n) {
		n = copy_piece(m, at + done, from == NULL ? to + done : NULL,
			       from != NULL ? from + done : NULL, size - done);
		if (n == 0)
			return false;
	}
	return true;
}

bool shared_mem_read(struct shared_mem *m, uint64_t at, void *to, size_t size)
{
	return copy(m, at, to, NULL, size);
}

bool shared_mem_write(struct shared_mem *m, uint64_t at, const void *from, size_t size)
{
	return copy(m, at, NULL, from, size);
}

enum status shared_mem_map_file(struct shared_mem *m, gpa_t at, hpa_t from, uint64_t size)
{
	enum status s = STATUS_OK;

	spin_lock(&m->lock);
	for (uint64_t done = 0; done < size && s == STATUS_OK; done += PAGE_SIZE)
		s = ept_map(&m->ept, gpa_add(at, done), hpa_add(from, done), LEVEL_4K,
			    EPT_READ);
	spin_unlock(&m->lock);
	return s;
}

enum status shared_mem_set_mmio(struct shared_mem *m, gpa_t at, uint64_t size)
{
	enum status s;

	spin_lock(&m->lock);
	s = ept_map_mmio(&m->ept, at, size);
	spin_unlock(&m->lock);
	return s;
}

/* A zeroed frame of `level` at `at`; STATUS_EXISTS when smaller pages are there already. */
static enum status back_page(struct shared_mem *m, gpa_t at, enum page_level level)
{
	hpa_t frame;
	enum status s = frame_alloc(level, FRAME_SHARED, &frame);

	if (s != STATUS_OK)
		return s;
	memset(phys_ptr(frame), 0, level_size(level));
	spin_lock(&m->lock);
	s = ept_map(&m->ept, at, frame, level, EPT_READ | EPT_WRITE);
	spin_unlock(&m->lock);
	if (s != STATUS_OK)
		frame_free(frame, level_size(level));
	else
		atomic_fetch_add(&m->bytes, level_size(level));
	return s;
}

uint64_t shared_mem_backed(struct shared_mem *m, gpa_t at)
{
	enum page_level level;
	hpa_t page;
	bool found;

	spin_lock(&m->lock);
	found = ept_lookup(&m->ept, at, &page, &level);
	spin_unlock(&m->lock);
	return found ? level_size(level) : 0;
}

/* Backs or skips the page at `at`; *step is how far that reaches. */
static enum status populate_step(struct shared_mem *m, gpa_t at, uint64_t left, uint64_t *step)
{
	*step = shared_mem_backed(m, at);
	if (*step != 0) {
		*step -= at.raw & (*step - 1);
		return STATUS_OK;
	}
	*step = SIZE_2M;
	if (gpa_aligned(at, SIZE_2M) && left >= SIZE_2M &&
	    back_page(m, at, LEVEL_2M) == STATUS_OK)
		return STATUS_OK;
	*step = SIZE_4K;
	return back_page(m, at, LEVEL_4K);
}

enum status shared_mem_populate(struct shared_mem *m, gpa_t at, uint64_t size)
{
	enum status s = STATUS_OK;

	for (uint64_t step, done = 0; done < size && s == STATUS_OK; done += step)
		s = populate_step(m, gpa_add(at, done), size - done, &step);
	return s;
}

/*
 * Makes a 2M mapping 512 of 4K. The one table needed is taken by the first of them, so
 * either that fails and the large page goes back in place, or all succeed.
 */
static enum status split_2m(struct shared_mem *m, gpa_t at, hpa_t frame)
{
	enum status s = STATUS_OK;

	for (uint64_t off = 0; off < SIZE_2M && s == STATUS_OK; off += SIZE_4K)
		s = ept_map(&m->ept, gpa_add(at, off), hpa_add(frame, off), LEVEL_4K,
			    EPT_READ | EPT_WRITE);
	if (s != STATUS_OK)
		(void)!ept_map(&m->ept, at, frame, LEVEL_2M, EPT_READ | EPT_WRITE);
	return s;
}

/*
 * Unmaps the page at `at`, splitting one that reaches outside [at, at+left). Files stay:
 * *frame is then left alone. STATUS_NOT_FOUND when nothing is mapped there.
 */
static enum status unmap_page(struct shared_mem *m, gpa_t at, uint64_t left, hpa_t *frame,
			      enum page_level *level)
{
	enum page_level found;
	hpa_t page;
	enum status s;

	if (!ept_lookup(&m->ept, at, &page, &found) || frame_owner_of(page) != FRAME_SHARED)
		return STATUS_NOT_FOUND;
	if (found == LEVEL_2M && (!gpa_aligned(at, SIZE_2M) || left < SIZE_2M)) {
		gpa_t base = gpa(align_down(at.raw, SIZE_2M));

		s = ept_unmap(&m->ept, base, &page, &found);
		if (s == STATUS_OK)
			s = split_2m(m, base, page);
		if (s != STATUS_OK)
			return s;
	}
	return ept_unmap(&m->ept, at, frame, level);
}

/* Unmaps into m->doomed; returns how many frames wait there. */
static unsigned collect(struct shared_mem *m, gpa_t at, uint64_t size, enum status *result)
{
	unsigned count = 0;
	uint64_t done = 0;

	*result = STATUS_OK;
	while (done < size && count < SHARED_UNMAP_MAX) {
		enum page_level level = LEVEL_4K;
		hpa_t frame;
		enum status s;

		spin_lock(&m->lock);
		s = unmap_page(m, gpa_add(at, done), size - done, &frame, &level);
		spin_unlock(&m->lock);
		if (s == STATUS_OK) {
			m->doomed[count++] = hpa(frame.raw | (uint64_t)level);
		} else if (s != STATUS_NOT_FOUND) {
			*result = s;
			break;
		}
		done += level_size(level);
	}
	return count;
}

enum status shared_mem_unmap(struct shared_mem *m, gpa_t at, uint64_t size)
{
	enum status result;
	unsigned count = collect(m, at, size, &result);

	/* No CPU may reach a frame that belongs to somebody else: first INVEPT, then free. */
	oncpu_each(invept_this_cpu, NULL);
	for (unsigned i = 0; i < count; i++) {
		uint64_t frame_size =
			level_size((enum page_level)(m->doomed[i].raw % PAGE_SIZE));

		frame_free(hpa(align_down(m->doomed[i].raw, PAGE_SIZE)), frame_size);
		atomic_fetch_sub(&m->bytes, frame_size);
	}
	return result;
}

void shared_mem_destroy(struct shared_mem *m)
{
	if (m->doomed == NULL)
		return;
	oncpu_each(invept_this_cpu, NULL);
	ept_destroy(&m->ept);
	atomic_store(&m->bytes, 0);
	heap_free(m->doomed, SHARED_UNMAP_MAX * sizeof(*m->doomed));
	m->doomed = NULL;
}
