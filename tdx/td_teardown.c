/* SPDX-License-Identifier: MIT */
/* The end of a TD: its KeyID first, then every page, the TDR last. */
#define LOG_TAG "tdx"

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "tdx/keyid.h"
#include "tdx/td_private.h"

/* CACHE.WB comes back once per interrupt; more than this is no cache any more. */
#define MAX_CACHE_WB_STEPS 100000

/* A KeyID that was flushed after another TD's CACHE.WB began needs a cycle of its own. */
#define MAX_FREEID_ROUNDS 4

/* ---- KeyID ---- */

/* What stays associated is found by VPFLUSHDONE. */
static void flush_vcpu(void *arg)
{
	struct td_vcpu *vcpu = arg;

	if (td_vcpu_flush(vcpu))
		log_error("TD %s: vCPU %u is not flushed", vcpu->td->name, vcpu->index);
}

static void flush_vcpus(struct td *td, bool everywhere)
{
	for (unsigned i = 0; i < td->vcpu_count; i++)
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			if (everywhere || atomic_load(&td->vcpus[i]->assoc_cpu) == (int)cpu)
				oncpu_run(cpu, flush_vcpu, td->vcpus[i]);
}

static enum status end_vcpus(struct td *td)
{
	bool everywhere = false;
	tdx_status_t s;

	do {
		flush_vcpus(td, everywhere);
		s = tdh_mng_vpflushdone(td);
		/* A vCPU is associated where our books do not have it? Ask every CPU, once. */
		everywhere = !everywhere;
	} while (everywhere && tdx_code(s) == TDX_FLUSHVP_NOT_DONE);
	if (!tdx_is_error(s))
		return STATUS_OK;
	td_log_failure(td, "end of vCPUs");
	return tdx_code(s) == TDX_FLUSHVP_NOT_DONE ? STATUS_BUSY : td_status_of(s);
}

static void write_back_cache(void *arg)
{
	struct td *td = arg;
	uint64_t step = TDX_CACHE_WB_START;
	tdx_status_t s;

	for (unsigned i = 0; i < MAX_CACHE_WB_STEPS; i++) {
		s = tdh_phymem_cache_wb(td, step);
		if (tdx_code(s) == TDX_INTERRUPTED_RESUMABLE)
			step = TDX_CACHE_WB_RESUME;
		else if (tdx_code(s) == TDX_WBCACHE_RESUME_ERROR && step == TDX_CACHE_WB_RESUME)
			step = TDX_CACHE_WB_START; /* another TD's cycle on this package ended
						      ours */
		else
			break;
	}
	if (tdx_is_error(s)) /* FREEID will say so */
		td_log_failure(td, "cache write-back");
}

static enum status write_back_and_free(struct td *td)
{
	tdx_status_t s;

	for (unsigned round = 0; round < MAX_FREEID_ROUNDS; round++) {
		oncpu_each_package(write_back_cache, td);
		s = tdh_mng_key_freeid(td);
		if (!tdx_is_error(s))
			return STATUS_OK;
		if (tdx_code(s) != TDX_WBCACHE_NOT_COMPLETE)
			break;
	}
	td_log_failure(td, "KeyID release");
	return tdx_code(s) == TDX_WBCACHE_NOT_COMPLETE ? STATUS_BUSY : td_status_of(s);
}

/* ---- From the KeyID to the pages ---- */

static uint64_t unit_count(const struct td *td)
{
	return align_up(td->params.ram_high_end.raw, SIZE_2M) / SIZE_2M;
}

/* Freed or lost: from here on td_reclaim() may be called. */
static void end_key(struct td *td, enum td_key_stage stage)
{
	uint64_t total = atomic_load(&td->sept.table_count) + td->tdcx_count + 1;

	for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++)
		total += atomic_load(&td->sept.leaf_count[l]);
	for (unsigned i = 0; i < td->vcpu_count; i++)
		total += td->vcpus[i]->tdcx_count + 1U;
	td->key_stage = stage;
	td_returned_end(td);
	atomic_store(&td->teardown_total, total);
	atomic_store(&td->reclaim.units_left, unit_count(td));
}

