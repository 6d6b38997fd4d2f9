/* SPDX-License-Identifier: MIT */
/*
 * Secure EPT: entries, walks, entry locks, and TDH.MEM.SEPT.ADD/RD/REMOVE.
 *
 * An entry holds the state as TDH.MEM.SEPT.RD shows it in bits 59:52 (so a free
 * entry is 0 and an empty page is all zero), the page's address in 51:12, and the
 * lock in 11:10. A 2M page that is being accepted keeps the number of 4K pages
 * already done in 20:12.
 */
#include "tests/model/mem.h"

#include <string.h>

#define ENTRY_LOCKED      (UINT64_C(1) << 11)
#define ENTRY_HOST_WAITED (UINT64_C(1) << 10)
#define ENTRY_LOCK_BITS   (ENTRY_LOCKED | ENTRY_HOST_WAITED)
#define ENTRY_HPA         UINT64_C(0x000ffffffffff000)
#define ENTRY_STATE_SHIFT 52

/* The architectural view of an entry in RCX. */
#define ARCH_SUPPRESS_VE (UINT64_C(1) << 63)
#define ARCH_LEAF        UINT64_C(0xf0) /* write-back, ignore PAT, page */
#define ARCH_RWX         UINT64_C(0x7)

enum sept_state sept_state(uint64_t entry)
{
	return (enum sept_state)(entry >> ENTRY_STATE_SHIFT & 0xff);
}

uint64_t sept_entry(enum sept_state state, uint64_t hpa)
{
	return (uint64_t)state << ENTRY_STATE_SHIFT | hpa;
}

uint64_t sept_hpa(uint64_t entry, unsigned level)
{
	return entry & ENTRY_HPA & ~(level_size(level) - 1);
}

bool sept_state_is_leaf(enum sept_state state)
{
	return state == SEPT_BLOCKED || state == SEPT_PENDING ||
	       state == SEPT_PENDING_BLOCKED || state == SEPT_MAPPED;
}

/* Of a half-accepted 2M page the host also sees how far the guest has come. */
static uint64_t arch_entry(uint64_t entry)
{
	switch (sept_state(entry)) {
	case SEPT_NL_MAPPED:
		return ARCH_RWX;
	case SEPT_NL_BLOCKED:
		return 0;
	case SEPT_MAPPED:
		return ARCH_SUPPRESS_VE | (entry & ENTRY_HPA) | ARCH_LEAF | ARCH_RWX;
	case SEPT_PENDING:
	case SEPT_BLOCKED:
	case SEPT_PENDING_BLOCKED:
		return ARCH_SUPPRESS_VE | (entry & ENTRY_HPA) | ARCH_LEAF;
	case SEPT_FREE:
		break;
	}
	return ARCH_SUPPRESS_VE;
}

void sept_report(struct call *call, const struct sept_walk *walk)
{
	call->gpr[TDX_RCX] = arch_entry(walk->entry);
	call->gpr[TDX_RDX] = walk->level | (uint64_t)sept_state(walk->entry) << 8;
}

bool sept_walk_to(struct td *td, uint64_t gpa, unsigned level, struct sept_walk *walk)
{
	uint64_t table = td->cs->eptp & ENTRY_HPA;

	for (walk->level = (unsigned)(td->cs->eptp >> 3 & 7);; walk->level--) {
		unsigned index = (unsigned)(gpa / level_size(walk->level)) & 511;

		walk->slot = (_Atomic uint64_t *)page_at(td->model, table) + index;
		walk->entry = atomic_load(walk->slot) & ~ENTRY_LOCK_BITS;
		if (walk->level == level)
			return true;
		if (sept_state(walk->entry) != SEPT_NL_MAPPED)
			return false;
		table = walk->entry & ENTRY_HPA;
	}
}

/* A host that comes too late leaves a note, so that the guest lets it go first. */
bool sept_lock_host(struct sept_walk *walk)
{
	uint64_t seen = atomic_fetch_or(walk->slot, ENTRY_LOCKED);

	if (seen & ENTRY_LOCKED) {
		atomic_fetch_or(walk->slot, ENTRY_HOST_WAITED);
		return false;
	}
	atomic_fetch_and(walk->slot, ~ENTRY_HOST_WAITED);
	walk->entry = seen & ~ENTRY_LOCK_BITS;
	return true;
}

