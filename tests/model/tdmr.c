/* SPDX-License-Identifier: MIT */
/* TDH.SYS.CONFIG, TDH.SYS.KEY.CONFIG and TDH.SYS.TDMR.INIT. */
#include <string.h>

#include "tests/model/model.h"

#define TDMR_INFO_ALIGN 512
#define TDMR_INIT_PAGES 1024 /* 4K entries written by one TDH.SYS.TDMR.INIT */

/* TDMR_INFO as the host writes it. */
struct tdmr_info {
	uint64_t base, size;
	struct tdx_range pamt[3];                /* 1G, 2M, 4K */
	struct tdx_range reserved[MAX_RESERVED]; /* base is an offset into the TDMR */
};

/* The plan under construction; taken over only when all checks pass. */
struct plan {
	struct tdx_model *model;
	struct tdmr *tdmr;
	unsigned count;
};

static bool range_is_sane(const struct tdx_model *model, uint64_t base, uint64_t size)
{
	uint64_t limit = UINT64_C(1) << keyid_shift(model);

	return base < limit && size <= limit && base + size <= limit;
}

/* Adjacent CMRs count as one. */
static bool in_cmrs(const struct tdx_model *model, uint64_t base, uint64_t size)
{
	const struct tdx_platform *p = &model->platform;
	uint64_t end = base + size;

	for (unsigned i = 0; i < p->cmr_count && base < end; i++)
		if (base >= p->cmr[i].base && base - p->cmr[i].base < p->cmr[i].size)
			base = p->cmr[i].base + p->cmr[i].size;
	return base >= end;
}

static bool wraps(uint64_t base, uint64_t size) { return base + size < base; }

static uint64_t check_base(const struct plan *plan, const struct tdmr_info *info, unsigned i)
{
	if (wraps(info->base, info->size))
		return TDX_INVALID_TDMR | i;
	if (i > 0 && info->base < plan->tdmr[i - 1].base + plan->tdmr[i - 1].size)
		return TDX_NON_ORDERED_TDMR | i;
	if (info->base % PAGE_1G != 0 || info->size % PAGE_1G != 0 || info->size == 0 ||
	    !range_is_sane(plan->model, info->base, info->size))
		return TDX_INVALID_TDMR | i;
	return TDX_SUCCESS;
}

static uint64_t check_reserved(struct tdmr *tdmr, const struct tdmr_info *info, unsigned i)
{
	uint64_t last_end = 0;

	for (unsigned j = 0; j < MAX_RESERVED; j++) {
		struct tdx_range area = info->reserved[j];

		if (area.size == 0) { /* ends the list */
			if (j + 1 < MAX_RESERVED && info->reserved[j + 1].size != 0)
				return TDX_NON_ORDERED_RESERVED_IN_TDMR | j << 8 | i;
			continue;
		}
		if (wraps(area.base, area.size))
			return TDX_INVALID_RESERVED_IN_TDMR | j << 8 | i;
		if (area.base < last_end)
			return TDX_NON_ORDERED_RESERVED_IN_TDMR | j << 8 | i;
		if (area.base % PAGE_4K != 0 || area.size % PAGE_4K != 0 ||
		    area.base >= tdmr->size || area.size > tdmr->size - area.base)
			return TDX_INVALID_RESERVED_IN_TDMR | j << 8 | i;
		last_end = area.base + area.size;
		tdmr->reserved[j] = (struct tdx_range){tdmr->base + area.base, area.size};
	}
	return TDX_SUCCESS;
}

static uint64_t check_pamt(struct plan *plan, struct tdmr *tdmr, const struct tdmr_info *info,
			   unsigned i)
{
	for (int level = LEVEL_1G; level >= LEVEL_4K; level--) {
		struct tdx_range pamt = info->pamt[LEVEL_1G - level];
		uint64_t entries = tdmr->size / level_size((unsigned)level);

		if (pamt.base % PAGE_4K != 0 || pamt.size % PAGE_4K != 0 ||
		    pamt.size < entries * sizeof(struct pamt_entry) ||
		    !range_is_sane(plan->model, pamt.base, pamt.size))
			return TDX_INVALID_PAMT | (unsigned)level << 8 | i;
		tdmr->pamt_base[level] = pamt.base;
		tdmr->pamt_size[level] = pamt.size;
	}
	return TDX_SUCCESS;
}