void td_lose_key(struct td *td)
{
	log_error("TD %s: KeyID %u cannot be released and is lost until the next boot",
		  td->name, td->hkid);
	end_key(td, TD_KEY_LOST);
}

enum status td_release_keyid(struct td *td)
{
	enum status s = STATUS_OK;

	atomic_store(&td->is_dead, true);
	if (td->key_stage == TD_KEY_ASSIGNED) {
		s = end_vcpus(td);
		if (!s)
			td->key_stage = TD_KEY_FLUSHED;
	}
	if (td->key_stage == TD_KEY_FLUSHED) {
		s = write_back_and_free(td);
		if (!s) {
			keyid_free(td->hkid);
			end_key(td, TD_KEY_FREED);
		}
	}
	if (s == STATUS_BUSY)
		return s;
	if (s)
		td_lose_key(td);
	return td->key_stage == TD_KEY_LOST ? STATUS_HW_FAULT : STATUS_OK;
}

/* ---- One page ---- */

/* False: it is quarantined. */
static bool take_back(struct td *td, hpa_t page, enum page_level level)
{
	atomic_fetch_add_explicit(&td->teardown_done, 1, memory_order_relaxed);
	if (td->key_stage == TD_KEY_LOST) {
		frame_set_owner(page, level_size(level), FRAME_QUARANTINED);
		atomic_fetch_add(&td->quarantined_bytes, level_size(level));
		return false;
	}
	if (!tdx_is_error(tdh_phymem_page_reclaim(td, page)))
		return true;
	td_frame_quarantine(td, page, level_size(level), "reclaim");
	return false;
}

/* CACHE.WB has written all lines back: a reclaimed page needs its contents reset, no more. */
static void reclaim(struct td *td, hpa_t page, enum page_level level)
{
	if (take_back(td, page, level))
		td_frame_return(page, level_size(level));
}

/* FREEID and RECLAIM wrote the TDR after the last CACHE.WB, under the module's own key. */
static void reclaim_tdr(struct td *td)
{
	hpa_t page = td->tdr.pa;

	td->tdr.pa = hpa(0);
	if (!take_back(td, page, LEVEL_4K))
		return;
	if (tdx_is_error(tdh_phymem_page_wbinvd(td, keyid_address(page, keyid_global()))))
		td_frame_quarantine(td, page, PAGE_SIZE, "TDR");
	else
		td_frame_return(page, PAGE_SIZE);
}

/* ---- The next page of something; false when there is none left ---- */

static bool reclaim_below(struct td *td, struct sept_node *node, enum page_level level);

