/* SPDX-License-Identifier: MIT */
#include "tests/random/check.h"

#include <stdlib.h>
#include <string.h>

#include "mm/frame.h"
#include "mm/heap.h"
#include "tdx/module.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/random/guest.h"
#include "tests/random/host.h"
#include "tests/random/lp.h"
#include "tests/random/run.h"
#include "tests/random/tenant.h"

static uint64_t free_at_start, heap_at_start;
static unsigned keyids_at_start;

/* A byte per frame: who claims it, as index of a tenant + 1. */
static uint8_t *claims;
static uint64_t claims_size;
static uint64_t claimed_bytes[FRAME_OWNER_COUNT];

static void claim(const struct tenant *t, hpa_t frame, uint64_t size, enum frame_owner owner)
{
	for (uint64_t at = frame.raw; at < frame.raw + size; at += PAGE_SIZE) {
		if (claims[at / PAGE_SIZE]) {
			fail("frame %#llx belongs to TD %u and to TD %u",
			     (unsigned long long)at, claims[at / PAGE_SIZE] - 1U, t->index);
			return;
		}
		claims[at / PAGE_SIZE] = (uint8_t)(t->index + 1);
		if (frame_owner_of(hpa(at)) != owner)
			fail("frame %#llx of TD %u is %s, not %s", (unsigned long long)at,
			     t->index, frame_owner_name(frame_owner_of(hpa(at))),
			     frame_owner_name(owner));
	}
	claimed_bytes[owner] += size;
}

/* What the TD gave to the module is the module's. */
static void claim_given(const struct tenant *t, hpa_t frame, uint64_t size,
			enum frame_owner owner)
{
	claim(t, frame, size, owner);
	if (!hosted_is_owned(frame.raw))
		fail("frame %#llx of TD %u is not the module's", (unsigned long long)frame.raw,
		     t->index);
}

static void claim_below(struct tenant *t, struct sept_node *node, enum page_level level)
{
	for (unsigned i = 0; i < SEPT_ENTRIES; i++) {
		struct sept_slot slot = {.node = node, .index = i, .level = level};
		mirror_entry_t e = sept_read(slot);

		if (mirror_is_busy(e))
			fail("TD %u: an entry of level %u stays busy", t->index, level);
		if (mirror_is_table(e)) {
			claim_given(t, mirror_frame_of(e), PAGE_SIZE, FRAME_SEPT);
			claim_below(t, sept_child(slot), level - 1);
		} else if (mirror_is_leaf(e)) {
			claim_given(t, mirror_frame_of(e), level_size(level), FRAME_TD_PRIVATE);
		}
	}
}

static void claim_all_of(struct tenant *t)
{
	struct td *td = &t->td;

	if (t->stage == STAGE_NONE || atomic_load(&t->is_reclaimed))
		return;
	if (td->sept.root)
		claim_below(t, td->sept.root, LEVEL_512G);
	if (td->tdr.pa.raw)
		claim_given(t, td->tdr.pa, PAGE_SIZE, FRAME_TD_CONTROL);
	for (unsigned i = 0; i < td->tdcx_count; i++)
		claim_given(t, td->tdcx[i], PAGE_SIZE, FRAME_TD_CONTROL);
	for (unsigned v = 0; v < td->vcpu_count; v++) {
		const struct td_vcpu *vcpu = td->vcpus[v];

		if (vcpu->tdvpr.pa.raw)
			claim_given(t, vcpu->tdvpr.pa, PAGE_SIZE, FRAME_TD_CONTROL);
		for (unsigned i = 0; i < vcpu->tdcx_count; i++)
			claim_given(t, vcpu->tdcx[i], PAGE_SIZE, FRAME_TD_CONTROL);
	}
	/* Frames that wait for their write-back are known by their number only. */
	claimed_bytes[FRAME_TD_PRIVATE] += atomic_load(&td->returned_bytes);
	claimed_bytes[FRAME_QUARANTINED] += atomic_load(&td->quarantined_bytes);
}

/* ---- Frames ---- */

static void check_free_frame(hpa_t frame)
{
	uint64_t type;
	tdx_status_t s;

	if (claims[frame.raw / PAGE_SIZE] || hosted_is_owned(frame.raw)) {
		fail("frame %#llx is free, and the module's or a TD's",
		     (unsigned long long)frame.raw);
		return;
	}
	s = hosted_page_type(frame, &type);
	if (tdx_is_error(s) || type != HOSTED_PAGE_FREE)
		fail("frame %#llx is free here, the module says type %llu (status %#llx)",
		     (unsigned long long)frame.raw, (unsigned long long)type,
		     (unsigned long long)s.raw);
}

/* Memory outside of every TDMR is unknown to the module: the first MiB. */
#define TDX_MEMORY UINT64_C(0x100000)

