/* SPDX-License-Identifier: MIT */
#include "tests/random/host.h"

#include <string.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/oncpu.h"
#include "guest-abi/ghci.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/random/expect.h"
#include "tests/random/host_vcpu.h"
#include "tests/random/lp.h"
#include "tests/random/run.h"
#include "tests/random/unmap.h"

#define HOG_CHUNKS   24U
#define SOURCE_PAGE  2U
#define SHARED_PAGES (SOURCE_PAGE + TENANTS)
#define SOME_FRAMES  64U /* left over for what one operation takes before it gives up */
#define LAST_TRIES   1000U
/* A fault by 4K would keep a GiB from becoming one page. */
#define GIB_FAULT_RARITY 32U

static hpa_t shared;

static struct {
	struct spinlock lock;
	unsigned count;
	hpa_t chunk[HOG_CHUNKS];
} hog;

hpa_t host_pid_page(void) { return shared; }
hpa_t host_shared_ept(void) { return hpa_add(shared, PAGE_SIZE); }
uint64_t host_shared_bytes(void) { return SHARED_PAGES * PAGE_SIZE; }

void host_init(void)
{
	if (frame_alloc_range(SHARED_PAGES * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
			      FRAME_SHARED, &shared))
		fail("no memory for the host's own pages");
}

/* ---- A TD's beginning ---- */

static void create(struct tenant *t, const struct op *op)
{
	static const uint64_t attributes[] = {TDX_ATTR_SEPT_VE_DISABLE, 0, TDX_ATTR_DEBUG,
					      TDX_ATTR_SEPT_VE_DISABLE};
	struct td_params p = {.attributes = attributes[op->a % 4],
			      .max_vcpus = (uint16_t)(1 + op->vcpu % MAX_VCPUS),
			      .tsc_khz = 1000000};
	unsigned keyids;
	enum status s;

	if (t->stage == STAGE_DYING)
		host_destroy(t);
	if (t->stage != STAGE_NONE)
		return;
	keyids = tdx_keyid_free_count();
	t->low_pages = 1 + op->b % LOW_PAGES_MAX;
	t->high_pages = op->c % 2 ? (op->c >> 1) % HIGH_PAGES_MAX : 0;
	if (tenants_have_gib() && op->c % 4 != 0)
		t->high_pages = GIB_PAGES;
	p.ram_low_end = gpa(t->low_pages * SIZE_4K);
	p.ram_high_end = gpa((UINT64_C(1) << 32) + t->high_pages * SIZE_4K);
	memcpy(t->td.name, "random", 7);
	s = td_create(&t->td, &p);
	say("%u + %u pages, %u vCPUs", t->low_pages, t->high_pages, p.max_vcpus);
	if (lp_is_strict() && (s == STATUS_NO_KEYID) != (keyids == 0))
		fail("TD %u: created with %u free KeyIDs: %s", t->index, keyids,
		     status_name(s));
	expect_new(t, s);
	if (s)
		tenant_forget(t);
	else
		t->stage = STAGE_BUILDING;
}

static void add_vcpu(struct tenant *t, const struct op *op)
{
	unsigned i = t->td.vcpu_count;
	bool is_full = i == t->td.params.max_vcpus;
	enum status s;

	(void)op;
	s = td_vcpu_create(&t->td, &t->vcpus[i % MAX_VCPUS], 0);
	expect_build(t, s, is_full ? EXPECT(BAD_ARG) : EXPECT(OK));
	if (s)
		return;
	s = td_vcpu_configure(&t->vcpus[i], host_pid_page(), VECTOR_POSTED_NOTIFY,
			      host_shared_ept());
	expect(t, s, EXPECT(OK));
}

