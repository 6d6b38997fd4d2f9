/* SPDX-License-Identifier: MIT */
#include "tests/random/unmap.h"

#include "mm/frame.h"
#include "tests/random/expect.h"
#include "tests/random/host_vcpu.h"
#include "tests/random/lp.h"
#include "tests/random/run.h"

#define QUIESCED_TRIES 200000U
#define ALONE_TRIES    3U

/* One conversion of a TD at a time, as vm/ has it. */
static bool take_token(struct tenant *t)
{
	return !atomic_flag_test_and_set(&t->is_converting);
}

static void give_token(struct tenant *t) { atomic_flag_clear(&t->is_converting); }

/* ---- Making vCPUs leave ---- */

/* False when one stays inside, which happens with one thread only. */
static bool wait_outside(const struct guest_vcpu *g, bool until_next_exit)
{
	unsigned exits = atomic_load(&g->exits);

	while (atomic_load(&g->is_inside)) {
		if (until_next_exit && atomic_load(&g->exits) != exits)
			break;
		if (!lp_wait())
			return false;
	}
	return true;
}

static bool kick_and_wait(struct tenant *t, bool until_next_exit)
{
	bool is_outside = true;

	atomic_fetch_add(&t->kicks, 1);
	for (unsigned i = 0; i < t->td.vcpu_count; i++)
		is_outside &= wait_outside(&t->guests[i], until_next_exit);
	return is_outside;
}

typedef enum status (*unmap_fn)(struct td *td, gpa_t at, uint64_t size);

static void fail_busy(struct tenant *t, unmap_fn fn, gpa_t at, uint64_t size)
{
	const char *what = fn == td_unmap_private_begin    ? "begin"
			   : fn == td_unmap_private_commit ? "commit"
							   : "cancel";
	char text[96];

	td_describe_gpa(&t->td, at, text, sizeof(text));
	fail("TD %u: %s of [%#llx, +%#llx) stays BUSY although no vCPU runs; it begins: %s",
	     t->index, what, (unsigned long long)at.raw, (unsigned long long)size, text);
}

/* With all vCPUs kept out BUSY has to end. */
static enum status do_quiesced(struct tenant *t, unmap_fn fn, gpa_t at, uint64_t size)
{
	enum status s = fn(&t->td, at, size);
	bool was_quiet;

	if (s != STATUS_BUSY)
		return s;
	was_quiet = atomic_exchange(&t->is_quiet, true);
	if (kick_and_wait(t, false)) {
		unsigned tries = lp_is_alone() ? ALONE_TRIES : QUIESCED_TRIES;

		for (; tries > 0 && s == STATUS_BUSY; tries--) {
			s = fn(&t->td, at, size);
			(void)lp_wait();
		}
		if (s == STATUS_BUSY && !lp_is_alone())
			fail_busy(t, fn, at, size);
	}
	atomic_store(&t->is_quiet, was_quiet);
	return s;
}

/* ---- The steps, with the guest's books ---- */

static enum status cancel(struct td *td, gpa_t at, uint64_t size)
{
	(void)at;
	(void)size;
	return td_unmap_private_cancel(td);
}

static bool is_under_way(const struct tenant *t, gpa_t at, uint64_t size)
{
	return atomic_load(&t->td.unmap_base) == at.raw &&
	       atomic_load(&t->td.unmap_size) == size;
}

/* Without memory it was taken back: all of it is private. */
static void note_undone(struct tenant *t, enum status s, gpa_t at, uint64_t size)
{
	if (s != STATUS_NO_MEMORY || atomic_load(&t->td.unmap_size) != 0)
		return;
	t->is_begun = false;
	tenant_set_shared(t, at, size, false);
}

static enum status begin(struct tenant *t, gpa_t at, uint64_t size)
{
	uint64_t other = atomic_load(&t->td.unmap_size);
	bool is_blocked = other != 0 && !is_under_way(t, at, size);
	enum status s = is_blocked ? td_unmap_private_begin(&t->td, at, size)
				   : do_quiesced(t, td_unmap_private_begin, at, size);

