/* SPDX-License-Identifier: MIT */
/* The end of a TD: its KeyID first, then every page, the TDR last. */
#define LOG_TAG "tdx"

#include "core/cpu.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "tdx/keyid.h"
#include "tdx/td_private.h"

/* CACHE.WB comes back once per interrupt; more than this is no cache any more. */
#define MAX_CACHE_WB_STEPS 100000

/* A KeyID that was flushed after another TD's CACHE.WB began needs a cycle of its own. */
#define MAX_FREEID_ROUNDS 4

/* Of td_reclaim()'s budget, in pages of 4K. */
#define LARGE_PAGE_COST 32

/* ---- KeyID ---- */

/* What stays associated is found by VPFLUSHDONE. */
static void flush_vcpu(void *arg)
{
	struct td_vcpu *vcpu = arg;

	if (td_vcpu_flush(vcpu))
		log_error("TD %s: vCPU %u is not flushed", vcpu->td->name, vcpu->index);
}

static void flush_vcpus(struct td *td)
{
	for (unsigned i = 0; i < td->vcpu_count; i++) {
		int cpu = atomic_load(&td->vcpus[i]->assoc_cpu);

		if (cpu >= 0)
			oncpu_run((unsigned)cpu, flush_vcpu, td->vcpus[i]);
	}
}

static void flush_all_here(void *arg)
{
	struct td *td = arg;

	for (unsigned i = 0; i < td->vcpu_count; i++)
		flush_vcpu(td->vcpus[i]);
}

static tdx_status_t vpflushdone(struct td *td)
{
	struct tdx_retry retry = {0};
	tdx_status_t s;

	do {
		s = tdh_mng_vpflushdone(td->tdr);
	} while (td_retry(td, &retry, s));
	return s;
}

static enum status end_vcpus(struct td *td)
{
	tdx_status_t s;

	flush_vcpus(td);
	s = vpflushdone(td);
	if (tdx_code(s) == TDX_FLUSHVP_NOT_DONE) {
		/* A vCPU is associated where our books do not have it: ask every CPU. */
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			oncpu_run(cpu, flush_all_here, td);
		s = vpflushdone(td);
	}
	if (!tdx_is_error(s))
		return STATUS_OK;
	td_log_failure(td, "end of vCPUs");
	return tdx_code(s) == TDX_FLUSHVP_NOT_DONE ? STATUS_BUSY : td_status_of(s);
}

struct cache_work {
	struct td *td;
	atomic_bool has_failed;
};

static void write_back_cache(void *arg)
{
	struct cache_work *work = arg;
	uint64_t step = TDX_CACHE_WB_START;
	tdx_status_t s;

	for (unsigned i = 0; i < MAX_CACHE_WB_STEPS; i++) {
		struct tdx_retry retry = {0};

		do {
			s = tdh_phymem_cache_wb(step);
		} while (td_retry(work->td, &retry, s));
		if (tdx_code(s) == TDX_INTERRUPTED_RESUMABLE)
			step = TDX_CACHE_WB_RESUME;
		else if (tdx_code(s) == TDX_WBCACHE_RESUME_ERROR && step == TDX_CACHE_WB_RESUME)
			step = TDX_CACHE_WB_START; /* another TD's cycle on this package ended
						      ours */
		else
			break;
	}
	if (tdx_is_error(s)) {
		td_log_failure(work->td, "cache write-back");
		atomic_store(&work->has_failed, true);
	}
}

static tdx_status_t freeid(struct td *td)
{
	struct tdx_retry retry = {0};
	tdx_status_t s;

	do {
		s = tdh_mng_key_freeid(td->tdr);
	} while (td_retry(td, &retry, s));
	return s;
}

static enum status write_back_and_free(struct td *td)
{
	tdx_status_t s;

	for (unsigned round = 0; round < MAX_FREEID_ROUNDS; round++) {
		struct cache_work work = {.td = td};

		oncpu_each_package(write_back_cache, &work);
		s = freeid(td);
		if (!tdx_is_error(s))
			return STATUS_OK;
		if (tdx_code(s) != TDX_WBCACHE_NOT_COMPLETE)
			break;
	}
	td_log_failure(td, "KeyID release");
	return tdx_code(s) == TDX_WBCACHE_NOT_COMPLETE ? STATUS_BUSY : td_status_of(s);
}

/* Out of reach until the next boot, and with it every page of the TD. */
static enum status lose_key(struct td *td)
{
	log_error("TD %s: KeyID %u cannot be released and is lost until the next boot",
		  td->name, td->hkid);
	td->key_stage = TD_KEY_LOST;
	return STATUS_HW_FAULT;
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
		if (!s)
			td->key_stage = TD_KEY_FREED;
	}
	if (s)
		return s == STATUS_BUSY ? s : lose_key(td);
	if (td->key_stage == TD_KEY_LOST)
		return STATUS_HW_FAULT;
	if (td->has_hkid) {
		keyid_free(td->hkid);
		td->has_hkid = false;
	}
	return STATUS_OK;
}

/* ---- Pages ---- */

static tdx_status_t reclaim_page(struct td *td, hpa_t page)
{
	struct tdx_retry retry = {0};
	uint64_t size_level;
	tdx_status_t s;

	do {
		s = tdh_phymem_page_reclaim(page, &size_level);
	} while (td_retry(td, &retry, s));
	return s;
}

