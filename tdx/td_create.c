/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "core/string.h"
#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "mm/phys.h"
#include "tdx/global.h"
#include "tdx/keyid.h"
#include "tdx/module.h"
#include "tdx/status.h"
#include "tdx/td_private.h"

/* KeyIDs that the module calls not free although our books do: they stay out of use. */
#define MAX_LEAKED_KEYIDS 4

/* Nobody will come back for a TD that never was: contention has to end here. */
#define MAX_RELEASE_TRIES 16

static enum status check_params(const struct td *td, const struct td_params *p)
{
	if (!tdx_module_info()->is_ready) {
		log_error("TD %s: TDX is not available: %s", td->name,
			  tdx_module_info()->refusal);
		return STATUS_UNSUPPORTED;
	}
	if (p->max_vcpus == 0 || p->max_vcpus > TD_MAX_VCPUS ||
	    !gpa_aligned(p->ram_low_end, SIZE_4K) || !gpa_aligned(p->ram_high_end, SIZE_4K) ||
	    p->ram_low_end.raw > TD_HIGH_RAM_BASE || p->ram_high_end.raw < TD_HIGH_RAM_BASE ||
	    p->ram_high_end.raw > TD_SHARED_BIT) {
		log_error("TD %s: expected 1 to %u vCPUs and RAM in 4K pages below %#llx",
			  td->name, TD_MAX_VCPUS, (unsigned long long)TD_SHARED_BIT);
		return STATUS_BAD_ARG;
	}
	return STATUS_OK;
}

/* TDR and KeyID belong together: MNG.CREATE takes both or none. */
static enum status create_tdr(struct td *td)
{
	enum status st = td_frame_take(td, LEVEL_4K, FRAME_TD_CONTROL, &td->tdr.pa);

	for (unsigned i = 0; !st && i < MAX_LEAKED_KEYIDS; i++) {
		tdx_status_t s;

		st = keyid_alloc(&td->hkid);
		if (st)
			break;
		s = tdh_mng_create(td, td->hkid);
		if (!tdx_is_error(s)) {
			td->key_stage = TD_KEY_ASSIGNED;
			return STATUS_OK;
		}
		td_log_failure(td, "creation");
		if (tdx_code(s) == TDX_HKID_NOT_FREE) {
			log_error("KeyID %u is lost until the next boot", td->hkid);
			continue;
		}
		keyid_free(td->hkid);
		st = td_status_of(s);
	}
	if (td->tdr.pa.raw)
		frame_free(td->tdr.pa, PAGE_SIZE);
	td->tdr.pa = hpa(0);
	return st ? st : STATUS_NO_KEYID;
}

struct key_work {
	struct td *td;
	atomic_bool has_failed;
};

static void key_config(void *arg)
{
	struct key_work *work = arg;

	if (td_result(work->td, tdh_mng_key_config(work->td), "key configuration"))
		atomic_store(&work->has_failed, true);
}

static enum status configure_keys(struct td *td)
{
	struct key_work work = {.td = td};

	oncpu_each_package(key_config, &work);
	return work.has_failed ? STATUS_HW_FAULT : STATUS_OK;
}

enum status td_add_control_pages(struct td *td, struct td_vcpu *vcpu, uint64_t bytes)
{
	hpa_t *pages = vcpu ? vcpu->tdcx : td->tdcx;
	unsigned *count = vcpu ? &vcpu->tdcx_count : &td->tdcx_count;

	while (*count < bytes / PAGE_SIZE) {
		hpa_t page;
		enum status s = td_frame_take(td, LEVEL_4K, FRAME_TD_CONTROL, &page);

		if (s)
			return s;
		s = td_result(td, vcpu ? tdh_vp_addcx(vcpu, page) : tdh_mng_addcx(td, page),
			      "control page");
		if (s) {
			frame_free(page, PAGE_SIZE);
			return s;
		}
		pages[(*count)++] = page;
	}
	return STATUS_OK;
}

static enum status refuse_init(struct td *td, tdx_status_t s, uint64_t extended)
{
	td_log_failure(td, "parameters");
	if (tdx_code(s) != TDX_OPERAND_INVALID)
		return td_status_of(s);
	if (tdx_operand(s) == TDX_OPERAND_ID_CPUID_CONFIG)
		log_error("TD %s: CPUID leaf %#x subleaf %#x was refused", td->name,
			  (uint32_t)extended, (uint32_t)(extended >> 32));
	return STATUS_BAD_ARG;
}