static void add_measured_page(struct tenant *t, uint32_t page, uint64_t value)
{
	uint64_t *source = phys_ptr(hpa_add(shared, (SOURCE_PAGE + t->index) * PAGE_SIZE));
	gpa_t at = tenant_page_gpa(t, page);
	enum status s;

	memset(source, (int)(value & 0xff), PAGE_SIZE);
	source[value % 512] = value;
	s = td_add_measured_page(&t->td, at, source);
	expect_build(t, s, EXPECT(OK) | EXPECT(EXISTS) | EXPECT(NO_MEMORY));
	if (!s)
		t->pages[page] = (struct guest_page){.value = value,
						     .offset = (uint16_t)(value % 512 * 8),
						     .state = PAGE_OWNED};
}

static void add_measured(struct tenant *t, const struct op *op)
{
	struct span span = tenant_span(t, op->a, op->b);
	struct rng r = {op->c};

	if (span.count > 12)
		span.count = 12;
	say("%u pages at %#llx", span.count, (unsigned long long)span.at.raw);
	for (uint32_t i = 0; i < span.count && !t->td.is_dead; i++)
		add_measured_page(t, span.first + i, rng_next(&r));
}

static void finalize(struct tenant *t, const struct op *op)
{
	bool has_vcpu = t->td.vcpu_count > 0;
	enum status s = td_finalize(&t->td);

	(void)op;
	expect(t, s, has_vcpu ? EXPECT(OK) : EXPECT(BAD_STATE));
	if (!s)
		t->stage = STAGE_LIVE;
}

/* ---- Its memory ---- */

static void populate(struct tenant *t, const struct op *op)
{
	struct span span = tenant_span(t, op->a, op->b);

	say("%u pages at %#llx", span.count, (unsigned long long)span.at.raw);
	expect_memory(t, td_populate(&t->td, span.at, span.size), span.at, span.size);
}

static void fault(struct tenant *t, const struct op *op)
{
	uint32_t page = tenant_choose(t, op->a, GIB_FAULT_RARITY);
	gpa_t at = tenant_page_gpa(t, page);
	enum page_level limit = op->b % 3 ? LEVEL_2M : LEVEL_4K;
	bool is_shared = tenant_is_shared(t, page);
	enum status s = td_resolve_fault(&t->td, at, limit);

	say("at %#llx, %s", (unsigned long long)at.raw, limit == LEVEL_2M ? "2M" : "4K");
	if (is_shared && lp_is_strict() && s == STATUS_OK)
		fail("TD %u: a shared page at %#llx got private memory", t->index,
		     (unsigned long long)at.raw);
	if (s != STATUS_BAD_ARG || (lp_is_strict() && !is_shared))
		expect_memory(t, s, at, SIZE_4K);
}

static void write_back(struct tenant *t, const struct op *op)
{
	unsigned budget = op->a % 4 ? op->a % 600 : UINT32_MAX;
	bool done;

	say("up to %u pages", budget);
	expect(t, td_write_back(&t->td, budget, &done), EXPECT(OK));
	(void)frame_flush_ahead();
}

/* ---- Its end ---- */

static void release(struct tenant *t, const struct op *op)
{
	enum status s;

	(void)op;
	if (t->stage == STAGE_NONE)
		return;
	t->stage = STAGE_DYING;
	s = td_release_keyid(&t->td);
	expect(t, s, EXPECT(OK));
	if (!s && t->td.key_stage != TD_KEY_FREED)
		fail("TD %u: still has KeyID %u", t->index, t->td.hkid);
}

static void check_reclaimed(struct tenant *t)
{
	uint64_t total = atomic_load(&t->td.teardown_total);
	uint64_t done = atomic_load(&t->td.teardown_done);

	if (total != done)
		fail("TD %u: %llu of %llu pages reclaimed", t->index, (unsigned long long)done,
		     (unsigned long long)total);
	if (atomic_load(&t->td.quarantined_bytes) != 0)
		fail("TD %u: %llu bytes are quarantined", t->index,
		     (unsigned long long)t->td.quarantined_bytes);
}