	say("begin [%#llx, +%#llx)", (unsigned long long)at.raw, (unsigned long long)size);
	expect(t, s, is_blocked ? EXPECT(BUSY) : EXPECT(OK) | EXPECT(NO_MEMORY));
	if (!is_blocked)
		t->is_begun = s == STATUS_OK;
	note_undone(t, s, at, size);
	return s;
}

static enum status commit(struct tenant *t, gpa_t at, uint64_t size)
{
	enum status s;

	(void)kick_and_wait(t, true);
	tenant_set_state(t, at, size, PAGE_UNKNOWN);
	s = do_quiesced(t, td_unmap_private_commit, at, size);
	say("commit");
	expect(t, s, EXPECT(OK));
	note_undone(t, s, at, size);
	if (s)
		return s;
	t->is_begun = false;
	tenant_set_shared(t, at, size, true);
	tenant_set_state(t, at, size, PAGE_UNACCEPTED);
	return s;
}

static void take_back(struct tenant *t, gpa_t at, uint64_t size)
{
	enum status s = do_quiesced(t, cancel, at, size);

	say("[%#llx, +%#llx)", (unsigned long long)at.raw, (unsigned long long)size);
	expect(t, s, EXPECT(OK));
	t->is_begun = false;
	if (!s)
		tenant_set_shared(t, at, size, false);
}

static void mark_private(struct tenant *t, gpa_t at, uint64_t size)
{
	uint64_t base = atomic_load(&t->td.unmap_base);
	uint64_t busy = atomic_load(&t->td.unmap_size);
	bool is_cut = busy && at.raw < base + busy && base < at.raw + size;
	enum status s = td_mark_private(&t->td, at, size);

	say("[%#llx, +%#llx)", (unsigned long long)at.raw, (unsigned long long)size);
	expect(t, s, is_cut ? EXPECT(BUSY) : EXPECT(OK));
	if (!s)
		tenant_set_shared(t, at, size, false);
}

/* What stays busy once the vCPUs were kicked is left to the next fault there. */
static void drop_tables(struct tenant *t, gpa_t at, uint64_t size)
{
	enum status s = td_drop_tables(&t->td, at, size);

	if (s == STATUS_BUSY) {
		(void)kick_and_wait(t, true);
		s = td_drop_tables(&t->td, at, size);
	}
	say("drop tables");
	expect(t, s, EXPECT(OK) | EXPECT(NO_MEMORY));
}

/* ---- Operations ---- */

void unmap_to_shared(struct tenant *t, gpa_t at, uint64_t size)
{
	if (!take_token(t))
		return;
	if (!begin(t, at, size))
		(void)commit(t, at, size);
	give_token(t);
}

void unmap_to_private(struct tenant *t, gpa_t at, uint64_t size)
{
	if (!take_token(t))
		return;
	mark_private(t, at, size);
	drop_tables(t, at, size);
	give_token(t);
}

void unmap_convert(struct tenant *t, const struct op *op)
{
	struct span span = tenant_span(t, op->a, op->b);

	unmap_to_shared(t, span.at, span.size);
}

/* The range that is under way, as often as another. */
void unmap_begin(struct tenant *t, const struct op *op)
{
	struct span span = tenant_span(t, op->a, op->b);

	if (!take_token(t))
		return;
	if (op->c % 2 && atomic_load(&t->td.unmap_size))
		(void)begin(t, gpa(atomic_load(&t->td.unmap_base)),
			    atomic_load(&t->td.unmap_size));
	else
		(void)begin(t, span.at, span.size);
	give_token(t);
}

void unmap_commit(struct tenant *t, const struct op *op)
{
	uint64_t size;

	(void)op;
	if (!take_token(t))
		return;
	size = atomic_load(&t->td.unmap_size);
	if (size) {
		gpa_t at = gpa(atomic_load(&t->td.unmap_base));

		/* If it was BUSY half way, it is repeated first. */
		if (t->is_begun || !begin(t, at, size))
			(void)commit(t, at, size);
	}
	give_token(t);
}

void unmap_cancel(struct tenant *t, const struct op *op)
{
	uint64_t size;

	(void)op;
	if (!take_token(t))
		return;
	size = atomic_load(&t->td.unmap_size);
	if (size)
		take_back(t, gpa(atomic_load(&t->td.unmap_base)), size);
	give_token(t);
}

