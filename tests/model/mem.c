/* SPDX-License-Identifier: MIT */
/* TDH.MEM.PAGE, TDH.MEM.RANGE, TDH.MEM.TRACK and the debugger's MEM.RD/WR. */
#include "tests/model/mem.h"

#include <string.h>

#include "tests/model/measure.h"

/* ---- adding pages --------------------------------------------------------- */

static void give_page(struct mem *mem, struct page_lock *page, uint64_t hpa,
		      enum sept_state state)
{
	page_owner_changed(mem->call->model, hpa, level_size(mem->level), true);
	pamt_set(page, PT_REG, mem->td.tdr_pa);
	td_add_children(&mem->td, (int64_t)(level_size(mem->level) / PAGE_4K));
	sept_set(&mem->walk, sept_entry(state, hpa));
}

static uint64_t add_page(struct mem *mem)
{
	struct tdx_model *model = mem->call->model;
	uint64_t hpa = mem->call->gpr[TDX_R8], source = mem->call->gpr[TDX_R9];
	struct page_lock page;
	uint64_t status;

	if (sept_state(mem->walk.entry) != SEPT_FREE)
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	status = check_shared_hpa(mem->call, source, PAGE_4K, OPERAND_R9);
	if (status)
		return status;
	status = page_lock_4k(mem->call, hpa, OPERAND_R8, LOCK_EXCLUSIVE, PT_NDA, &page);
	if (status)
		return status;
	source &= (UINT64_C(1) << keyid_shift(model)) - 1;
	memmove(page_at(model, hpa), page_at(model, source), PAGE_4K);
	give_page(mem, &page, hpa, SEPT_MAPPED);
	measure_page_add(mem->td.cs, mem->gpa);
	pamt_unlock(&page);
	return TDX_SUCCESS;
}

uint64_t tdh_mem_page_add(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_EXCLUSIVE,
					       .tree = LOCK_NONE,
					       .min_level = LEVEL_4K,
					       .max_level = LEVEL_4K};
	struct mem mem;
	uint64_t status = mem_begin(call, &rules, &mem);

	if (!status)
		status = add_page(&mem);
	return mem_end(&mem, status);
}

static uint64_t aug_page(struct mem *mem)
{
	uint64_t hpa = mem->call->gpr[TDX_R8];
	struct page_lock page;
	uint64_t status;

	if (sept_state(mem->walk.entry) != SEPT_FREE)
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	status = page_lock_free(mem->call, hpa, OPERAND_R8, (enum page_level)mem->level, &page);
	if (status)
		return status;
	give_page(mem, &page, hpa, SEPT_PENDING);
	pamt_unlock(&page);
	return TDX_SUCCESS;
}

uint64_t tdh_mem_page_aug(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_SHARED,
					       .tree = LOCK_SHARED,
					       .min_level = LEVEL_4K,
					       .max_level = LEVEL_2M};
	struct mem mem;
	uint64_t status = mem_begin(call, &rules, &mem);

	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = aug_page(&mem);
	return mem_end(&mem, status);
}

/* A page about to go: how much of it the guest has accepted does not matter any more. */
static uint64_t forget_accepted(struct mem *mem)
{
	uint64_t hpa = sept_hpa(mem->walk.entry, mem->level);

	mem->walk.entry = sept_entry(sept_state(mem->walk.entry), hpa);
	return hpa;
}

/* ---- removing and moving pages -------------------------------------------- */

static uint64_t remove_page(struct mem *mem)
{
	struct page_lock page;
	uint64_t hpa, status;

	if (!sept_state_is_leaf(sept_state(mem->walk.entry)))
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	hpa = forget_accepted(mem);
	status = page_lock_implicit(mem->call, hpa, (enum page_level)mem->level, &page);
	if (status)
		return status;
	status = mem_check_tracked(mem, page.entry);
	if (!status) {
		sept_set(&mem->walk, sept_entry(SEPT_FREE, 0));
		pamt_clear(&page);
		td_add_children(&mem->td, -(int64_t)(level_size(mem->level) / PAGE_4K));
		mem_changed(mem);
		page_owner_changed(mem->call->model, hpa, level_size(mem->level), false);
		mem->call->gpr[TDX_RCX] = hpa;
	}
	pamt_unlock(&page);
	return status;
}