static void reclaim(struct tenant *t, const struct op *op)
{
	bool is_freed = t->td.key_stage == TD_KEY_FREED;
	unsigned steps = op->a % 8 ? 1 + op->a % 300 : 1 + op->a % 3;
	bool done = false;

	say("%u steps", steps);
	for (unsigned i = 0; i < steps && !done; i++)
		expect(t, td_reclaim(&t->td, &done), is_freed ? EXPECT(OK) : EXPECT(BAD_STATE));
	if (done)
		atomic_store(&t->is_reclaimed, true);
}

void host_destroy(struct tenant *t)
{
	enum status s = STATUS_BUSY;
	bool done = false;

	lp_inject_nothing();
	for (unsigned i = 0; s == STATUS_BUSY && i < LAST_TRIES; i++) {
		s = td_release_keyid(&t->td);
		(void)lp_wait();
	}
	if (s)
		fail("TD %u: its KeyID is not released: %s", t->index, status_name(s));
	while (!s && !done)
		s = td_reclaim(&t->td, &done);
	if (s)
		fail("TD %u: its pages are not reclaimed: %s", t->index, status_name(s));
	check_reclaimed(t);
	tenant_forget(t);
}

/* ---- The machine ---- */

static void take_hog(const struct op *op)
{
	spin_lock(&hog.lock);
	for (unsigned n = op->a % HOG_CHUNKS; n > 0 && hog.count < HOG_CHUNKS; n--) {
		hpa_t chunk;

		if (frame_alloc(LEVEL_2M, FRAME_SHARED, &chunk))
			break;
		/* What comes back is not zero: accepting has to make it so. */
		memset(phys_ptr(chunk), 0xa5, SIZE_2M);
		for (unsigned i = 0; i < 512; i += 2)
			frame_free(hpa_add(chunk, i * PAGE_SIZE), PAGE_SIZE);
		hog.chunk[hog.count++] = chunk;
	}
	say("%u chunks", hog.count);
	spin_unlock(&hog.lock);
}

void host_unhog(void)
{
	spin_lock(&hog.lock);
	while (hog.count > 0) {
		hpa_t chunk = hog.chunk[--hog.count];

		for (unsigned i = 1; i < 512; i += 2)
			frame_free(hpa_add(chunk, i * PAGE_SIZE), PAGE_SIZE);
	}
	spin_unlock(&hog.lock);
}

uint64_t host_hog_bytes(void) { return hog.count * SIZE_2M / 2; }

static void no_heap(const struct op *op)
{
	if (!lp_is_alone())
		return;
	say("the %u-th", 1 + op->a % 4);
	fake_heap_fail_at(1 + op->a % 4);
	lp.is_disturbed = true;
}

static bool do_to_machine(const struct op *op)
{
	switch (op->kind) {
	case OP_HOG:
		take_hog(op);
		return true;
	case OP_UNHOG:
		host_unhog();
		return true;
	case OP_INJECT:
		lp_inject(op->a, op->b);
		return true;
	case OP_ENTROPY:
		hosted_fail_entropy(op->a % 4, op->b % 4);
		return true;
	case OP_INTERRUPTS:
		hosted_interrupt_times(1 + op->a % 4);
		return true;
	case OP_NO_HEAP:
		no_heap(op);
		return true;
	case OP_OVERLAP:
		lp.overlap_skip = lp_is_alone() ? 1 + op->a % 24 : 0;
		return true;
	default:
		return false;
	}
}

/* ---- Which operation may be done when ---- */

#define IN(stage) (1U << STAGE_##stage)
#define LIVING    (IN(BUILDING) | IN(LIVE))
#define ANY_TD    (LIVING | IN(DYING))