/* The TD runs nowhere and this part of the tree is ours: no claim can fail. */
static bool reclaim_entry(struct td *td, struct sept_slot slot)
{
	mirror_entry_t e = sept_read(slot);
	bool is_table = mirror_is_table(e);

	if (mirror_state_of(e) == MIRROR_FREE)
		return false;
	if ((is_table && reclaim_below(td, sept_child(slot), slot.level - 1)) ||
	    sept_claim_alone(slot, e))
		return true;
	reclaim(td, mirror_frame_of(e), is_table ? LEVEL_4K : slot.level);
	if (is_table)
		sept_commit_no_table(&td->sept, slot);
	else
		sept_commit(&td->sept, slot, MIRROR_FREE_ENTRY);
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the Secure EPT */
static bool reclaim_below(struct td *td, struct sept_node *node, enum page_level level)
{
	for (unsigned i = 0; i < SEPT_ENTRIES; i++) {
		struct sept_slot slot = {.node = node, .index = i, .level = level};

		if (reclaim_entry(td, slot))
			return true;
	}
	return false;
}

/* From the list's end, so that the count says what is left. */
static bool reclaim_last(struct td *td, hpa_t *pages, unsigned *count)
{
	if (*count == 0)
		return false;
	reclaim(td, pages[--*count], LEVEL_4K);
	return true;
}

static bool reclaim_vcpu(struct td *td, struct td_vcpu *vcpu)
{
	if (reclaim_last(td, vcpu->tdcx, &vcpu->tdcx_count))
		return true;
	if (!vcpu->tdvpr.pa.raw)
		return false;
	reclaim(td, vcpu->tdvpr.pa, LEVEL_4K);
	vcpu->tdvpr.pa = hpa(0);
	return true;
}

/* What belongs to no unit: upper Secure EPT pages, vCPUs, the TD itself. */
static bool reclaim_rest(struct td *td)
{
	if (td->sept.root && reclaim_below(td, td->sept.root, LEVEL_512G))
		return true;
	for (unsigned i = 0; i < td->vcpu_count; i++)
		if (reclaim_vcpu(td, td->vcpus[i]))
			return true;
	if (reclaim_last(td, td->tdcx, &td->tdcx_count))
		return true;
	if (td->tdr.pa.raw) {
		reclaim_tdr(td);
		return true;
	}
	td->vcpu_count = 0;
	sept_mirror_destroy(&td->sept);
	gpa_map_destroy(&td->map);
	return false;
}

/* ---- Units ---- */

/* This CPU's own, a new one, or one that another CPU left. */
static bool take_unit(struct td *td, uint64_t *unit)
{
	struct td_reclaim *r = &td->reclaim;
	uint64_t left = atomic_exchange(&r->left[this_cpu()], 0);

	if (left == 0 && atomic_load(&r->next) < unit_count(td)) {
		*unit = atomic_fetch_add(&r->next, 1);
		if (*unit < unit_count(td))
			return true;
	}
	for (unsigned i = 0; i < cpu_count && left == 0; i++)
		left = atomic_exchange(&r->left[i], 0);
	*unit = left - 1;
	return left != 0;
}

/*
 * The unit's part of 1G: whoever comes first has the module give all of it back. The entry is
 * free then, and keeps the frame for the others, of whom each resets its own part. True when
 * that is done.
 */
static bool reclaim_part(struct td *td, struct sept_slot slot, gpa_t at)
{
	mirror_entry_t e = sept_read(slot);

	if (mirror_is_busy(e) || (mirror_is_leaf(e) && sept_claim_alone(slot, e)))
		return false;
	if (mirror_is_leaf(e)) {
		e = take_back(td, mirror_frame_of(e), LEVEL_1G)
			    ? mirror_entry(MIRROR_FREE, mirror_frame_of(e))
			    : MIRROR_FREE_ENTRY;
		sept_commit(&td->sept, slot, e);
	}
	if (mirror_frame_of(e).raw)
		td_frame_return(hpa_add(mirror_frame_of(e), at.raw - slot.base.raw), SIZE_2M);
	return true;
}

/* True when nothing of it is left. Nodes above 2M stay until all units are done: the walk
 * meets nobody. */
static bool reclaim_unit(struct td *td, uint64_t unit)
{
	gpa_t at = gpa(unit * SIZE_2M);
	struct sept_slot slot = sept_find(&td->sept, at, LEVEL_2M);

	if (slot.level == LEVEL_2M)
		return !reclaim_entry(td, slot);
	return slot.level != LEVEL_1G || mirror_is_table(sept_read(slot)) ||
	       reclaim_part(td, slot, at);
}

enum status td_reclaim(struct td *td, bool *done)
{
	struct td_reclaim *r = &td->reclaim;
	uint64_t unit;

	*done = false;
	if (td->key_stage == TD_KEY_ASSIGNED || td->key_stage == TD_KEY_FLUSHED)
		return STATUS_BAD_STATE;
	if (atomic_load(&r->units_left) > 0) {
		if (!take_unit(td, &unit))
			return STATUS_OK;
		if (reclaim_unit(td, unit))
			atomic_fetch_sub(&r->units_left, 1);
		else
			atomic_store(&r->left[this_cpu()], unit + 1);
	} else if (!atomic_flag_test_and_set(&r->is_busy)) {
		*done = !reclaim_rest(td);
		atomic_flag_clear(&r->is_busy);
	}
	return STATUS_OK;
}