/* Does [base, base+size) touch a part of the TDMR that is not reserved? */
static bool touches_available(const struct tdmr *tdmr, uint64_t base, uint64_t size)
{
	uint64_t at = tdmr->base;

	for (unsigned j = 0; j <= MAX_RESERVED; j++) {
		bool last = j == MAX_RESERVED || tdmr->reserved[j].size == 0;
		uint64_t end = last ? tdmr->base + tdmr->size : tdmr->reserved[j].base;

		if (end > at && ranges_overlap(at, end - at, base, size))
			return true;
		if (last)
			break;
		at = tdmr->reserved[j].base + tdmr->reserved[j].size;
	}
	return false;
}

static bool available_in_cmrs(const struct tdx_model *model, const struct tdmr *tdmr)
{
	uint64_t at = tdmr->base;

	for (unsigned j = 0; j <= MAX_RESERVED; j++) {
		bool last = j == MAX_RESERVED || tdmr->reserved[j].size == 0;
		uint64_t end = last ? tdmr->base + tdmr->size : tdmr->reserved[j].base;

		if (end > at && !in_cmrs(model, at, end - at))
			return false;
		if (last)
			break;
		at = tdmr->reserved[j].base + tdmr->reserved[j].size;
	}
	return true;
}

static bool meets_pamt(const struct tdmr *tdmr, int level, uint64_t base, uint64_t size)
{
	return ranges_overlap(base, size, tdmr->pamt_base[level], tdmr->pamt_size[level]);
}

/* One PAMT of TDMR i against the other PAMTs of the TDMRs up to i. */
static bool pamt_meets_pamt(const struct plan *plan, unsigned i, int level, unsigned other)
{
	const struct tdmr *own = &plan->tdmr[i];

	for (int l = other == i ? level + 1 : LEVEL_4K; l <= LEVEL_1G; l++)
		if (meets_pamt(&plan->tdmr[other], l, own->pamt_base[level],
			       own->pamt_size[level]))
			return true;
	return false;
}

static uint64_t overlap(unsigned i, int level, unsigned other)
{
	return TDX_PAMT_OVERLAP | (uint64_t)other << 16 | (uint64_t)level << 8 | i;
}

static uint64_t check_pamts_apart(const struct plan *plan, unsigned i)
{
	for (unsigned other = 0; other <= i; other++)
		for (int level = LEVEL_4K; level <= LEVEL_1G; level++)
			if (pamt_meets_pamt(plan, i, level, other))
				return overlap(i, level, other);
	return TDX_SUCCESS;
}

/* The first PAMT of TDMR i that lies in memory for TDs of TDMR `in`. */
static uint64_t check_pamts_reserved(const struct plan *plan, unsigned i, unsigned in)
{
	const struct tdmr *tdmr = &plan->tdmr[i];

	for (int level = LEVEL_4K; level <= LEVEL_1G; level++)
		if (touches_available(&plan->tdmr[in], tdmr->pamt_base[level],
				      tdmr->pamt_size[level]))
			return overlap(i, level, in);
	return TDX_SUCCESS;
}

static uint64_t check_pamt_place(const struct plan *plan, unsigned i)
{
	const struct tdmr *own = &plan->tdmr[i];
	uint64_t status = check_pamts_apart(plan, i);

	for (unsigned other = 0; other <= i && !status; other++) {
		status = check_pamts_reserved(plan, i, other);
		if (!status && other < i)
			status = check_pamts_reserved(plan, other, i);
	}
	for (int level = LEVEL_1G; level >= LEVEL_4K && !status; level--)
		if (!in_cmrs(plan->model, own->pamt_base[level], own->pamt_size[level]))
			status = TDX_PAMT_OUTSIDE_CMRS | (uint64_t)level << 8 | i;
	return status;
}

