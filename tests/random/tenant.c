/* SPDX-License-Identifier: MIT */
#include "tests/random/tenant.h"

#include <stdlib.h>
#include <string.h>

#include "tests/random/lp.h"

#define HIGH_BASE (UINT64_C(1) << 32)

/* Often enough to cut a page of 1G that was made, seldom enough to let it be made. */
#define SPANS_PER_GIB_SPAN 16U

struct tenant tenants[TENANTS];
static bool has_gib_room;

void tenants_init(bool has_gib)
{
	uint32_t room = LOW_PAGES_MAX + (has_gib ? GIB_PAGES : HIGH_PAGES_MAX);

	has_gib_room = has_gib;
	for (unsigned i = 0; i < TENANTS; i++) {
		struct tenant *t = &tenants[i];

		free(t->pages);
		memset(t, 0, sizeof(*t));
		t->index = i;
		t->pages = calloc(room, sizeof(*t->pages));
		if (!t->pages)
			abort();
	}
}

bool tenants_have_gib(void) { return has_gib_room; }

static bool try_enter(struct tenant *t)
{
	int users = atomic_load(&t->users);

	do {
		if (users < 0 || atomic_load(&t->is_wanted))
			return false;
	} while (!atomic_compare_exchange_weak(&t->users, &users, users + 1));
	return true;
}

bool tenant_enter(struct tenant *t)
{
	while (!try_enter(t))
		if (!lp_wait())
			return false;
	return true;
}

bool tenant_enter_alone(struct tenant *t)
{
	int none = 0;
	bool is_mine = true;

	while (atomic_exchange(&t->is_wanted, true))
		if (!lp_wait())
			return false;
	atomic_fetch_add(&t->kicks, 1);
	while (is_mine && !atomic_compare_exchange_strong(&t->users, &none, -1)) {
		none = 0;
		is_mine = lp_wait();
	}
	atomic_store(&t->is_wanted, false);
	return is_mine;
}

void tenant_leave(struct tenant *t)
{
	if (atomic_load(&t->users) < 0)
		atomic_store(&t->users, 0);
	else
		atomic_fetch_sub(&t->users, 1);
}

void tenant_forget(struct tenant *t)
{
	memset(&t->td, 0, sizeof(t->td));
	memset(t->vcpus, 0, sizeof(t->vcpus));
	memset(t->pages, 0, tenant_pages(t) * sizeof(*t->pages));
	memset(t->guests, 0, sizeof(t->guests));
	atomic_store(&t->is_reclaimed, false);
	t->was_killed = false;
	t->is_begun = false;
	t->stage = STAGE_NONE;
}

gpa_t tenant_page_gpa(const struct tenant *t, uint32_t page)
{
	if (page < t->low_pages)
		return gpa(page * SIZE_4K);
	return gpa(HIGH_BASE + (page - t->low_pages) * SIZE_4K);
}

uint32_t tenant_page_at(const struct tenant *t, gpa_t at)
{
	uint64_t page = at.raw / SIZE_4K;

	if (at.raw < HIGH_BASE)
		return page < t->low_pages ? (uint32_t)page : UINT32_MAX;
	page -= HIGH_BASE / SIZE_4K;
	return page < t->high_pages ? t->low_pages + (uint32_t)page : UINT32_MAX;
}

uint32_t tenant_choose(const struct tenant *t, uint32_t a, uint32_t rarity)
{
	bool is_low = tenant_has_gib(t) && (a >> 20) % rarity != 0;

	return a % (is_low ? t->low_pages : tenant_pages(t));
}

struct span tenant_span(const struct tenant *t, uint32_t a, uint32_t b)
{
	uint32_t first = tenant_choose(t, a, SPANS_PER_GIB_SPAN);
	uint32_t end = first < t->low_pages ? t->low_pages : tenant_pages(t);
	uint32_t count = 1 + (b >> 8) % 16;

	switch (b % 8) {
	case 0:
	case 1:
		count = 1 + (b >> 8) % 1200;
		break;
	case 2:
	case 3:
	case 4:
		first -= (first < t->low_pages ? first : first - t->low_pages) % 512;
		count = (1 + (b >> 8) % 3) * 512;
		break;
	case 5:
		if (tenant_has_gib(t) && first >= t->low_pages) {
			first = t->low_pages;
			count = GIB_PAGES;
		}
		break;
	default:
		break;
	}
	if (count > end - first)
		count = end - first;
	return (struct span){first, count, tenant_page_gpa(t, first), count * SIZE_4K};
}

bool tenant_is_shared(struct tenant *t, uint32_t page)
{
	bool is_shared;

	spin_lock(&t->guest_lock);
	is_shared = t->pages[page].is_shared;
	spin_unlock(&t->guest_lock);
	return is_shared;
}

void tenant_set_shared(struct tenant *t, gpa_t at, uint64_t size, bool is_shared)
{
	uint32_t first = tenant_page_at(t, at);

	spin_lock(&t->guest_lock);
	for (uint32_t i = first; i < first + size / SIZE_4K; i++)
		t->pages[i].is_shared = is_shared;
	spin_unlock(&t->guest_lock);
}

void tenant_set_state(struct tenant *t, gpa_t at, uint64_t size, enum guest_page_state state)
{
	uint32_t first = tenant_page_at(t, at);

	spin_lock(&t->guest_lock);
	for (uint32_t i = first; i < first + size / SIZE_4K; i++)
		t->pages[i].state = (uint8_t)state;
	spin_unlock(&t->guest_lock);
}
