/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "tdx/module.h"

#include <stdatomic.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "core/panic.h"
#include "core/string.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/detect.h"
#include "tdx/global.h"
#include "tdx/keyid.h"
#include "tdx/status.h"
#include "tdx/tdh.h"
#include "tdx/tdmr_init.h"
#include "tdx/tdmr_plan.h"
#include "vmx/vmx.h"

/* So that no CPU is left without one long before the others are through. */
#define TDMRS_PER_CPU 2U

static struct tdx_module_info info;
static struct tdmr_plan plan;
static struct tdmr_plan_input plan_input;
static struct hpa_range memory[BOOT_MAX_RANGES];

const struct tdx_module_info *tdx_module_info(void) { return &info; }

/* Ends bring-up: TDX is refused with this reason, the machine goes on. */
static PRINTF_LIKE(1, 2) enum status refuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)format_v(info.refusal, sizeof(info.refusal), fmt, ap);
	va_end(ap);
	log_error("TDX refused: %s", info.refusal);
	return STATUS_UNSUPPORTED;
}

/* ---- What fails on one of several CPUs ---- */

struct each_result {
	atomic_bool has_failed;
	unsigned cpu; /* of one that failed */
	char why[80]; /* what else there is to say, if none did */
};

/* Only the first failure is reported; each CPU's own is in its log line. */
static void report(struct each_result *r, const char *why)
{
	if (atomic_exchange(&r->has_failed, true))
		return;
	r->cpu = this_cpu();
	(void)string_copy(r->why, sizeof(r->why), why);
}

static void report_status(struct each_result *r, tdx_status_t s)
{
	char text[80];

	tdx_format_status(text, sizeof(text), s);
	report(r, text);
}

/* This CPU's last SEAMCALL, if it failed. */
static void report_leaf(struct each_result *r, const char *what, tdx_status_t s)
{
	if (!tdx_is_error(s))
		return;
	seamcall_log_last(LOG_ERROR, what);
	report_status(r, s);
}

static enum status refuse_each(const struct each_result *r, const char *what)
{
	return r->has_failed ? refuse("%s on cpu%u: %s", what, r->cpu, r->why) : STATUS_OK;
}

static hpa_t vmxon_regions[MAX_CPUS];

static void vmx_on(void *arg)
{
	enum status s = vmx_on_this_cpu(vmxon_regions[this_cpu()]);

	if (s)
		report(arg, status_name(s));
}

static void vmx_off(void *arg)
{
	(void)arg;
	vmx_off_this_cpu();
}

static void free_vmxon_regions(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (vmxon_regions[i].raw) {
			frame_free(vmxon_regions[i], PAGE_SIZE);
			vmxon_regions[i] = hpa(0);
		}
}

static enum status vmx_on_everywhere(void)
{
	struct each_result r = {.why = "done"};

	for (unsigned i = 0; i < cpu_count; i++)
		if (frame_alloc(LEVEL_4K, FRAME_HOST, &vmxon_regions[i]))
			return refuse("no memory for the VMXON region of cpu%u", i);
	oncpu_each(vmx_on, &r);
	tdx_check_add("VMXON", !r.has_failed, r.why, "on every CPU", "enable Intel VT-x");
	return refuse_each(&r, "VMXON");
}

static void lp_init(void *arg) { report_leaf(arg, "LP.INIT", tdh_sys_lp_init()); }

/* ---- Steps ---- */

static enum status sys_init(void)
{
	struct each_result r = {.why = "TDX_SUCCESS"};

	report_leaf(&r, "module start", tdh_sys_init());
	tdx_check_add("TDX module (TDH.SYS.INIT)", !r.has_failed, r.why, "TDX_SUCCESS",
		      "enable TDX; the firmware must load the module");
	if (r.has_failed)
		return refuse_each(&r, tdx_leaf_name(TDH_SYS_INIT));
	oncpu_each(lp_init, &r);
	if (r.has_failed)
		return refuse_each(&r, tdx_leaf_name(TDH_SYS_LP_INIT));
	if (tdx_global_read())
		return refuse("TDH.SYS.RD/INFO: the module does not describe itself");
	return STATUS_OK;
}