uint64_t sept_lock_guest(struct sept_walk *walk)
{
	uint64_t seen = atomic_load(walk->slot);

	do {
		if (seen & ENTRY_LOCKED)
			return TDX_OPERAND_BUSY;
		if (seen & ENTRY_HOST_WAITED)
			return TDX_OPERAND_BUSY_HOST_PRIORITY;
	} while (!atomic_compare_exchange_weak(walk->slot, &seen, seen | ENTRY_LOCKED));
	walk->entry = seen;
	return TDX_SUCCESS;
}

void sept_unlock(struct sept_walk *walk) { atomic_fetch_and(walk->slot, ~ENTRY_LOCKED); }

void sept_set(struct sept_walk *walk, uint64_t entry)
{
	atomic_store(walk->slot, entry | (atomic_load(walk->slot) & ENTRY_LOCK_BITS));
	walk->entry = entry;
}

bool gpa_is_private(const struct td *td, uint64_t gpa)
{
	return gpa >> (td_gpa_bits(td) - 1) == 0;
}

bool gpa_operand(uint64_t raw, unsigned min_level, unsigned max_level, uint64_t *gpa,
		 unsigned *level)
{
	*level = (unsigned)(raw & 7);
	*gpa = raw & ENTRY_HPA;
	return (raw & ~(ENTRY_HPA | 7)) == 0 && *level >= min_level && *level <= max_level &&
	       *gpa % level_size(*level) == 0;
}

bool needs_tlb_tracking(const struct td *td)
{
	return atomic_load(&td->cs->op_state) == OP_RUNNABLE;
}

/*
 * Every vCPU that could hold a translation from before the block has left the
 * guest since: the block lies two epochs back, or one and nobody is left in it.
 */
bool is_tlb_tracked(const struct td *td, uint64_t bepoch)
{
	uint64_t epoch = atomic_load(&td->cs->epoch);

	if (bepoch + 1 < epoch)
		return true;
	return bepoch + 1 == epoch && atomic_load(&td->cs->refcount[bepoch & 1]) == 0;
}

/* ---- what the MEM leaves have in common ----------------------------------- */

uint64_t mem_begin(struct call *call, const struct mem_rules *rules, struct mem *mem)
{
	uint64_t operand = call->gpr[TDX_RCX], tdr_pa = call->gpr[TDX_RDX];
	uint64_t flags = tdr_pa & rules->flags;
	unsigned max_level;
	uint64_t status;

	*mem = (struct mem){.call = call, .rcx = operand, .rdx = tdr_pa, .flags = flags};
	call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = 0;
	if (rules->flags && (tdr_pa & (PAGE_4K - 1) & ~rules->flags || tdr_pa >> 52))
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	status = td_lock(call, tdr_pa & ~rules->flags, OPERAND_RDX, rules->tdr, &mem->td);
	if (status)
		return status;
	status = td_check(&mem->td, call->leaf,
			  rules->tdr == LOCK_EXCLUSIVE ? LOCK_NONE : LOCK_SHARED);
	if (status)
		return status;
	if ((flags & rules->debug_flags) && !td_is_debug(&mem->td))
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	max_level = rules->max_level == LEVEL_ROOT ? (unsigned)(mem->td.cs->eptp >> 3 & 7)
						   : rules->max_level;
	if (!gpa_operand(operand, rules->min_level, max_level, &mem->gpa, &mem->level) ||
	    !gpa_is_private(&mem->td, mem->gpa))
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	if (!take_lock(call->model, &mem->td.cs->sept_lock, rules->tree))
		return TDX_OPERAND_BUSY | OPERAND_SEPT_TREE;
	mem->tree = rules->tree;
	if (!sept_walk_to(&mem->td, mem->gpa, mem->level, &mem->walk))
		return mem_fail(mem, TDX_EPT_WALK_FAILED);
	return TDX_SUCCESS;
}

uint64_t mem_lock_entry(struct mem *mem)
{
	if (!sept_lock_host(&mem->walk))
		return mem_fail(mem, TDX_OPERAND_BUSY);
	mem->entry_locked = true;
	return TDX_SUCCESS;
}

uint64_t mem_fail(struct mem *mem, uint64_t status)
{
	sept_report(mem->call, &mem->walk);
	return status | OPERAND_RCX;
}

uint64_t mem_end(struct mem *mem, uint64_t status)
{
	if (mem->entry_locked)
		sept_unlock(&mem->walk);
	if (mem->tree != LOCK_NONE)
		drop_lock(mem->call->model, &mem->td.cs->sept_lock, mem->tree);
	if (mem->td.tdr_lock.entry)
		td_unlock(&mem->td);
	return status;
}

