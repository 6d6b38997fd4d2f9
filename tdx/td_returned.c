/* SPDX-License-Identifier: MIT */
/* Frames that a living TD gave up, until its key is out of their cache lines. */
#define LOG_TAG "tdx"

#include "core/log.h"
#include "mm/heap.h"
#include "tdx/keyid.h"
#include "tdx/td_private.h"

struct td_returned {
	struct td_returned *next;
	hpa_t frame;
	uint64_t size, written; /* bytes, 4K multiples */
};

struct td_returned *td_returned_alloc(void) { return heap_alloc(sizeof(struct td_returned)); }

void td_returned_free(struct td_returned *r) { heap_free(r); }

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

void td_returned_put(struct td *td, struct td_returned *r, hpa_t frame, uint64_t size)
{
	*r = (struct td_returned){.frame = frame, .size = size};
	atomic_fetch_add(&td->returned_bytes, size);
	push(td, r);
}

static void finish(struct td *td, struct td_returned *r, bool is_clean)
{
	atomic_fetch_sub(&td->returned_bytes, r->size);
	if (is_clean)
		td_frame_return(r->frame, r->size);
	else
		td_frame_quarantine(td, r->frame, r->size, "write-back");
	heap_free(r);
}

static tdx_status_t wbinvd(struct td *td, hpa_t page)
{
	struct tdx_retry retry = {0};
	tdx_status_t s;

	do {
		s = tdh_phymem_page_wbinvd(keyid_address(page, td->hkid));
	} while (td_retry(td, &retry, s));
	return s;
}

/* STATUS_OK also when the frame went to quarantine: it is off the list. */
static enum status write_back_one(struct td *td, struct td_returned *r, unsigned *budget)
{
	while (r->written < r->size) {
		tdx_status_t s;

		if (*budget == 0) {
			push(td, r);
			return STATUS_OK;
		}
		--*budget;
		s = wbinvd(td, hpa_add(r->frame, r->written));
		if (tdx_is_error(s) && td_status_of(s) == STATUS_BUSY) {
			push(td, r);
			return STATUS_BUSY;
		}
		if (tdx_is_error(s)) {
			finish(td, r, false);
			return STATUS_OK;
		}
		r->written += PAGE_SIZE;
	}
	finish(td, r, true);
	return STATUS_OK;
}

enum status td_write_back(struct td *td, unsigned budget, bool *done)
{
	struct td_returned *r;
	enum status s = STATUS_OK;

	/* Once the KeyID is on its way back, CACHE.WB does the work. */
	while (td->key_stage == TD_KEY_ASSIGNED && budget > 0 && !s && (r = pop(td)) != NULL)
		s = write_back_one(td, r, &budget);
	*done = atomic_load(&td->returned_bytes) == 0;
	return s;
}

void td_returned_end(struct td *td)
{
	struct td_returned *r;

	while ((r = pop(td)) != NULL)
		finish(td, r, td->key_stage == TD_KEY_FREED);
}
