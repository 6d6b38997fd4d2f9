/* SPDX-License-Identifier: MIT */
#include "vm/promote.h"

#include <stddef.h>

#include "core/hw.h"
#include "drivers/timer.h"
#include "vm/convert.h"

/* From the last event in a region to the first look; it doubles from look to look. */
#define WAIT_FIRST_US UINT64_C(100000)
#define WAIT_LAST_US  UINT64_C(60000000)

/* The region's own entry, or a free one for it, or NULL. */
static struct promote_candidate *find(struct promote *p, uint64_t region, enum page_level level)
{
	struct promote_candidate *unused = NULL;

	for (unsigned i = 1; i < PROMOTE_CANDIDATES; i++) {
		struct promote_candidate *c = &p->candidate[i];

		if (c->due != 0 && c->region == region && c->level == level)
			return c;
		if (c->due == 0 && unused == NULL)
			unused = c;
	}
	return unused;
}

static struct promote_candidate candidate(uint64_t region, enum page_level level, uint64_t wait)
{
	return (struct promote_candidate){region, level, hw_rdtsc() + wait, wait};
}

static void note(struct promote *p, uint64_t region, enum page_level level)
{
	struct promote_candidate *c;

	spin_lock(&p->lock);
	c = find(p, region, level);
	if (c != NULL)
		*c = candidate(region, level, timer_us_to_tsc(WAIT_FIRST_US));
	spin_unlock(&p->lock);
}

void promote_note(struct vm *vm, uint64_t at)
{
	struct sept_slot slot = sept_find(&vm->td.sept, gpa(at), LEVEL_2M);

	if (slot.level == LEVEL_2M && mirror_is_table(sept_read(slot)))
		note(&vm->promote, slot.base.raw, LEVEL_2M);
}

void promote_init(struct vm *vm)
{
	vm->promote.candidate[0] = candidate(0, LEVEL_1G, timer_us_to_tsc(WAIT_FIRST_US));
}

/* Takes one that is due out of the list; NULL if none is. */
static const struct promote_candidate *take(struct promote *p, struct promote_candidate *copy)
{
	uint64_t now = hw_rdtsc();
	struct promote_candidate *c = NULL;

	spin_lock(&p->lock);
	for (unsigned i = 0; i < PROMOTE_CANDIDATES && c == NULL; i++) {
		if (p->candidate[i].due != 0 && p->candidate[i].due <= now)
			c = &p->candidate[i];
	}
	if (c != NULL) {
		*copy = *c;
		c->due = 0;
	}
	spin_unlock(&p->lock);
	return c;
}

/* The next GiB of RAM after `region`, or the end of them: due 0. */
static struct promote_candidate next_gib(const struct vm *vm, uint64_t region)
{
	region += SIZE_1G;
	if (region >= vm->td.params.ram_low_end.raw && region < TD_HIGH_RAM_BASE)
		region = TD_HIGH_RAM_BASE;
	if (region >= vm->td.params.ram_high_end.raw)
		return (struct promote_candidate){.due = 0};
	return (struct promote_candidate){region, LEVEL_1G, hw_rdtsc(),
					  timer_us_to_tsc(WAIT_FIRST_US)};
}

/* Not yet: later, unless it was noted again meanwhile. Else it is over with. */
static void put(struct vm *vm, const struct promote_candidate *done, bool is_first,
		enum status s)
{
	struct promote *p = &vm->promote;
	struct promote_candidate *c;

	spin_lock(&p->lock);
	c = is_first ? &p->candidate[0] : find(p, done->region, done->level);
	if (s == STATUS_BUSY && done->wait < timer_us_to_tsc(WAIT_LAST_US)) {
		if (c != NULL && c->due == 0)
			*c = candidate(done->region, done->level, 2 * done->wait);
	} else if (is_first) {
		*c = next_gib(vm, done->region);
	}
	spin_unlock(&p->lock);
}

bool promote_work(struct vm *vm)
{
	struct promote *p = &vm->promote;
	struct promote_candidate copy;
	const struct promote_candidate *taken = take(p, &copy);
	enum status s;

	if (taken == NULL)
		return false;
	s = convert_promote(vm, copy.region, copy.level);
	put(vm, &copy, taken == &p->candidate[0], s);
	if (s == STATUS_OK && copy.level == LEVEL_2M)
		note(p, align_down(copy.region, SIZE_1G), LEVEL_1G);
	return true;
}
