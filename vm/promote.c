/* SPDX-License-Identifier: MIT */
#include "vm/promote.h"

#include <stddef.h>

#include "core/hw.h"
#include "drivers/timer.h"
#include "vm/convert.h"

/* From the last event in a region to the first look; it doubles from look to look. */
#define WAIT_FIRST_US UINT64_C(100000)
#define WAIT_LAST_US  UINT64_C(60000000)

#define IN_WORK UINT64_MAX

static void set_due(struct promote *p)
{
	uint64_t due = 0;

	for (unsigned i = 0; i < PROMOTE_CANDIDATES; i++) {
		uint64_t d = p->candidate[i].due;

		if (d != 0 && d != IN_WORK && (due == 0 || d < due))
			due = d;
	}
	atomic_store(&p->due, due);
}

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

static void note(struct promote *p, uint64_t region, enum page_level level)
{
	struct promote_candidate *c;
	uint64_t wait = timer_us_to_tsc(WAIT_FIRST_US);

	spin_lock(&p->lock);
	c = find(p, region, level);
	if (c != NULL)
		*c = (struct promote_candidate){region, level, hw_rdtsc() + wait, wait};
	set_due(p);
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
	struct promote *p = &vm->promote;
	uint64_t wait = timer_us_to_tsc(WAIT_FIRST_US);

	p->candidate[0] = (struct promote_candidate){0, LEVEL_1G, hw_rdtsc() + wait, wait};
	set_due(p);
}

static struct promote_candidate *take(struct promote *p, struct promote_candidate *copy)
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
		c->due = IN_WORK;
		set_due(p);
	}
	spin_unlock(&p->lock);
	return c;
}

/* The next GiB of RAM, or the end of them. */
static void go_on(const struct vm *vm, struct promote_candidate *c)
{
	c->region += SIZE_1G;
	if (c->region >= vm->td.params.ram_low_end.raw && c->region < TD_HIGH_RAM_BASE)
		c->region = TD_HIGH_RAM_BASE;
	c->wait = timer_us_to_tsc(WAIT_FIRST_US);
	c->due = c->region < vm->td.params.ram_high_end.raw ? hw_rdtsc() : 0;
}

/* Not yet: later. Else it is over with, unless it was noted again meanwhile. */
static void put(struct vm *vm, struct promote_candidate *c, enum status s)
{
	struct promote *p = &vm->promote;

	spin_lock(&p->lock);
	if (c->due == IN_WORK && s == STATUS_BUSY && c->wait < timer_us_to_tsc(WAIT_LAST_US)) {
		c->wait *= 2;
		c->due = hw_rdtsc() + c->wait;
	} else if (c == &p->candidate[0]) {
		go_on(vm, c);
	} else if (c->due == IN_WORK) {
		c->due = 0;
	}
	set_due(p);
	spin_unlock(&p->lock);
}

bool promote_work(struct vm *vm)
{
	struct promote *p = &vm->promote;
	uint64_t due = atomic_load(&p->due);
	struct promote_candidate copy;
	struct promote_candidate *c;
	enum status s;

	if (due == 0 || hw_rdtsc() < due)
		return false;
	c = take(p, &copy);
	if (c == NULL)
		return false;
	s = convert_promote(vm, copy.region, copy.level);
	put(vm, c, s);
	if (s == STATUS_OK && copy.level == LEVEL_2M)
		note(p, align_down(copy.region, SIZE_1G), LEVEL_1G);
	return true;
}
