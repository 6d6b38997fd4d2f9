/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "core/hw.h"
#include "core/log.h"
#include "guest-abi/tdboot.h"
#include "mm/phys.h"
#include "tdx/td_private.h"
#include "tdx/tdmr_init.h"

void td_log_failure(const struct td *td, const char *what)
{
	char text[96];

	format(text, sizeof(text), "TD %s: %s", td->name, what);
	seamcall_log_last(LOG_ERROR, text);
}

enum status td_die(struct td *td, const char *what)
{
	td_log_failure(td, what);
	atomic_store(&td->is_dead, true);
	return STATUS_HW_FAULT;
}

enum status td_status_of(tdx_status_t s)
{
	return tdx_is_transient(s) ? STATUS_BUSY : STATUS_HW_FAULT;
}

enum status td_result(const struct td *td, tdx_status_t s, const char *what)
{
	if (!tdx_is_error(s))
		return STATUS_OK;
	td_log_failure(td, what);
	return td_status_of(s);
}

enum status td_fail(struct td *td, tdx_status_t s, const char *what)
{
	enum status st = td_status_of(s);

	return st == STATUS_BUSY ? st : td_die(td, what);
}

enum status td_frame_take(struct td *td, enum page_level level, enum frame_owner owner,
			  hpa_t *out)
{
	enum status s = frame_alloc(level, owner, out);

	/* vm_create() had enough initialised; other TDs may have taken it meanwhile. */
	while (s == STATUS_NO_MEMORY && tdmr_init_one_more())
		s = frame_alloc(level, owner, out);
	while (s == STATUS_NO_MEMORY && !(s = td_returned_collect(td)))
		s = frame_alloc(level, owner, out);
	return s;
}

void td_frame_return(hpa_t at, uint64_t size)
{
	hw_reset_lines(phys_ptr(at), size);
	frame_free_clean(at, size);
}

void td_frame_quarantine(struct td *td, hpa_t at, uint64_t size, const char *what)
{
	td_log_failure(td, what);
	log_error("TD %s: frame 0x%llx (%llu KiB) is in doubt and quarantined", td->name,
		  (unsigned long long)at.raw, (unsigned long long)(size / 1024));
	frame_set_owner(at, size, FRAME_QUARANTINED);
	atomic_fetch_add(&td->quarantined_bytes, size);
}

bool td_is_ram(const struct td *td, gpa_t at, uint64_t size)
{
	uint64_t end = at.raw + size;

	if (end < at.raw)
		return false;
	return end <= td->params.ram_low_end.raw ||
	       (at.raw >= TD_HIGH_RAM_BASE && end <= td->params.ram_high_end.raw);
}

bool td_is_unmapping(const struct td *td, gpa_t at, uint64_t size)
{
	uint64_t unmap_size = atomic_load(&td->unmap_size);
	uint64_t base = atomic_load(&td->unmap_base);

	return unmap_size != 0 && at.raw < base + unmap_size && base < at.raw + size;
}
