/* SPDX-License-Identifier: MIT */
/*
 * Physical pages: which are usable, who owns them, and the operand checks that
 * all leaves share. One entry per 4K, 2M and 1G page lies in the host's PAMT
 * memory. Walks hold the entries above the leaf shared, so that nobody turns
 * 512 small pages into a large one, or the reverse, under a walker's feet.
 */
#include "tests/model/model.h"

_Static_assert(sizeof(struct pamt_entry) == 16, "PAMT entries are 16 bytes");

void *page_at(struct tdx_model *model, uint64_t hpa)
{
	return model->machine.memory(model->machine.ctx, hpa);
}

void page_owner_changed(struct tdx_model *model, uint64_t hpa, uint64_t size, bool module)
{
	if (model->machine.owner_changed)
		model->machine.owner_changed(model->machine.ctx, hpa, size, module);
}

unsigned keyid_shift(const struct tdx_model *model)
{
	return model->platform.max_pa_bits - model->platform.keyid_bits;
}

uint64_t with_keyid(const struct tdx_model *model, uint64_t hpa, unsigned keyid)
{
	return hpa | (uint64_t)keyid << keyid_shift(model);
}

bool keyid_is_private(const struct tdx_model *model, uint64_t keyid)
{
	const struct tdx_platform *p = &model->platform;

	return keyid >= p->first_private_keyid &&
	       keyid - p->first_private_keyid < p->private_keyid_count;
}

/* A private page operand names the page by its address without KeyID. */
static bool hpa_is_plain(const struct tdx_model *model, uint64_t hpa)
{
	return hpa >> keyid_shift(model) == 0;
}

uint64_t check_shared_hpa(struct call *call, uint64_t hpa, uint64_t align, unsigned operand)
{
	struct tdx_model *model = call->model;
	const struct tdx_platform *p = &model->platform;
	uint64_t plain = hpa & ((UINT64_C(1) << keyid_shift(model)) - 1);

	if (hpa >> p->max_pa_bits != 0 || hpa % align != 0 ||
	    hpa >> keyid_shift(model) >= p->first_private_keyid ||
	    ranges_overlap(plain, align, p->seamrr.base, p->seamrr.size))
		return TDX_OPERAND_INVALID | operand;
	return TDX_SUCCESS;
}

static struct tdmr *tdmr_of(struct tdx_model *model, uint64_t hpa)
{
	for (unsigned i = 0; i < model->tdmr_count; i++) {
		struct tdmr *tdmr = &model->tdmr[i];

		if (hpa - tdmr->base < tdmr->size && hpa >= tdmr->base)
			return tdmr;
	}
	return NULL;
}

/* Pages become usable one initialised GiB at a time. */
bool page_in_tdmr(struct tdx_model *model, uint64_t hpa)
{
	struct tdmr *tdmr = tdmr_of(model, hpa);

	return tdmr && hpa < (atomic_load(&tdmr->next_to_init) & ~(PAGE_1G - 1));
}

struct pamt_entry *pamt_entry_of(struct tdx_model *model, uint64_t hpa, enum page_level level)
{
	const struct tdmr *tdmr = tdmr_of(model, hpa);
	uint64_t index = (hpa - tdmr->base) / level_size(level);

	return page_at(model, tdmr->pamt_base[level] + index * sizeof(struct pamt_entry));
}

uint64_t pamt_owner(const struct pamt_entry *entry)
{
	return (uint64_t)entry->owner_high << 20 | (uint64_t)entry->owner_low << 12;
}

static void set_owner(struct pamt_entry *entry, uint64_t owner)
{
	entry->owner_high = (uint32_t)(owner >> 20);
	entry->owner_low = (uint8_t)(owner >> 12);
}

/* The entry above counts what is in use below it. */
static void count_use(const struct page_lock *page, bool use)
{
	unsigned above = page->level;

	if (above < LEVEL_1G && page->above[above])
		atomic_fetch_add(&page->above[above]->bepoch,
				 use ? PAMT_ONE_USED : -PAMT_ONE_USED);
}

void pamt_set(const struct page_lock *page, enum page_type type, uint64_t owner)
{
	page->entry->type = (uint8_t)type;
	set_owner(page->entry, owner);
	if (type == PT_REG || type == PT_EPT)
		atomic_store(&page->entry->bepoch, 0);
	count_use(page, true);
}

/* Owner and BEPOCH stay as they were; the host sees that in TDH.PHYMEM.PAGE.RDMD. */
void pamt_clear(const struct page_lock *page)
{
	page->entry->type = PT_NDA;
	count_use(page, false);
}

/*
 * Walks from 1G downwards, to `target` or to the page that covers `hpa`,
 * whichever is larger.
 */
static bool walk(struct tdx_model *model, uint64_t hpa, enum page_level target,
		 enum lock_mode mode, struct page_lock *page)
{
	*page = (struct page_lock){.mode = mode};
	for (int level = LEVEL_1G; level >= LEVEL_4K; level--) {
		struct pamt_entry *entry = pamt_entry_of(model, hpa, (enum page_level)level);
		bool last = level == (int)target || entry->type != PT_NDA;

		if (!take_lock(model, &entry->lock, last ? mode : LOCK_SHARED))
			break;
		if (last) {
			page->entry = entry;
			page->level = (enum page_level)level;
			return true;
		}
		page->above[level - 1] = entry;
	}
	pamt_unlock(page);
	return false;
}