void unmap_mark_private(struct tenant *t, const struct op *op)
{
	struct span span = tenant_span(t, op->a, op->b);

	if (!take_token(t))
		return;
	mark_private(t, span.at, span.size);
	give_token(t);
}

void unmap_drop_tables(struct tenant *t, const struct op *op)
{
	struct span span = tenant_span(t, op->a, op->b);

	if (!take_token(t))
		return;
	drop_tables(t, span.at, span.size);
	give_token(t);
}

/* ---- Promotion ---- */

#define PROMOTE_KICKS 4U
#define ENOUGH_CHUNKS 600U /* free, so that a GiB more leaves some to the other TDs */

static enum status begin_promote(struct tenant *t, gpa_t region, enum page_level level)
{
	enum status s = td_promote_begin(&t->td, region, level);

	if (s == STATUS_OK)
		say("%s at %#llx", level == LEVEL_2M ? "2M" : "1G",
		    (unsigned long long)region.raw);
	expect(t, s, EXPECT(OK) | EXPECT(NOT_FOUND) | EXPECT(BUSY));
	return s;
}

/* One that has begun ends, whatever it comes to. */
static void commit_promote(struct tenant *t, gpa_t region, enum page_level level)
{
	enum status s = STATUS_BUSY;

	for (unsigned i = 0; i < PROMOTE_KICKS && s == STATUS_BUSY; i++) {
		(void)kick_and_wait(t, true);
		s = td_promote_commit(&t->td, region, level);
	}
	expect(t, s, EXPECT(OK) | EXPECT(NOT_FOUND));
	if (s == STATUS_OK && level == LEVEL_1G)
		run_count_1g();
}

/* A page of 2M that is accepted is the best to be split and promoted again. True if it was. */
static bool split(struct tenant *t, gpa_t region)
{
	struct sept_slot slot = sept_find(&t->td.sept, region, LEVEL_4K);

	if (slot.level != LEVEL_2M || !mirror_is_leaf(sept_read(slot)))
		return false;
	expect_memory(t, td_resolve_fault(&t->td, region, LEVEL_4K), region, SIZE_2M);
	return true;
}

/* The first region from a random one on that takes it. */
static bool begin_somewhere(struct tenant *t, const struct op *op, gpa_t *region)
{
	uint32_t pages = tenant_has_gib(t) ? t->low_pages : tenant_pages(t);
	uint32_t regions = (pages + 511) / 512;
	unsigned splits = op->b % 3;

	for (uint32_t i = 0; i < regions; i++) {
		uint32_t page = (op->a + i) % regions * 512;

		*region = gpa(align_down(tenant_page_gpa(t, page).raw, SIZE_2M));
		if (splits > 0 && split(t, *region))
			splits--;
		if (begin_promote(t, *region, LEVEL_2M) == STATUS_OK)
			return true;
	}
	return false;
}

void unmap_promote(struct tenant *t, const struct op *op)
{
	gpa_t region;

	if (!take_token(t))
		return;
	if (begin_somewhere(t, op, &region))
		commit_promote(t, region, LEVEL_2M);
	give_token(t);
}

/* The GiB of high RAM, as far as the host has one: from nothing to one page. */
void unmap_promote_gib(struct tenant *t, const struct op *op)
{
	gpa_t region = tenant_page_gpa(t, t->low_pages);

	if (!tenant_has_gib(t))
		return;
	if (frame_free_tdx(LEVEL_2M) > ENOUGH_CHUNKS)
		expect_memory(t, td_populate(&t->td, region, SIZE_1G), region, SIZE_1G);
	host_accept_gib(t, op);
	if (!take_token(t))
		return;
	if (begin_promote(t, region, LEVEL_1G) == STATUS_OK && op->b % 4 != 0)
		commit_promote(t, region, LEVEL_1G);
	give_token(t);
}

/* Without the token: beside a conversion. */
void unmap_promote_half(struct tenant *t, const struct op *op)
{
	gpa_t region;

	(void)begin_somewhere(t, op, &region);
}