uint64_t tdh_mem_page_remove(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_SHARED,
					       .tree = LOCK_SHARED,
					       .min_level = LEVEL_4K,
					       .max_level = LEVEL_1G};
	struct mem mem;
	uint64_t status = mem_begin(call, &rules, &mem);

	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = remove_page(&mem);
	return mem_end(&mem, status);
}

static enum sept_state unblocked(enum sept_state state)
{
	switch (state) {
	case SEPT_BLOCKED:
		return SEPT_MAPPED;
	case SEPT_PENDING_BLOCKED:
		return SEPT_PENDING;
	case SEPT_NL_BLOCKED:
		return SEPT_NL_MAPPED;
	case SEPT_FREE:
	case SEPT_PENDING:
	case SEPT_MAPPED:
	case SEPT_NL_MAPPED:
		break;
	}
	return state;
}

/* The page of a mapped or pending entry moves to a new frame, unblocked. */
static uint64_t relocate_page(struct mem *mem, struct page_lock *from)
{
	struct tdx_model *model = mem->call->model;
	uint64_t old = sept_hpa(mem->walk.entry, LEVEL_4K), new = mem->call->gpr[TDX_R8];
	enum sept_state state = unblocked(sept_state(mem->walk.entry));
	struct page_lock to;
	uint64_t status;

	status = mem_check_tracked(mem, from->entry);
	if (status)
		return status;
	status = page_lock_4k(mem->call, new, OPERAND_R8, LOCK_EXCLUSIVE, PT_NDA, &to);
	if (status)
		return status;
	page_owner_changed(model, new, PAGE_4K, true);
	if (state == SEPT_MAPPED)
		memcpy(page_at(model, new), page_at(model, old), PAGE_4K);
	sept_set(&mem->walk, sept_entry(state, new));
	pamt_set(&to, PT_REG, mem->td.tdr_pa);
	pamt_clear(from);
	mem_changed(mem);
	page_owner_changed(model, old, PAGE_4K, false);
	mem->call->gpr[TDX_RCX] = old;
	pamt_unlock(&to);
	return TDX_SUCCESS;
}

static uint64_t relocate(struct mem *mem)
{
	uint64_t old = sept_hpa(mem->walk.entry, LEVEL_4K);
	struct page_lock from;
	uint64_t status;

	if (!sept_state_is_leaf(sept_state(mem->walk.entry)))
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	if (mem->call->gpr[TDX_R8] == old)
		return TDX_OPERAND_INVALID | OPERAND_R8;
	status = page_lock_implicit(mem->call, old, LEVEL_4K, &from);
	if (status)
		return status;
	status = relocate_page(mem, &from);
	pamt_unlock(&from);
	return status;
}

uint64_t tdh_mem_page_relocate(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_SHARED,
					       .tree = LOCK_SHARED,
					       .min_level = LEVEL_4K,
					       .max_level = LEVEL_4K};
	struct mem mem;
	uint64_t status = mem_begin(call, &rules, &mem);

	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = relocate(&mem);
	return mem_end(&mem, status);
}

/* ---- splitting and merging ------------------------------------------------ */

/* "Again from the start": the operands are as the host passed them. */
static uint64_t interrupted(struct mem *mem)
{
	mem->call->gpr[TDX_RCX] = mem->rcx;
	mem->call->gpr[TDX_RDX] = mem->rdx;
	return TDX_INTERRUPTED_RESTARTABLE;
}

static bool interrupt_pending(struct call *call)
{
	return call->model->machine.interrupt_pending(call->model->machine.ctx, call->lp,
						      false);
}