/* CACHE.WB has written all lines back: a reclaimed page needs its contents reset, no more. */
static void reclaim(struct td *td, hpa_t page, enum page_level level)
{
	atomic_fetch_add_explicit(&td->teardown_done, 1, memory_order_relaxed);
	if (td->key_stage == TD_KEY_LOST) {
		frame_set_owner(page, level_size(level), FRAME_QUARANTINED);
		atomic_fetch_add(&td->quarantined_bytes, level_size(level));
	} else if (tdx_is_error(reclaim_page(td, page))) {
		td_frame_quarantine(td, page, level_size(level), "reclaim");
	} else {
		td_frame_return(page, level_size(level));
	}
}

/* Resetting 2M takes its time: one such page is worth many of 4K, so that a step stays short.
 */
static void charge(unsigned *budget, enum page_level level)
{
	unsigned cost = level == LEVEL_4K ? 1 : LARGE_PAGE_COST;

	*budget = *budget > cost ? *budget - cost : 0;
}

/* The TD runs nowhere and nobody else reclaims: no claim can fail. False when the budget ends.
 */
static bool reclaim_below(struct td *td, struct sept_node *node, enum page_level level,
			  unsigned *budget)
{
	for (unsigned i = 0; i < SEPT_ENTRIES; i++) {
		struct sept_slot slot = {.node = node, .index = i, .level = level};
		mirror_entry_t e = sept_read(slot);
		bool is_table = mirror_state_of(e) == MIRROR_TABLE;

		if (mirror_state_of(e) == MIRROR_FREE)
			continue;
		if (is_table && !reclaim_below(td, sept_child(slot), level - 1, budget))
			return false;
		if (*budget == 0)
			return false;
		charge(budget, is_table ? LEVEL_4K : level);
		reclaim(td, mirror_frame_of(e), is_table ? LEVEL_4K : level);
		if (sept_claim(slot, e))
			return false;
		if (is_table)
			sept_commit_no_table(&td->sept, slot);
		else
			sept_commit(&td->sept, slot, mirror_entry(MIRROR_FREE, hpa(0)));
	}
	return true;
}

/* From the list's end, so that the count says what is left. */
static bool reclaim_list(struct td *td, hpa_t *pages, unsigned *count, unsigned *budget)
{
	while (*count > 0) {
		if (*budget == 0)
			return false;
		--*budget;
		reclaim(td, pages[--*count], LEVEL_4K);
	}
	return true;
}

static bool reclaim_vcpus(struct td *td, unsigned *budget)
{
	for (unsigned i = 0; i < td->vcpu_count; i++) {
		struct td_vcpu *vcpu = td->vcpus[i];

		if (!reclaim_list(td, vcpu->tdcx, &vcpu->tdcx_count, budget))
			return false;
		if (vcpu->tdvpr.pa.raw) {
			unsigned one = 1;

			if (!reclaim_list(td, &vcpu->tdvpr.pa, &one, budget))
				return false;
			vcpu->tdvpr.pa = hpa(0);
		}
	}
	td->vcpu_count = 0;
	return true;
}

/* FREEID and RECLAIM wrote the TDR after the last CACHE.WB, under the module's own key. */
static void reclaim_tdr(struct td *td)
{
	struct tdx_retry retry = {0};
	tdx_status_t s;
	hpa_t page = td->tdr.pa;

	td->tdr.pa = hpa(0);
	atomic_fetch_add_explicit(&td->teardown_done, 1, memory_order_relaxed);
	if (td->key_stage == TD_KEY_LOST) {
		frame_set_owner(page, PAGE_SIZE, FRAME_QUARANTINED);
		atomic_fetch_add(&td->quarantined_bytes, PAGE_SIZE);
		return;
	}
	s = reclaim_page(td, page);
	if (!tdx_is_error(s)) {
		do {
			s = tdh_phymem_page_wbinvd(keyid_address(page, keyid_global()));
		} while (td_retry(td, &retry, s));
	}
	if (tdx_is_error(s))
		td_frame_quarantine(td, page, PAGE_SIZE, "TDR");
	else
		td_frame_return(page, PAGE_SIZE);
}

static void start(struct td *td)
{
	uint64_t total = atomic_load(&td->sept.table_count) + td->tdcx_count + 1;

	for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++)
		total += atomic_load(&td->sept.leaf_count[l]);
	for (unsigned i = 0; i < td->vcpu_count; i++)
		total += td->vcpus[i]->tdcx_count + 1U;
	atomic_store(&td->teardown_total, total);
	td->is_reclaim_started = true;
	td_measured_region_end(td);
	td_returned_end(td);
}

static bool reclaim_all(struct td *td, unsigned *budget)
{
	if (!td->is_reclaim_started)
		start(td);
	if (td->sept.root && !reclaim_below(td, td->sept.root, LEVEL_512G, budget))
		return false;
	if (!reclaim_vcpus(td, budget) || !reclaim_list(td, td->tdcx, &td->tdcx_count, budget))
		return false;
	if (td->tdr.pa.raw) {
		if (*budget == 0)
			return false;
		reclaim_tdr(td);
	}
	sept_mirror_destroy(&td->sept);
	gpa_map_destroy(&td->map);
	return true;
}

enum status td_reclaim(struct td *td, unsigned budget, bool *done)
{
	*done = false;
	if (td->key_stage == TD_KEY_ASSIGNED || td->key_stage == TD_KEY_FLUSHED)
		return STATUS_BAD_STATE;
	if (atomic_flag_test_and_set(&td->reclaim_busy))
		return STATUS_OK;
	*done = reclaim_all(td, &budget);
	atomic_flag_clear(&td->reclaim_busy);
	return STATUS_OK;
}