static uint64_t read_tdmr(struct call *call, struct plan *plan, uint64_t info_pa, unsigned i)
{
	struct tdmr_info info;
	struct tdmr *tdmr = &plan->tdmr[i];
	uint64_t status = check_shared_hpa(call, info_pa, TDMR_INFO_ALIGN, OPERAND_RCX);

	if (status)
		return status;
	memcpy(&info,
	       page_at(call->model, info_pa & ((UINT64_C(1) << keyid_shift(call->model)) - 1)),
	       sizeof(info));
	status = check_base(plan, &info, i);
	if (status)
		return status;
	tdmr->base = info.base;
	tdmr->size = info.size;
	status = check_reserved(tdmr, &info, i);
	if (!status)
		status = check_pamt(plan, tdmr, &info, i);
	if (!status)
		status = check_pamt_place(plan, i);
	if (!status && !available_in_cmrs(call->model, tdmr))
		status = TDX_TDMR_OUTSIDE_CMRS | i;
	return status;
}

static uint64_t make_plan(struct call *call, struct plan *plan)
{
	uint64_t array = call->gpr[TDX_RCX] & ((UINT64_C(1) << keyid_shift(call->model)) - 1);
	uint64_t info_pa[MAX_TDMRS];
	uint64_t status = TDX_SUCCESS;

	plan->count = (unsigned)call->gpr[TDX_RDX];
	memset(plan->tdmr, 0, plan->count * sizeof(plan->tdmr[0]));
	memcpy(info_pa, page_at(call->model, array), plan->count * sizeof(info_pa[0]));
	for (unsigned i = 0; i < plan->count && !status; i++)
		status = read_tdmr(call, plan, info_pa[i], i);
	return status;
}

static void adopt(struct tdx_model *model, const struct plan *plan)
{
	model->tdmr_count = plan->count;
	for (unsigned i = 0; i < plan->count; i++) {
		struct tdmr *tdmr = &model->tdmr[i];

		*tdmr = plan->tdmr[i];
		atomic_store(&tdmr->next_to_init, tdmr->base);
		for (unsigned level = LEVEL_4K; level <= LEVEL_1G; level++)
			page_owner_changed(model, tdmr->pamt_base[level],
					   tdmr->pamt_size[level], true);
	}
}

static uint64_t configure(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t keyid = call->gpr[TDX_R8];
	struct plan plan = {.model = model, .tdmr = model->plan};
	uint64_t status;

	if (atomic_load(&model->state) != SYS_INIT_DONE ||
	    atomic_load(&model->lps_initialised) != model->platform.lp_count)
		return TDX_SYS_CONFIG_NOT_PENDING;
	status = check_shared_hpa(call, call->gpr[TDX_RCX], TDMR_INFO_ALIGN, OPERAND_RCX);
	if (status)
		return status;
	if (call->gpr[TDX_RDX] == 0 || call->gpr[TDX_RDX] > MAX_TDMRS)
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	if (keyid > UINT16_MAX || !keyid_is_private(model, keyid))
		return TDX_OPERAND_INVALID | OPERAND_R8;
	/* Reserved from here on, even if a later check fails. */
	model->keyid[keyid].state = KEYID_RESERVED;
	model->global_keyid = (unsigned)keyid;
	status = make_plan(call, &plan);
	if (status)
		return status;
	adopt(model, &plan);
	atomic_store(&model->state, SYS_CONFIG_DONE);
	return TDX_SUCCESS;
}

uint64_t tdh_sys_config(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t status;

	if (!take_lock(model, &model->global_lock, LOCK_EXCLUSIVE))
		return TDX_SYS_BUSY;
	status = configure(call);
	lock_release(&model->global_lock, LOCK_EXCLUSIVE);
	return status;
}

static unsigned count_bits(uint32_t word)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 32; i++)
		n += word >> i & 1;
	return n;
}