static void count_frames(uint64_t counted[FRAME_OWNER_COUNT])
{
	const struct boot_info *bi = hosted_boot_info();

	for (unsigned r = 0; r < bi->range_count; r++) {
		uint64_t end = bi->ranges[r].base.raw + bi->ranges[r].size;

		for (uint64_t at = bi->ranges[r].base.raw; at < end; at += PAGE_SIZE) {
			enum frame_owner owner = frame_owner_of(hpa(at));

			counted[owner] += PAGE_SIZE;
			if (owner == FRAME_FREE && at >= TDX_MEMORY && !has_failed())
				check_free_frame(hpa(at));
		}
	}
}

static void check_frames(void)
{
	uint64_t account[FRAME_OWNER_COUNT];
	uint64_t counted[FRAME_OWNER_COUNT] = {0};
	uint64_t sum = 0;

	frame_account(account);
	count_frames(counted);
	claimed_bytes[FRAME_SHARED] = host_hog_bytes() + host_shared_bytes();
	for (unsigned o = 0; o < FRAME_OWNER_COUNT; o++) {
		sum += account[o];
		if (account[o] != counted[o])
			fail("%s: %llu bytes accounted, %llu found", frame_owner_name(o),
			     (unsigned long long)account[o], (unsigned long long)counted[o]);
		if (o >= FRAME_TD_CONTROL && account[o] != claimed_bytes[o])
			fail("%s: %llu bytes accounted, %llu known to their owners",
			     frame_owner_name(o), (unsigned long long)account[o],
			     (unsigned long long)claimed_bytes[o]);
	}
	if (sum != frame_total())
		fail("the account sums to %llu of %llu bytes", (unsigned long long)sum,
		     (unsigned long long)frame_total());
}

/* ---- TDs ---- */

static void check_keyids(void)
{
	unsigned used = 0;

	for (unsigned i = 0; i < TENANTS; i++)
		used += tenants[i].td.key_stage != TD_KEY_NONE &&
			tenants[i].td.key_stage != TD_KEY_FREED;
	if (tdx_keyid_free_count() + used != keyids_at_start)
		fail("%u KeyIDs are free and %u in use, of %u", tdx_keyid_free_count(), used,
		     keyids_at_start);
}

static void check_map(const struct tenant *t)
{
	uint64_t base = atomic_load(&t->td.unmap_base);
	uint64_t size = atomic_load(&t->td.unmap_size);

	for (uint32_t page = 0; page < tenant_pages(t); page++) {
		gpa_t at = tenant_page_gpa(t, page);
		enum page_level uniform;

		if (at.raw - base < size)
			continue;
		if (td_is_private(&t->td, at, &uniform) == t->pages[page].is_shared) {
			fail("TD %u: page %#llx is %s, the map says otherwise", t->index,
			     (unsigned long long)at.raw,
			     t->pages[page].is_shared ? "shared" : "private");
			return;
		}
	}
}

static void check_tenant(struct tenant *t)
{
	claim_all_of(t);
	if (t->stage != STAGE_BUILDING && t->stage != STAGE_LIVE)
		return;
	mirror_check(&t->td);
	check_map(t);
	guest_check_memory(t);
}

static void allocate_claims(void)
{
	const struct boot_info *bi = hosted_boot_info();
	const struct boot_range *last = &bi->ranges[bi->range_count - 1];
	uint64_t size = (last->base.raw + last->size) / PAGE_SIZE;

	if (size > claims_size) {
		free(claims);
		claims = malloc(size);
		claims_size = size;
	}
	if (!claims)
		abort();
	memset(claims, 0, claims_size);
	memset(claimed_bytes, 0, sizeof(claimed_bytes));
}

void check_all(void)
{
	struct lp outer = lp;

	lp_inject_nothing();
	lp.overlap_skip = 0;
	allocate_claims();
	for (unsigned i = 0; i < TENANTS && !has_failed(); i++)
		check_tenant(&tenants[i]);
	if (!has_failed())
		check_frames();
	check_keyids();
	lp.inject_skip = outer.inject_skip;
	lp.inject_count = outer.inject_count;
	lp.overlap_skip = outer.overlap_skip;
}

static uint64_t free_bytes(void)
{
	uint64_t account[FRAME_OWNER_COUNT];

	frame_account(account);
	return account[FRAME_FREE];
}

void check_begin(void)
{
	free_at_start = free_bytes();
	heap_at_start = heap_used();
	keyids_at_start = tdx_keyid_free_count();
}

void check_nothing_left(void)
{
	if (free_bytes() != free_at_start)
		fail("%llu bytes are free at the end, %llu at the start",
		     (unsigned long long)free_bytes(), (unsigned long long)free_at_start);
	if (heap_used() != heap_at_start)
		fail("%llu bytes of heap are used at the end, %llu at the start",
		     (unsigned long long)heap_used(), (unsigned long long)heap_at_start);
	if (hosted_owned_bytes() != 0)
		fail("the module still has %llu bytes",
		     (unsigned long long)hosted_owned_bytes());
	if (tdx_keyid_free_count() != keyids_at_start)
		fail("%u of %u KeyIDs are free at the end", tdx_keyid_free_count(),
		     keyids_at_start);
}