static uint64_t demote_page(struct mem *mem, struct page_lock *table)
{
	uint64_t hpa = sept_hpa(mem->walk.entry, mem->level), table_pa = mem->call->gpr[TDX_R8];
	enum sept_state state = unblocked(sept_state(mem->walk.entry));
	uint64_t small = level_size(mem->level - 1);
	uint64_t bepoch = atomic_load(&table->entry->bepoch);
	uint64_t *entry;

	if (interrupt_pending(mem->call))
		return interrupted(mem);
	if (!pamt_split(mem->call->model, hpa, (enum page_level)mem->level))
		return TDX_OPERAND_BUSY | OPERAND_RCX;
	sept_init_page(mem, table, table_pa);
	atomic_store(&table->entry->bepoch, bepoch); /* this leaf does not clear it */
	entry = page_at(mem->call->model, table_pa);
	for (unsigned i = 0; i < 512; i++)
		entry[i] = sept_entry(state, hpa + i * small);
	sept_set(&mem->walk, sept_entry(SEPT_NL_MAPPED, table_pa));
	mem_changed(mem);
	return TDX_SUCCESS;
}

static uint64_t demote(struct mem *mem)
{
	struct call *call = mem->call;
	struct page_lock table;
	struct pamt_entry *page;
	uint64_t status;

	if (!sept_state_is_leaf(sept_state(mem->walk.entry)))
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	page = pamt_entry_of(call->model, forget_accepted(mem), (enum page_level)mem->level);
	status = mem_check_tracked(mem, page);
	if (status)
		return status;
	status = page_lock_4k(call, call->gpr[TDX_R8], OPERAND_R8, LOCK_EXCLUSIVE, PT_NDA,
			      &table);
	if (status)
		return status;
	status = demote_page(mem, &table);
	pamt_unlock(&table);
	return status;
}

uint64_t tdh_mem_page_demote(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_SHARED,
					       .tree = LOCK_SHARED,
					       .min_level = LEVEL_2M,
					       .max_level = LEVEL_1G,
					       .flags = 1};
	struct mem mem;
	uint64_t status = mem_begin(call, &rules, &mem);

	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = demote(&mem);
	return mem_end(&mem, status);
}

/*
 * Locks and compares the 512 entries of a table: one state, mapped or pending,
 * and consecutive addresses that start on a boundary of the large page.
 */
static uint64_t lock_children(struct mem *mem, _Atomic uint64_t *entry, unsigned *locked,
			      uint64_t *first)
{
	unsigned small = mem->level - 1;

	for (unsigned i = 0; i < 512; i++) {
		struct sept_walk child = {.slot = &entry[i], .level = small};
		enum sept_state state;
		uint64_t hpa;

		if (!sept_lock_host(&child))
			return TDX_OPERAND_BUSY;
		*locked = i + 1;
		state = sept_state(child.entry);
		hpa = sept_hpa(child.entry, small);
		if (i == 0)
			*first = sept_entry(state, hpa);
		if ((state != SEPT_MAPPED && state != SEPT_PENDING) ||
		    sept_hpa(*first, LEVEL_4K) % level_size(mem->level) != 0 ||
		    sept_entry(state, hpa) != *first + i * level_size(small))
			return TDX_EPT_INVALID_PROMOTE_CONDITIONS;
	}
	return TDX_SUCCESS;
}

static uint64_t merge(struct mem *mem, struct page_lock *table, uint64_t table_pa,
		      uint64_t first)
{
	if (interrupt_pending(mem->call))
		return interrupted(mem);
	if (!pamt_merge(mem->call->model, sept_hpa(first, LEVEL_4K),
			(enum page_level)mem->level))
		return TDX_OPERAND_BUSY | OPERAND_RCX;
	sept_set(&mem->walk, first);
	pamt_clear(table);
	td_add_children(&mem->td, -1);
	mem_changed(mem);
	mem->call->gpr[TDX_RCX] = table_pa;
	return TDX_SUCCESS;
}