bool sept_state_is_blocked(enum sept_state state)
{
	return state == SEPT_BLOCKED || state == SEPT_PENDING_BLOCKED ||
	       state == SEPT_NL_BLOCKED;
}

uint64_t mem_check_tracked(struct mem *mem, const struct pamt_entry *page)
{
	if (!needs_tlb_tracking(&mem->td))
		return TDX_SUCCESS;
	if (!sept_state_is_blocked(sept_state(mem->walk.entry)))
		return mem_fail(mem, TDX_GPA_RANGE_NOT_BLOCKED);
	if (!is_tlb_tracked(&mem->td, atomic_load(&page->bepoch)))
		return TDX_TLB_TRACKING_NOT_DONE | OPERAND_RCX;
	return TDX_SUCCESS;
}

void mem_changed(struct mem *mem)
{
	const struct tdx_machine *machine = &mem->call->model->machine;

	if (machine->sept_changed)
		machine->sept_changed(machine->ctx, mem->td.tdr_pa, mem->gpa, mem->level);
}

uint64_t page_lock_implicit(struct call *call, uint64_t hpa, enum page_level level,
			    struct page_lock *page)
{
	*page = (struct page_lock){.mode = LOCK_EXCLUSIVE, .level = level};
	page->entry = pamt_entry_of(call->model, hpa, level);
	if (!take_lock(call->model, &page->entry->lock, LOCK_EXCLUSIVE)) {
		page->entry = NULL;
		return TDX_OPERAND_BUSY | OPERAND_RCX;
	}
	if (level < LEVEL_1G) {
		struct pamt_entry *above =
			pamt_entry_of(call->model, hpa, (enum page_level)(level + 1));

		if (take_lock(call->model, &above->lock, LOCK_SHARED))
			page->above[level] = above;
		else {
			pamt_unlock(page);
			return TDX_OPERAND_BUSY | OPERAND_RCX;
		}
	}
	return TDX_SUCCESS;
}

/* ---- TDH.MEM.SEPT --------------------------------------------------------- */

#define ALLOW_EXISTING 1u
#define PA_UNUSED      (UINT64_C(1) << 63)

void sept_init_page(struct mem *mem, struct page_lock *page, uint64_t hpa)
{
	page_owner_changed(mem->call->model, hpa, PAGE_4K, true);
	memset(page_at(mem->call->model, hpa), 0, PAGE_4K);
	pamt_set(page, PT_EPT, mem->td.tdr_pa);
	td_add_children(&mem->td, 1);
}

/* Pages for the Secure EPT of L2 VMs, which the model has not. */
static uint64_t check_l2_pages(const uint64_t pages[4])
{
	for (unsigned vm = 1; vm <= MAX_L2_VMS; vm++)
		if (pages[vm] != NULL_PA)
			return TDX_OPERAND_INVALID | (OPERAND_R8 + vm);
	return TDX_SUCCESS;
}

static uint64_t add_table(struct mem *mem, unsigned version, uint64_t pages[4])
{
	struct page_lock page = {0};
	enum sept_state state = sept_state(mem->walk.entry);
	uint64_t hpa = pages[0];
	uint64_t status;

	if (state != SEPT_FREE && state != SEPT_NL_MAPPED)
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	if (hpa == NULL_PA) {
		if (version == 0)
			return TDX_OPERAND_INVALID | OPERAND_R8;
		if (state != SEPT_NL_MAPPED)
			return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	} else if (state == SEPT_FREE) {
		status =
			page_lock_4k(mem->call, hpa, OPERAND_R8, LOCK_EXCLUSIVE, PT_NDA, &page);
		if (status)
			return status;
	} else if (mem->flags & ALLOW_EXISTING) {
		pages[0] |= PA_UNUSED;
	} else {
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	}
	status = version > 0 ? check_l2_pages(pages) : TDX_SUCCESS;
	if (!status && page.entry) {
		sept_init_page(mem, &page, hpa);
		sept_set(&mem->walk, sept_entry(SEPT_NL_MAPPED, hpa));
		pages[0] = NULL_PA;
	}
	if (page.entry)
		pamt_unlock(&page);
	return status;
}