bool pamt_lock_leaf(struct tdx_model *model, uint64_t hpa, enum lock_mode mode,
		    struct page_lock *page)
{
	return walk(model, hpa, LEVEL_4K, mode, page);
}

void pamt_unlock(struct page_lock *page)
{
	if (page->entry)
		lock_release(&page->entry->lock, page->mode);
	for (unsigned i = 0; i < 2; i++)
		if (page->above[i])
			lock_release(&page->above[i]->lock, LOCK_SHARED);
	*page = (struct page_lock){0};
}

uint64_t page_lock_4k(struct call *call, uint64_t hpa, unsigned operand, enum lock_mode mode,
		      enum page_type type, struct page_lock *page)
{
	struct tdx_model *model = call->model;

	*page = (struct page_lock){0};
	if (!hpa_is_plain(model, hpa) || hpa % PAGE_4K != 0)
		return TDX_OPERAND_INVALID | operand;
	if (!page_in_tdmr(model, hpa))
		return TDX_OPERAND_ADDR_RANGE_ERROR | operand;
	if (!walk(model, hpa, LEVEL_4K, mode, page))
		return TDX_OPERAND_BUSY | operand;
	if (page->level != LEVEL_4K || page->entry->type != type) {
		pamt_unlock(page);
		return TDX_PAGE_METADATA_INCORRECT | operand;
	}
	return TDX_SUCCESS;
}

uint64_t page_lock_free(struct call *call, uint64_t hpa, unsigned operand,
			enum page_level level, struct page_lock *page)
{
	struct tdx_model *model = call->model;

	*page = (struct page_lock){0};
	if (!hpa_is_plain(model, hpa) || hpa % level_size(level) != 0)
		return TDX_OPERAND_INVALID | operand;
	if (!page_in_tdmr(model, hpa))
		return TDX_OPERAND_ADDR_RANGE_ERROR | operand;
	if (!walk(model, hpa, level, LOCK_EXCLUSIVE, page))
		return TDX_OPERAND_BUSY | operand;
	if (page->level != level || page->entry->type != PT_NDA ||
	    (level > LEVEL_4K && atomic_load(&page->entry->bepoch) >= PAMT_ONE_USED)) {
		pamt_unlock(page);
		return TDX_PAGE_METADATA_INCORRECT | operand;
	}
	return TDX_SUCCESS;
}

/* One large page becomes 512 small ones of the same owner; its BEPOCH is kept. */
bool pamt_split(struct tdx_model *model, uint64_t hpa, enum page_level level)
{
	struct pamt_entry *large = pamt_entry_of(model, hpa, level);
	enum page_level small = (enum page_level)(level - 1);

	if (!take_lock(model, &large->lock, LOCK_EXCLUSIVE))
		return false;
	for (unsigned i = 0; i < 512; i++) {
		struct pamt_entry *entry =
			pamt_entry_of(model, hpa + i * level_size(small), small);

		entry->type = PT_REG;
		entry->owner_low = large->owner_low;
		entry->owner_high = large->owner_high;
		atomic_store(&entry->bepoch, 0);
	}
	large->type = PT_NDA;
	atomic_fetch_add(&large->bepoch, 512 * PAMT_ONE_USED);
	lock_release(&large->lock, LOCK_EXCLUSIVE);
	return true;
}

/* 512 small pages of one owner become one large page, with the BEPOCH it had before. */
bool pamt_merge(struct tdx_model *model, uint64_t hpa, enum page_level level)
{
	struct pamt_entry *large = pamt_entry_of(model, hpa, level);
	enum page_level small = (enum page_level)(level - 1);
	const struct pamt_entry *first = pamt_entry_of(model, hpa, small);

	if (!take_lock(model, &large->lock, LOCK_EXCLUSIVE))
		return false;
	large->owner_low = first->owner_low;
	large->owner_high = first->owner_high;
	for (unsigned i = 0; i < 512; i++) {
		struct pamt_entry *entry =
			pamt_entry_of(model, hpa + i * level_size(small), small);

		entry->type = PT_NDA;
	}
	large->type = PT_REG;
	atomic_fetch_sub(&large->bepoch, 512 * PAMT_ONE_USED);
	lock_release(&large->lock, LOCK_EXCLUSIVE);
	return true;
}

static bool is_pamt(const struct tdx_model *model, uint64_t hpa)
{
	for (unsigned i = 0; i < model->tdmr_count; i++)
		for (unsigned level = LEVEL_4K; level <= LEVEL_1G; level++)
			if (hpa - model->tdmr[i].pamt_base[level] <
			    model->tdmr[i].pamt_size[level])
				return true;
	return false;
}

static bool is_the_modules(struct tdx_model *model, uint64_t hpa)
{
	struct page_lock page;
	bool is_free;

	if (!page_in_tdmr(model, hpa))
		return is_pamt(model, hpa);
	if (!pamt_lock_leaf(model, hpa, LOCK_SHARED, &page))
		return true;
	is_free = page.entry->type == PT_NDA;
	pamt_unlock(&page);
	return !is_free;
}

void *host_page_at(struct tdx_model *model, uint64_t hpa)
{
	hpa &= (UINT64_C(1) << keyid_shift(model)) - 1;
	return is_the_modules(model, hpa) ? &model->nowhere[hpa % PAGE_4K]
					  : page_at(model, hpa);
}
