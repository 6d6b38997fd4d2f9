/* SPDX-License-Identifier: MIT */
#include "tests/random/expect.h"

#include "mm/frame.h"
#include "tests/random/lp.h"
#include "tests/random/run.h"

/* What one operation may have taken and given back before it said NO_MEMORY. */
#define SPARE_FRAMES 16U

static unsigned always_allowed(const struct tenant *t)
{
	unsigned allowed = 0;

	if (!lp_is_strict())
		allowed |= EXPECT(BUSY);
	if (lp.is_disturbed)
		allowed |= EXPECT(NO_MEMORY);
	if (t->td.is_dead)
		allowed |= EXPECT(BAD_STATE);
	return allowed;
}

static void check(const char *who, struct tenant *t, enum status s, unsigned allowed)
{
	say("-> %s", status_name(s));
	if (!((allowed | always_allowed(t)) >> s & 1))
		fail("TD %u: %s: unexpected %s", t->index, who, status_name(s));
}

void expect_by(const char *who, struct tenant *t, enum status s, unsigned allowed)
{
	bool may_be_dead = t->stage == STAGE_DYING || t->was_killed;

	check(who, t, s, allowed);
	if (t->td.is_dead && !may_be_dead)
		fail("TD %u: died of %s", t->index, status_name(s));
}

void expect_new_by(const char *who, struct tenant *t, enum status s)
{
	unsigned allowed = EXPECT(OK) | EXPECT(NO_KEYID);

	if (frame_free_tdx(LEVEL_4K) < SPARE_FRAMES + 16)
		allowed |= EXPECT(NO_MEMORY);
	if (!lp_is_strict())
		allowed |= EXPECT(HW_FAULT);
	check(who, t, s, allowed);
}

void expect_build_by(const char *who, struct tenant *t, enum status s, unsigned allowed)
{
	if (!lp_is_strict())
		allowed |= EXPECT(HW_FAULT);
	if (frame_free_tdx(LEVEL_4K) < SPARE_FRAMES)
		allowed |= EXPECT(NO_MEMORY);
	if (t->td.is_dead && (!lp_is_strict() || s == STATUS_NO_MEMORY))
		t->was_killed = true;
	expect_by(who, t, s, allowed);
}

void expect_memory_by(const char *who, struct tenant *t, enum status s, gpa_t at, uint64_t size)
{
	unsigned allowed = EXPECT(OK);
	uint64_t base = atomic_load(&t->td.unmap_base);

	if (frame_free_tdx(LEVEL_4K) < SPARE_FRAMES || !lp_is_alone())
		allowed |= EXPECT(NO_MEMORY);
	/* Faults wait for the end of an unmap. */
	if (at.raw < base + atomic_load(&t->td.unmap_size) && base < at.raw + size)
		allowed |= EXPECT(BUSY);
	expect_by(who, t, s, allowed);
}