static const struct {
	void (*fn)(struct tenant *t, const struct op *op);
	unsigned stages;
	bool is_alone;
} handlers[OP_KINDS] = {
	[OP_CREATE] = {create, IN(NONE) | IN(DYING), true},
	[OP_ADD_VCPU] = {add_vcpu, IN(BUILDING), true},
	[OP_ADD_MEASURED] = {add_measured, IN(BUILDING), true},
	[OP_FINALIZE] = {finalize, IN(BUILDING), true},
	[OP_POPULATE] = {populate, ANY_TD, false},
	[OP_RUN] = {host_run_vcpu, IN(LIVE), false},
	[OP_FAULT] = {fault, IN(LIVE) | IN(DYING), false},
	[OP_CONVERT] = {unmap_convert, IN(LIVE) | IN(DYING), false},
	[OP_BEGIN] = {unmap_begin, IN(LIVE) | IN(DYING), false},
	[OP_COMMIT] = {unmap_commit, IN(LIVE), false},
	[OP_CANCEL] = {unmap_cancel, IN(LIVE), false},
	[OP_MARK_PRIVATE] = {unmap_mark_private, IN(LIVE), false},
	[OP_DROP_TABLES] = {unmap_drop_tables, IN(LIVE), false},
	[OP_PROMOTE] = {unmap_promote, IN(LIVE) | IN(DYING), false},
	[OP_PROMOTE_HALF] = {unmap_promote_half, IN(LIVE), false},
	[OP_PROMOTE_GIB] = {unmap_promote_gib, IN(LIVE), false},
	[OP_WRITE_BACK] = {write_back, ANY_TD, false},
	[OP_FLUSH] = {host_flush_vcpu, LIVING, false},
	[OP_PEEK] = {host_peek, LIVING, false},
	[OP_RELEASE] = {release, ANY_TD, true},
	[OP_RECLAIM] = {reclaim, IN(DYING), false},
};

/* What was reclaimed is forgotten by the first that finds the TD unused. */
static void forget_if_reclaimed(struct tenant *t)
{
	if (!atomic_load(&t->is_reclaimed) || !tenant_enter_alone(t))
		return;
	if (atomic_load(&t->is_reclaimed)) {
		check_reclaimed(t);
		tenant_forget(t);
	}
	tenant_leave(t);
}

/* The next step in the life of a TD for which this operation comes too early or too late. */
static unsigned fitting(const struct tenant *t, unsigned kind)
{
	enum stage stage = t->stage;

	if (handlers[kind].stages & 1U << stage)
		return kind;
	switch (stage) {
	case STAGE_NONE:
		return OP_CREATE;
	case STAGE_BUILDING:
		if (t->was_killed)
			return OP_RELEASE;
		return t->td.vcpu_count == 0 ? OP_ADD_VCPU : OP_FINALIZE;
	case STAGE_LIVE:
		return OP_RUN;
	case STAGE_DYING:
		break;
	}
	return t->td.key_stage == TD_KEY_FREED ? OP_RECLAIM : OP_RELEASE;
}

/* What fits is known for sure only inside; what does not fit any more is left. */
static void do_to_tenant(struct tenant *t, const struct op *op)
{
	unsigned kind = OP_KINDS;
	bool is_alone;

	if (!tenant_enter(t))
		return;
	kind = fitting(t, op->kind);
	tenant_leave(t);
	is_alone = handlers[kind].is_alone;
	if (!(is_alone ? tenant_enter_alone(t) : tenant_enter(t)))
		return;
	if (handlers[kind].stages & 1U << t->stage && !atomic_load(&t->is_reclaimed)) {
		if (kind != op->kind)
			say("rather %s it:", op_words(kind));
		handlers[kind].fn(t, op);
		run_count(kind);
	}
	tenant_leave(t);
}

void host_do(const struct op *op)
{
	struct tenant *t = &tenants[op->td];

	if (do_to_machine(op)) {
		run_count(op->kind);
		return;
	}
	forget_if_reclaimed(t);
	do_to_tenant(t, op);
	forget_if_reclaimed(t);
}
