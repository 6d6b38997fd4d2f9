/* SPDX-License-Identifier: MIT */
/* Frames that a living TD gave up, until its key is out of their cache lines. */
#define LOG_TAG "tdx"

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "mm/heap.h"
#include "tdx/keyid.h"
#include "tdx/td_private.h"

/* Of td_write_back()'s budget: a frame that only has to be reset. */
#define RESET_COST 16U

/* Below that nobody asks how large the caches are. */
#define MIN_WBINVD_BYTES SIZE_2M

struct td_returned {
	struct td_returned *next;
	hpa_t frame;
	uint64_t size, written; /* bytes, 4K multiples */
};

struct td_returned *td_returned_alloc(void) { return heap_alloc(sizeof(struct td_returned)); }

void td_returned_free(struct td_returned *r) { heap_free(r, sizeof(*r)); }

static void push(struct td *td, struct td_returned *r)
{
	spin_lock(&td->returned_lock);
	r->next = td->returned;
	td->returned = r;
	spin_unlock(&td->returned_lock);
}

static struct td_returned *pop(struct td *td)
{
	struct td_returned *r;

	spin_lock(&td->returned_lock);
	r = td->returned;
	if (r)
		td->returned = r->next;
	spin_unlock(&td->returned_lock);
	return r;
}

void td_returned_put(struct td *td, struct td_returned *r, struct sept_slot slot,
		     mirror_entry_t e)
{
	*r = (struct td_returned){.frame = mirror_frame_of(e), .size = PAGE_SIZE};
	if (mirror_is_leaf(e))
		r->size = level_size(slot.level);
	else /* until its lines are written back it is memory of the TD like any other */
		frame_set_owner(r->frame, r->size, FRAME_TD_PRIVATE);
	atomic_fetch_add(&td->unwritten_bytes, r->size);
	atomic_fetch_add(&td->returned_bytes, r->size);
	push(td, r);
}

static void note_written(struct td *td, struct td_returned *r, uint64_t written)
{
	atomic_fetch_sub(&td->unwritten_bytes, written - r->written);
	r->written = written;
}

static void finish(struct td *td, struct td_returned *r, bool is_clean)
{
	note_written(td, r, r->size);
	atomic_fetch_sub(&td->returned_bytes, r->size);
	if (is_clean)
		td_frame_return(r->frame, r->size);
	else
		td_frame_quarantine(td, r->frame, r->size, "write-back");
	heap_free(r, sizeof(*r));
}

/* ---- Page by page ---- */

/* STATUS_OK also when the frame went to quarantine: it is off the list. */
static enum status write_back_one(struct td *td, struct td_returned *r, unsigned *budget)
{
	/* To reset a frame costs, too, even if nothing has to be written back. */
	if (r->written == r->size)
		*budget -= *budget < RESET_COST ? *budget : RESET_COST;
	while (r->written < r->size) {
		tdx_status_t s;

		if (*budget == 0) {
			push(td, r);
			return STATUS_OK;
		}
		--*budget;
		s = tdh_phymem_page_wbinvd(
			td, keyid_address(hpa_add(r->frame, r->written), td->hkid));
		atomic_fetch_add_explicit(&td->page_wbinvds, 1, memory_order_relaxed);
		if (tdx_is_error(s) && td_status_of(s) == STATUS_BUSY) {
			push(td, r);
			return STATUS_BUSY;
		}
		if (tdx_is_error(s)) {
			finish(td, r, false);
			return STATUS_OK;
		}
		note_written(td, r, r->written + PAGE_SIZE);
	}
	finish(td, r, true);
	return STATUS_OK;
}

static enum status write_back(struct td *td, unsigned budget)
{
	struct td_returned *r;
	enum status s = STATUS_OK;

	/* Once the KeyID is on its way back, CACHE.WB does the work. */
	while (td->key_stage == TD_KEY_ASSIGNED && budget > 0 && !s && (r = pop(td)) != NULL)
		s = write_back_one(td, r, &budget);
	return s;
}

enum status td_returned_collect(struct td *td)
{
	unsigned budget = UINT32_MAX;
	struct td_returned *r = td->key_stage == TD_KEY_ASSIGNED ? pop(td) : NULL;

	return r ? write_back_one(td, r, &budget) : STATUS_NO_MEMORY;
}

/* ---- All at once ---- */

/* The last-level caches of all packages, by CPUID(4). */
static uint64_t cache_bytes(void)
{
	uint64_t most = 0;
	struct cpuid_regs r;

	for (uint32_t i = 0; (r = hw_cpuid(4, i)).eax & 0x1f; i++) {
		uint64_t ways = (r.ebx >> 22) + 1;
		uint64_t partitions = (r.ebx >> 12 & 0x3ff) + 1;
		uint64_t line = (r.ebx & 0xfff) + 1;
		uint64_t bytes = ways * partitions * line * (r.ecx + UINT64_C(1));

		most = bytes > most ? bytes : most;
	}
	return most * package_count;
}

/*
 * Beyond what the caches hold PAGE.WBINVD mostly finds nothing, and the number of calls knows
 * no bound; WBINVD costs no more than a full cache.
 */
static bool wants_wbinvd(const struct td *td)
{
	uint64_t bytes = atomic_load(&td->unwritten_bytes);

	return bytes > MIN_WBINVD_BYTES && bytes > cache_bytes();
}

static void wbinvd(void *arg)
{
	(void)arg;
	hw_wbinvd();
}

/* Takes all frames off the list first: what comes meanwhile is not written back for sure. */
static void write_back_caches(struct td *td)
{
	struct td_returned *list;
	struct td_returned *next;

	spin_lock(&td->returned_lock);
	list = td->returned;
	td->returned = NULL;
	spin_unlock(&td->returned_lock);
	for (struct td_returned *r = list; r; r = r->next)
		note_written(td, r, r->size);
	oncpu_each_package(wbinvd, NULL);
	atomic_fetch_add_explicit(&td->wbinvds, 1, memory_order_relaxed);
	for (struct td_returned *r = list; r; r = next) {
		next = r->next;
		push(td, r);
	}
}

enum status td_write_back(struct td *td, unsigned budget, bool *done)
{
	enum status s;

	if (td->key_stage == TD_KEY_ASSIGNED && wants_wbinvd(td))
		write_back_caches(td);
	s = write_back(td, budget);
	*done = atomic_load(&td->returned_bytes) == 0;
	return s;
}

void td_returned_end(struct td *td)
{
	struct td_returned *r;

	while ((r = pop(td)) != NULL)
		finish(td, r, td->key_stage == TD_KEY_FREED);
}