static uint64_t key_config(struct call *call)
{
	struct tdx_model *model = call->model;
	uint32_t package = UINT32_C(1) << model->lp[call->lp].package;
	unsigned configured;

	if (atomic_load(&model->state) != SYS_CONFIG_DONE)
		return TDX_SYS_KEY_CONFIG_NOT_PENDING;
	if (atomic_load(&model->packages_configured) & package)
		return TDX_KEY_CONFIGURED;
	switch (model->machine.pconfig(model->machine.ctx, call->lp, model->global_keyid)) {
	case 0:
		break;
	case 2:
		return TDX_KEY_GENERATION_FAILED;
	default:
		return TDX_OPERAND_BUSY | OPERAND_KET;
	}
	configured = atomic_fetch_or(&model->packages_configured, package) | package;
	if (count_bits(configured) == model->platform.package_count)
		atomic_store(&model->state, SYS_READY);
	return TDX_SUCCESS;
}

uint64_t tdh_sys_key_config(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t status;

	if (!take_lock(model, &model->global_lock, LOCK_EXCLUSIVE))
		return TDX_SYS_BUSY;
	status = key_config(call);
	lock_release(&model->global_lock, LOCK_EXCLUSIVE);
	return status;
}

static bool is_reserved(const struct tdmr *tdmr, uint64_t hpa)
{
	for (unsigned j = 0; j < MAX_RESERVED && tdmr->reserved[j].size != 0; j++)
		if (hpa >= tdmr->reserved[j].base &&
		    hpa - tdmr->reserved[j].base < tdmr->reserved[j].size)
			return true;
	return false;
}

/* Writes only what differs: zero pages of a sparse host stay unallocated. */
static void init_entry(struct tdx_model *model, uint64_t hpa, enum page_level level,
		       enum page_type type, uint64_t used)
{
	static const uint8_t zero[sizeof(struct pamt_entry)];
	struct pamt_entry *entry = pamt_entry_of(model, hpa, level);

	if (memcmp(entry, zero, sizeof(zero)) != 0)
		memset(entry, 0, sizeof(*entry));
	if (type != PT_NDA)
		entry->type = (uint8_t)type;
	if (used != 0)
		atomic_store(&entry->bepoch, used * PAMT_ONE_USED);
}

static void init_entries(struct tdx_model *model, const struct tdmr *tdmr, uint64_t from)
{
	for (uint64_t base = from; base < from + TDMR_INIT_PAGES * PAGE_4K; base += PAGE_2M) {
		uint64_t used = 0;

		if (base % PAGE_1G == 0)
			init_entry(model, base, LEVEL_1G, PT_NDA, 0);
		for (uint64_t hpa = base; hpa < base + PAGE_2M; hpa += PAGE_4K) {
			bool reserved = is_reserved(tdmr, hpa);

			init_entry(model, hpa, LEVEL_4K, reserved ? PT_RSVD : PT_NDA, 0);
			used += reserved;
		}
		init_entry(model, base, LEVEL_2M, PT_NDA, used);
	}
}

uint64_t tdh_sys_tdmr_init(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t base = call->gpr[TDX_RCX], next;
	struct tdmr *tdmr = NULL;

	call->gpr[TDX_RDX] = 0;
	for (unsigned i = 0; i < model->tdmr_count; i++)
		if (model->tdmr[i].base == base)
			tdmr = &model->tdmr[i];
	if (!tdmr)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	if (!take_lock(model, &tdmr->lock, LOCK_EXCLUSIVE))
		return TDX_OPERAND_BUSY | OPERAND_RCX;
	next = atomic_load(&tdmr->next_to_init);
	if (next >= tdmr->base + tdmr->size) {
		lock_release(&tdmr->lock, LOCK_EXCLUSIVE);
		return TDX_TDMR_ALREADY_INITIALIZED;
	}
	init_entries(model, tdmr, next);
	next += TDMR_INIT_PAGES * PAGE_4K;
	atomic_store(&tdmr->next_to_init, next);
	call->gpr[TDX_RDX] = next & ~(PAGE_1G - 1);
	lock_release(&tdmr->lock, LOCK_EXCLUSIVE);
	return TDX_SUCCESS;
}
