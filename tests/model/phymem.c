/* SPDX-License-Identifier: MIT */
/* TDH.PHYMEM: page metadata, reclaiming, and write-back of caches. */
#include <string.h>

#include "tests/model/model.h"

static void report_page(struct call *call, const struct page_lock *page)
{
	call->gpr[TDX_RCX] = page->entry->type;
	call->gpr[TDX_RDX] = pamt_owner(page->entry);
	call->gpr[TDX_R8] = page->level;
}

static void clear_report(struct call *call)
{
	call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = call->gpr[TDX_R8] = 0;
	call->gpr[TDX_R9] = call->gpr[TDX_R10] = call->gpr[TDX_R11] = 0;
}

/* A page operand of which the type is not yet known. */
static uint64_t lock_any(struct call *call, uint64_t hpa, enum lock_mode mode,
			 struct page_lock *page)
{
	if (hpa >> keyid_shift(call->model) != 0 || hpa % PAGE_4K != 0)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	if (!page_in_tdmr(call->model, hpa))
		return TDX_OPERAND_ADDR_RANGE_ERROR | OPERAND_RCX;
	if (!pamt_lock_leaf(call->model, hpa, mode, page))
		return TDX_OPERAND_BUSY | OPERAND_RCX;
	return TDX_SUCCESS;
}

uint64_t tdh_phymem_page_rdmd(struct call *call)
{
	uint64_t hpa = call->gpr[TDX_RCX];
	struct page_lock page;
	uint64_t status;

	clear_report(call);
	status = lock_any(call, hpa, LOCK_SHARED, &page);
	if (status)
		return status;
	report_page(call, &page);
	if (page.entry->type == PT_REG || page.entry->type == PT_EPT)
		call->gpr[TDX_R9] = atomic_load(&page.entry->bepoch);
	pamt_unlock(&page);
	return TDX_SUCCESS;
}

static uint64_t reclaim_tdr(const struct tdr *tdr)
{
	if (tdr->lifecycle != TD_TEARDOWN)
		return TDX_LIFECYCLE_STATE_INCORRECT;
	if (atomic_load(&tdr->child_count) != 0)
		return TDX_TD_ASSOCIATED_PAGES_EXIST;
	return TDX_SUCCESS;
}

static uint64_t reclaim_child(struct call *call, struct page_lock *page)
{
	struct td td;
	uint64_t status = td_lock_owner(call, page, &td);

	if (status)
		return status;
	if (td.tdr->lifecycle != TD_TEARDOWN)
		status = TDX_LIFECYCLE_STATE_INCORRECT;
	else
		td_add_children(&td, -(int64_t)(level_size(page->level) / PAGE_4K));
	td_unlock(&td);
	return status;
}

uint64_t tdh_phymem_page_reclaim(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t hpa = call->gpr[TDX_RCX];
	struct page_lock page;
	uint64_t status;

	clear_report(call);
	status = lock_any(call, hpa, LOCK_EXCLUSIVE, &page);
	if (status)
		return status;
	if (page.entry->type == PT_NDA || page.entry->type == PT_RSVD) {
		pamt_unlock(&page);
		return TDX_PAGE_METADATA_INCORRECT | OPERAND_RCX;
	}
	report_page(call, &page);
	if (hpa % level_size(page.level) != 0)
		status = TDX_OPERAND_INVALID | OPERAND_RCX;
	else if (page.entry->type == PT_TDR)
		status = reclaim_tdr(page_at(model, hpa));
	else
		status = reclaim_child(call, &page);
	if (!status) {
		uint64_t size = level_size(page.level);

		pamt_clear(&page);
		page_owner_changed(model, hpa, size, false);
	}
	pamt_unlock(&page);
	return status;
}

uint64_t tdh_phymem_page_wbinvd(struct call *call)
{
	struct tdx_model *model = call->model;
	uint64_t raw = call->gpr[TDX_RCX];
	uint64_t hpa = raw & ((UINT64_C(1) << keyid_shift(model)) - 1);
	struct page_lock page;
	uint64_t status;

	if (raw >> model->platform.max_pa_bits != 0)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	status = lock_any(call, hpa, LOCK_SHARED, &page);
	if (status)
		return status;
	if (page.entry->type != PT_NDA)
		status = TDX_PAGE_METADATA_INCORRECT | OPERAND_RCX;
	pamt_unlock(&page);
	return status;
}

/* ---- TDH.PHYMEM.CACHE.WB -------------------------------------------------- */

static bool start_cycle(struct tdx_model *model, struct wb_cycle *wb)
{
	bool any = false;

	wb->interrupted = false;
	memset(wb->keyids, 0, sizeof(wb->keyids));
	for (unsigned i = 0; i < MAX_KEYIDS; i++)
		if (model->keyid[i].state == KEYID_FLUSHED) {
			wb->keyids[i / 64] |= UINT64_C(1) << i % 64;
			any = true;
		}
	wb->next_block = 0;
	return any;
}

static void finish_cycle(struct tdx_model *model, struct wb_cycle *wb, uint32_t package)
{
	for (unsigned i = 0; i < MAX_KEYIDS; i++)
		if (wb->keyids[i / 64] >> i % 64 & 1)
			atomic_fetch_and(&model->keyid[i].packages_to_flush, ~package);
}

/* Looks for an interrupt after every block but the last. */
static uint64_t write_back(struct call *call, struct wb_cycle *wb)
{
	struct tdx_model *model = call->model;
	const struct tdx_machine *machine = &model->machine;

	while (wb->next_block < model->platform.wbinvd_blocks) {
		if (machine->wbinvd_block)
			machine->wbinvd_block(machine->ctx, call->lp, wb->next_block);
		wb->next_block++;
		if (wb->next_block < model->platform.wbinvd_blocks &&
		    machine->interrupt_pending(machine->ctx, call->lp, false)) {
			wb->interrupted = true;
			return TDX_INTERRUPTED_RESUMABLE;
		}
	}
	wb->interrupted = false;
	finish_cycle(model, wb, UINT32_C(1) << model->lp[call->lp].package);
	return TDX_SUCCESS;
}

static uint64_t cache_wb(struct call *call, struct wb_cycle *wb, bool resume)
{
	struct tdx_model *model = call->model;
	uint64_t status;

	if (!take_lock(model, &model->kot_lock, LOCK_SHARED))
		return TDX_OPERAND_BUSY | OPERAND_KOT;
	if (resume && !wb->interrupted)
		status = TDX_WBCACHE_RESUME_ERROR;
	else if (!resume && !start_cycle(model, wb))
		status = TDX_NO_HKID_READY_TO_WBCACHE;
	else
		status = write_back(call, wb);
	drop_lock(model, &model->kot_lock, LOCK_SHARED);
	return status;
}

uint64_t tdh_phymem_cache_wb(struct call *call)
{
	struct tdx_model *model = call->model;
	struct wb_cycle *wb = &model->wb[model->lp[call->lp].package];
	uint64_t status;

	if (call->gpr[TDX_RCX] > 1)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	if (!take_lock(model, &wb->lock, LOCK_EXCLUSIVE))
		return TDX_OPERAND_BUSY | OPERAND_WBCACHE;
	status = cache_wb(call, wb, call->gpr[TDX_RCX] == 1);
	drop_lock(model, &wb->lock, LOCK_EXCLUSIVE);
	return status;
}