uint64_t tdh_mem_sept_add(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_SHARED,
					       .tree = LOCK_SHARED,
					       .min_level = LEVEL_2M,
					       .max_level = LEVEL_ROOT,
					       .flags = ALLOW_EXISTING};
	uint64_t pages[4] = {call->gpr[TDX_R8], call->gpr[TDX_R9], call->gpr[TDX_R10],
			     call->gpr[TDX_R11]};
	struct mem mem;
	uint64_t status;

	if (call->version > 1) {
		call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = 0;
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	}
	for (unsigned i = 0; i < 4; i++)
		if (pages[i] != NULL_PA)
			pages[i] &= ~PA_UNUSED;
	status = mem_begin(call, &rules, &mem);
	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = add_table(&mem, call->version, pages);
	if (call->version > 0)
		for (unsigned i = 0; i < 4; i++)
			call->gpr[TDX_R8 + i] = pages[i];
	return mem_end(&mem, status);
}

#define L2_ATTRIBUTES 1u

uint64_t tdh_mem_sept_rd(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_SHARED,
					       .tree = LOCK_SHARED,
					       .min_level = LEVEL_4K,
					       .max_level = LEVEL_ROOT,
					       .flags = L2_ATTRIBUTES,
					       .debug_flags = L2_ATTRIBUTES};
	struct mem mem;
	uint64_t status = mem_begin(call, &rules, &mem);

	if (!status)
		status = mem_lock_entry(&mem);
	if (!status) {
		sept_report(call, &mem.walk);
		if (mem.flags & L2_ATTRIBUTES)
			call->gpr[TDX_R8] = 0;
	}
	return mem_end(&mem, status);
}

static bool table_is_free(struct tdx_model *model, uint64_t hpa)
{
	const uint64_t *entry = page_at(model, hpa);

	for (unsigned i = 0; i < 512; i++)
		if (sept_state(entry[i]) != SEPT_FREE)
			return false;
	return true;
}

static uint64_t remove_table(struct mem *mem)
{
	enum sept_state state = sept_state(mem->walk.entry);
	uint64_t hpa = sept_hpa(mem->walk.entry, LEVEL_4K);
	struct page_lock page;
	uint64_t status;

	if (state != SEPT_NL_MAPPED && state != SEPT_NL_BLOCKED)
		return mem_fail(mem, TDX_EPT_ENTRY_STATE_INCORRECT);
	status = page_lock_implicit(mem->call, hpa, LEVEL_4K, &page);
	if (status)
		return status;
	status = mem_check_tracked(mem, page.entry);
	if (!status && !table_is_free(mem->call->model, hpa))
		status = mem_fail(mem, TDX_EPT_PAGE_NOT_FREE);
	if (!status) {
		sept_set(&mem->walk, sept_entry(SEPT_FREE, 0));
		pamt_clear(&page);
		td_add_children(&mem->td, -1);
		mem_changed(mem);
		page_owner_changed(mem->call->model, hpa, PAGE_4K, false);
		mem->call->gpr[TDX_RCX] = hpa;
	}
	pamt_unlock(&page);
	return status;
}

static void no_l2_pages(struct call *call)
{
	if (call->version > 0)
		call->gpr[TDX_R9] = call->gpr[TDX_R10] = call->gpr[TDX_R11] = NULL_PA;
}

uint64_t tdh_mem_sept_remove(struct call *call)
{
	static const struct mem_rules rules = {.tdr = LOCK_SHARED,
					       .tree = LOCK_EXCLUSIVE,
					       .min_level = LEVEL_2M,
					       .max_level = LEVEL_ROOT};
	struct mem mem;
	uint64_t status;

	no_l2_pages(call);
	if (call->version > 1) {
		call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = 0;
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	}
	status = mem_begin(call, &rules, &mem);
	if (!status)
		status = mem_lock_entry(&mem);
	if (!status)
		status = remove_table(&mem);
	return mem_end(&mem, status);
}

/* ---- for the machine ------------------------------------------------------ */

enum tdx_gpa_kind tdx_model_translate(struct tdx_model *model, uint64_t tdr_hpa, uint64_t gpa,
				      uint64_t *hpa, unsigned *level)
{
	struct td td = {.model = model, .tdr_pa = tdr_hpa, .tdr = page_at(model, tdr_hpa)};
	struct sept_walk walk;

	td.cs = tdcs_of(model, td.tdr);
	if (!gpa_is_private(&td, gpa))
		return TDX_GPA_NOT_MAPPED;
	sept_walk_to(&td, gpa, LEVEL_4K, &walk);
	if (sept_state(walk.entry) != SEPT_MAPPED)
		return TDX_GPA_NOT_MAPPED;
	*level = walk.level;
	*hpa = sept_hpa(walk.entry, walk.level) | (gpa & (level_size(walk.level) - 1));
	return TDX_GPA_MAPPED;
}