static enum status init_tdcs(struct td *td)
{
	uint64_t extended;
	hpa_t page;
	enum status st = frame_alloc(LEVEL_4K, FRAME_HOST, &page);

	if (st)
		return st;
	st = td_params_build(td, phys_ptr(page));
	if (!st) {
		tdx_status_t s = tdh_mng_init(td, page, &extended);

		if (tdx_is_error(s))
			st = refuse_init(td, s, extended);
	}
	frame_free(page, PAGE_SIZE);
	return st;
}

static enum status read_field(struct td *td, uint64_t field, uint64_t *value)
{
	return td_result(td, tdh_mng_rd(td, field, value), "metadata");
}

/* TSC scaling of the TD: without it its timer cannot be served. */
static enum status read_tsc(struct td *td)
{
	enum status s = read_field(td, MD_TD_TSC_OFFSET, &td->tsc_offset);

	return s ? s : read_field(td, MD_TD_TSC_MULTIPLIER, &td->tsc_multiplier);
}

static enum status build(struct td *td)
{
	enum status s = configure_keys(td);

	if (!s)
		s = td_add_control_pages(td, NULL, tdx_global()->tdcs_size);
	if (!s)
		s = init_tdcs(td);
	return s ? s : read_tsc(td);
}

/* The error path of td_create(): everything back, as in any other teardown. */
static void undo(struct td *td)
{
	bool done = false;
	enum status s = STATUS_BUSY;

	for (unsigned i = 0; s == STATUS_BUSY && i < MAX_RELEASE_TRIES; i++)
		s = td_release_keyid(td);
	if (s == STATUS_BUSY)
		td_lose_key(td);
	while (!done && !td_reclaim(td, &done))
		continue;
}

enum status td_create(struct td *td, const struct td_params *params)
{
	enum status s = check_params(td, params);

	if (s)
		return s;
	td->params = *params;
	s = gpa_map_init(&td->map, params->ram_high_end);
	if (!s)
		s = sept_mirror_init(&td->sept);
	if (!s)
		s = create_tdr(td);
	if (s) {
		sept_mirror_destroy(&td->sept);
		gpa_map_destroy(&td->map);
		return s;
	}
	s = build(td);
	if (s)
		undo(td);
	return s;
}

/* ---- Measured build ---- */

static enum status extend(struct td *td, gpa_t at)
{
	for (uint64_t offset = 0; offset < PAGE_SIZE; offset += 256) {
		/* The page is in, its measurement is not: no way back. */
		if (tdx_is_error(tdh_mr_extend(td, gpa_add(at, offset))))
			return td_die(td, "measurement");
	}
	return STATUS_OK;
}

enum status td_add_measured_page(struct td *td, gpa_t at, const void *source)
{
	enum status s;

	if (td->is_finalized || td->is_dead)
		return STATUS_BAD_STATE;
	if (!gpa_aligned(at, PAGE_SIZE) || at.raw >= TD_SHARED_BIT)
		return STATUS_BAD_ARG;
	s = td_install(td, at, LEVEL_4K, source);
	return s ? s : extend(td, at);
}

enum status td_finalize(struct td *td)
{
	tdx_status_t s;

	if (td->is_finalized || td->is_dead)
		return STATUS_BAD_STATE;
	s = tdh_mr_finalize(td);
	if (tdx_is_error(s)) {
		td_log_failure(td, "finalize");
		return tdx_code(s) == TDX_NO_VCPUS ? STATUS_BAD_STATE
						   : td_fail(td, s, "finalize");
	}
	td->is_finalized = true;
	td_log_scattered(td);
	return STATUS_OK;
}

enum status td_read_mrtd(struct td *td, uint8_t mrtd[48])
{
	for (unsigned i = 0; i < 6; i++) {
		uint64_t value;
		enum status s = read_field(td, MD_TD_MRTD + i, &value);

		if (s)
			return s;
		for (unsigned b = 0; b < 8; b++)
			mrtd[8 * i + b] = (uint8_t)(value >> 8 * b);
	}
	return STATUS_OK;
}