/* A module too old to know the bit leaves it clear, too, and needs the flush. */
static bool needs_flush(uint64_t features0)
{
	const uint64_t bit = TDX_FEATURE_CLFLUSH_BEFORE_ALLOC;

	return (features0 & bit) != 0 || features0 < 2 * bit;
}

static void describe(void)
{
	const struct tdx_global *g = tdx_global();

	info.major = (uint16_t)g->major;
	info.minor = (uint16_t)g->minor;
	info.update = (uint16_t)g->update;
	info.build_date = (uint32_t)g->build_date;
	info.features0 = g->features0;
	info.cmr_count = g->cmr_count;
	log_info("module %u.%u.%02u, build %u, features %#llx", info.major, info.minor,
		 info.update, info.build_date, (unsigned long long)info.features0);
	if (!needs_flush(info.features0)) {
		log_info("the module needs no flush of frames that it gets");
		frame_flush_never();
	}
	for (unsigned i = 0; i < g->cmr_count; i++)
		log_info("CMR: [0x%llx, 0x%llx)", (unsigned long long)g->cmrs[i].base.raw,
			 (unsigned long long)(g->cmrs[i].base.raw + g->cmrs[i].size));
}

static bool place_pamt(void *ctx, uint64_t size, hpa_t low, hpa_t high, hpa_t *out)
{
	(void)ctx;
	/* On a 2M boundary if possible: it breaks fewer large frames. */
	return !frame_alloc_range(size, SIZE_2M, low, high, FRAME_PAMT, out) ||
	       !frame_alloc_range(size, PAGE_SIZE, low, high, FRAME_PAMT, out);
}

static void unplace_pamt(void *ctx, hpa_t base, uint64_t size)
{
	(void)ctx;
	frame_free(base, size);
}

static enum status make_plan(const struct boot_info *bi)
{
	const struct tdx_global *g = tdx_global();
	unsigned count = 0;

	for (unsigned i = 0; i < bi->range_count; i++)
		if (bi->ranges[i].kind == BOOT_MEM_USABLE)
			memory[count++] =
				(struct hpa_range){bi->ranges[i].base, bi->ranges[i].size};
	plan_input = (struct tdmr_plan_input){
		.memory = memory,
		.memory_count = count,
		.cmrs = g->cmrs,
		.cmr_count = g->cmr_count,
		.max_tdmrs = (unsigned)g->max_tdmrs,
		.max_reserved = (unsigned)g->max_reserved,
		.split_to = cpu_count * TDMRS_PER_CPU,
		.place = place_pamt,
		.unplace = unplace_pamt,
	};
	for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++)
		plan_input.pamt_entry_size[l] = (unsigned)g->pamt_entry_size[l];
	if (tdmr_plan(&plan_input, &plan))
		return refuse("no usable memory lies in a CMR, or none is free for the PAMT");
	if (plan.lost_bytes)
		log_warn("%llu KiB in fragmented GiBs are not usable for TDs",
			 (unsigned long long)(plan.lost_bytes / 1024));
	for (unsigned i = 0; i < plan.tdmr_count; i++)
		log_info("TDMR: [0x%llx, 0x%llx), PAMT 0x%llx",
			 (unsigned long long)plan.tdmrs[i].base,
			 (unsigned long long)(plan.tdmrs[i].base + plan.tdmrs[i].size),
			 (unsigned long long)tdx_pamt(&plan.tdmrs[i], LEVEL_4K)->base);
	return STATUS_OK;
}

/* The array of addresses and the TDMR_INFOs, each 512-byte aligned, in one block. */
static enum status build_tdmr_infos(hpa_t *out, uint64_t *size)
{
	uint64_t array_size = align_up(plan.tdmr_count * sizeof(uint64_t), TDX_TDMR_INFO_ALIGN);
	uint64_t *array;
	enum status s;