static uint64_t promote_table(struct mem *mem, struct page_lock *table, uint64_t table_pa)
{
	_Atomic uint64_t *entry = page_at(mem->call->model, table_pa);
	unsigned locked = 0;
	uint64_t first;
	uint64_t status = lock_children(mem, entry, &locked, &first);

	if (status)
		status = mem_fail(mem, status);
	else
		status = merge(mem, table, table_pa, first);
	for (unsigned i = 0; i < locked; i++) {
		struct sept_walk child = {.slot = &entry[i]};

		sept_unlock(&child);
	}
	if (!status)
		page_owner_changed(mem->call->model, table_pa, PAGE_4K, false);
	return status;
}

static uint64_t promote(struct mem *mem)
{
	enum sept_state state = sept_state(mem->walk.entry);
	uint64_t table_pa = sept_hpa(mem->walk.entry, LEVEL_4K);
	struct page_lock table;
	uint64_t status;

	if (state != SEPT_NL_MAPPED && state != SEPT_NL_BLOCKED)
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	status = page_lock_implicit(mem->call, table_pa, LEVEL_4K, &table);
	if (status)
		return status;
	status = mem_check_tracked(mem, table.entry);
	if (!status)
		status = promote_table(mem, &table, table_pa);
	pamt_unlock(&table);
	return status;
}

uint64_t tdh_mem_page_promote(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_SHARED,
					       .tree = LOCK_SHARED,
					       .min_level = LEVEL_2M,
					       .max_level = LEVEL_1G};
	struct mem mem;
	uint64_t status;

	if (call->version > 0)
		call->gpr[TDX_R9] = call->gpr[TDX_R10] = call->gpr[TDX_R11] = NULL_PA;
	if (call->version > 1) {
		call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = 0;
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	}
	status = mem_begin(call, &rules, &mem);
	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = promote(&mem);
	return mem_end(&mem, status);
}

/* ---- blocking and tracking ------------------------------------------------ */

/* The PAMT entry that carries the block epoch: of the page, or of the table below. */
static struct pamt_entry *epoch_holder(struct mem *mem)
{
	bool leaf = sept_state_is_leaf(sept_state(mem->walk.entry));
	unsigned level = leaf ? mem->level : LEVEL_4K;

	return pamt_entry_of(mem->call->model, sept_hpa(mem->walk.entry, level),
			     (enum page_level)level);
}

static uint64_t block(struct mem *mem)
{
	enum sept_state state = sept_state(mem->walk.entry);
	uint64_t address;

	if (sept_state_is_blocked(state))
		return mem_fail(mem, TDX_GPA_RANGE_ALREADY_BLOCKED);
	if (state == SEPT_FREE)
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	address = sept_state_is_leaf(state) ? forget_accepted(mem)
					    : sept_hpa(mem->walk.entry, LEVEL_4K);
	atomic_store(&epoch_holder(mem)->bepoch, atomic_load(&mem->td.cs->epoch));
	sept_set(&mem->walk, sept_entry(state == SEPT_MAPPED    ? SEPT_BLOCKED
					: state == SEPT_PENDING ? SEPT_PENDING_BLOCKED
								: SEPT_NL_BLOCKED,
					address));
	mem_changed(mem);
	return TDX_SUCCESS;
}

static uint64_t unblock(struct mem *mem)
{
	enum sept_state state = sept_state(mem->walk.entry);
	uint64_t address = mem->walk.entry & ~sept_entry((enum sept_state)0xff, 0);

	if (!sept_state_is_blocked(state))
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	if (needs_tlb_tracking(&mem->td) &&
	    !is_tlb_tracked(&mem->td, atomic_load(&epoch_holder(mem)->bepoch)))
		return TDX_TLB_TRACKING_NOT_DONE | OPERAND_SEPT_TREE;
	sept_set(&mem->walk, sept_entry(unblocked(state), address));
	mem_changed(mem);
	return TDX_SUCCESS;
}