	*size = align_up(array_size + plan.tdmr_count * TDX_TDMR_INFO_ALIGN, PAGE_SIZE);
	s = frame_alloc_range(*size, PAGE_SIZE, hpa(0), hpa(UINT64_MAX), FRAME_HOST, out);
	if (s)
		return s;
	memset(phys_ptr(*out), 0, *size);
	array = phys_ptr(*out);
	for (unsigned i = 0; i < plan.tdmr_count; i++) {
		hpa_t at = hpa_add(*out, array_size + i * TDX_TDMR_INFO_ALIGN);

		memcpy(phys_ptr(at), &plan.tdmrs[i], sizeof(plan.tdmrs[i]));
		array[i] = at.raw;
	}
	return STATUS_OK;
}

static void write_back_package(void *arg)
{
	(void)arg;
	hw_wbinvd();
}

/* A failed SYS.CONFIG leaves its KeyID reserved: every try uses the same one. */
static enum status sys_config(void)
{
	struct each_result r = {0};
	uint64_t size;
	hpa_t infos;

	if (build_tdmr_infos(&infos, &size)) {
		tdmr_plan_release(&plan_input, &plan);
		return refuse("no memory for the TDMR_INFOs");
	}
	/* The PAMT grows with the memory; this costs less than its lines one by one. */
	oncpu_each_package(write_back_package, NULL);
	report_leaf(&r, "TDMR configuration",
		    tdh_sys_config(infos, plan.tdmr_count, keyid_global()));
	frame_free(infos, size);
	if (r.has_failed)
		tdmr_plan_release(&plan_input, &plan);
	return refuse_each(&r, tdx_leaf_name(TDH_SYS_CONFIG));
}

static void key_config(void *arg) { report_leaf(arg, "global key", tdh_sys_key_config()); }

static enum status make_ready(void)
{
	struct each_result r = {0};
	tdx_status_t why = {0};

	oncpu_each_package(write_back_package, NULL);
	frame_all_clean();
	oncpu_each_package(key_config, &r);
	if (r.has_failed)
		return refuse_each(&r, tdx_leaf_name(TDH_SYS_KEY_CONFIG));
	if (tdmr_init_begin(&plan, &why))
		report_status(&r, why);
	return refuse_each(&r, tdx_leaf_name(TDH_SYS_TDMR_INIT));
}

static enum status bring_up(const struct boot_info *bi)
{
	enum status s = vmx_on_everywhere();

	if (!s)
		s = sys_init();
	if (s)
		return s;
	describe();
	s = make_plan(bi);
	if (!s)
		s = sys_config();
	if (!s)
		s = make_ready();
	return s;
}

enum status tdx_module_init(const struct boot_info *bi)
{
	uint64_t calls_before = tdx_seamcall_count();
	const struct tdx_check *refused;
	enum status s;

	info = (struct tdx_module_info){0};
	panic_register_dumper(seamcall_dump);
	refused = tdx_detect();
	if (refused)
		return refuse("%s: found %s, needed %s", refused->name, refused->found,
			      refused->needed);
	info.global_keyid = keyid_global();
	info.keyid_count = (uint16_t)keyid_count();
	s = bring_up(bi);
	info.ready_seamcalls = tdx_seamcall_count() - calls_before;
	if (s)
		return s;
	info.tdmr_count = plan.tdmr_count;
	info.tdmr_bytes = plan.tdmr_bytes;
	info.pamt_bytes = plan.pamt_bytes;
	info.is_ready = true;
	log_info("module initialized: %u TDMRs, %llu of %llu MiB so far, PAMT %llu KiB, "
		 "%u KeyIDs, %llu SEAMCALLs",
		 info.tdmr_count, (unsigned long long)(tdmr_init_done_bytes() >> 20),
		 (unsigned long long)(info.tdmr_bytes >> 20),
		 (unsigned long long)(info.pamt_bytes >> 10), info.keyid_count,
		 (unsigned long long)info.ready_seamcalls);
	return STATUS_OK;
}

void tdx_module_stop(void)
{
	tdmr_init_stop();
	oncpu_each_package(write_back_package, NULL);
	oncpu_each(vmx_off, NULL);
	free_vmxon_regions();
	info.is_ready = false;
	if (!info.refusal[0])
		(void)string_copy(info.refusal, sizeof(info.refusal), "stopped");
}