static const struct mem_rules range_rules = {.tdr = LOCK_SHARED,
					     .tree = LOCK_EXCLUSIVE,
					     .min_level = LEVEL_4K,
					     .max_level = LEVEL_ROOT};

uint64_t tdh_mem_range_block(struct call *call)
{
	struct mem mem;
	uint64_t status = mem_begin(call, &range_rules, &mem);

	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = block(&mem);
	return mem_end(&mem, status);
}

uint64_t tdh_mem_range_unblock(struct call *call)
{
	struct mem mem;
	uint64_t status = mem_begin(call, &range_rules, &mem);

	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = unblock(&mem);
	return mem_end(&mem, status);
}

uint64_t tdh_mem_track(struct call *call)
{
	struct td td;
	uint64_t status = td_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_SHARED, &td);

	if (status)
		return status;
	status = td_check(&td, TDH_MEM_TRACK, LOCK_SHARED);
	if (!status && !take_lock(call->model, &td.cs->epoch_lock, LOCK_EXCLUSIVE))
		status = TDX_OPERAND_BUSY | OPERAND_TD_EPOCH;
	else if (!status) {
		uint64_t epoch = atomic_load(&td.cs->epoch);

		if (atomic_load(&td.cs->refcount[(epoch - 1) & 1]) != 0)
			status = TDX_PREVIOUS_TLB_EPOCH_BUSY;
		else
			atomic_store(&td.cs->epoch, epoch + 1);
		drop_lock(call->model, &td.cs->epoch_lock, LOCK_EXCLUSIVE);
	}
	td_unlock(&td);
	return status;
}

/* ---- debugging ------------------------------------------------------------ */

/* Like the other leaves, but the tree is locked before the GPA is looked at. */
static uint64_t begin_debug(struct call *call, struct mem *mem)
{
	uint64_t gpa = call->gpr[TDX_RCX];
	uint64_t status;

	*mem = (struct mem){.call = call};
	status = td_lock(call, call->gpr[TDX_RDX], OPERAND_RDX, LOCK_SHARED, &mem->td);
	call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = call->gpr[TDX_R8] = 0;
	if (!status)
		status = td_check(&mem->td, call->leaf, LOCK_SHARED);
	if (status)
		return status;
	if (!td_is_debug(&mem->td))
		return TDX_TD_NON_DEBUG;
	if (gpa % 8 != 0)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	if (!take_lock(call->model, &mem->td.cs->sept_lock, LOCK_SHARED))
		return TDX_OPERAND_BUSY | OPERAND_SEPT_TREE;
	mem->tree = LOCK_SHARED;
	if (!gpa_is_private(&mem->td, gpa))
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	mem->gpa = gpa;
	sept_walk_to(&mem->td, gpa, LEVEL_4K, &mem->walk);
	if (sept_state(mem->walk.entry) != SEPT_MAPPED)
		return mem_fail(mem, TDX_EPT_ENTRY_NOT_PRESENT);
	return mem_lock_entry(mem);
}

/* The 8 bytes at the GPA of a DEBUG TD; before they are written, R8 tells what they were. */
static uint64_t access_word(struct call *call, const uint64_t *data)
{
	struct mem mem;
	uint64_t status = begin_debug(call, &mem);
	void *word;

	if (!status && sept_state(mem.walk.entry) != SEPT_MAPPED)
		status = mem_fail(&mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	if (!status) {
		word = page_at(call->model,
			       sept_hpa(mem.walk.entry, mem.walk.level) |
				       (mem.gpa & (level_size(mem.walk.level) - 1)));
		memcpy(&call->gpr[TDX_R8], word, 8);
		if (data)
			memcpy(word, data, 8);
	}
	return mem_end(&mem, status);
}

uint64_t tdh_mem_rd(struct call *call) { return access_word(call, NULL); }

uint64_t tdh_mem_wr(struct call *call)
{
	uint64_t data = call->gpr[TDX_R8];

	return access_word(call, &data);
}
