/* SPDX-License-Identifier: MIT */
#include "tests/faults/check.h"

#include "mm/heap.h"
#include "tdx/module.h"
#include "tests/faults/site.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/mirror_check.h"
#include "tests/unit/test.h"

#define FRAMES_MAX (UINT64_C(1) << 20)

static uint8_t claimed[FRAMES_MAX];

struct check_stock check_stock_take(void)
{
	struct check_stock s = {.keyids = tdx_keyid_free_count(), .heap = heap_used()};

	frame_account(s.bytes);
	return s;
}

static void check_sum(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t sum = 0;

	frame_account(bytes);
	for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++)
		sum += bytes[i];
	EXPECT_EQ(sum, frame_total());
}

/* ---- One owner per frame ---- */

static void claim(hpa_t at, uint64_t size, enum frame_owner owner, uint64_t *sums)
{
	sums[owner] += size;
	for (uint64_t i = at.raw / PAGE_SIZE; i < (at.raw + size) / PAGE_SIZE; i++) {
		if (i >= FRAMES_MAX || claimed[i] ||
		    frame_owner_of(hpa(i * PAGE_SIZE)) != owner) {
			test_fail(__FILE__, __LINE__, "frame %#llx: %s, and is also called %s",
				  (unsigned long long)i * PAGE_SIZE,
				  frame_owner_name(frame_owner_of(hpa(i * PAGE_SIZE))),
				  frame_owner_name(owner));
			return;
		}
		claimed[i] = 1;
	}
}

static void claim_below(struct sept_node *node, enum page_level level, uint64_t *sums)
{
	for (unsigned i = 0; i < SEPT_ENTRIES; i++) {
		struct sept_slot slot = {.node = node, .index = i, .level = level};
		mirror_entry_t e = sept_read(slot);

		if (mirror_is_busy(e))
			test_fail(__FILE__, __LINE__, "level %u entry %u stayed claimed", level,
				  i);
		if (mirror_is_leaf(e)) {
			claim(mirror_frame_of(e), level_size(level), FRAME_TD_PRIVATE, sums);
		} else if (mirror_is_table(e)) {
			claim(mirror_frame_of(e), PAGE_SIZE, FRAME_SEPT, sums);
			claim_below(sept_child(slot), level - 1, sums);
		}
	}
}

static void claim_control(hpa_t page, uint64_t *sums)
{
	if (page.raw)
		claim(page, PAGE_SIZE, FRAME_TD_CONTROL, sums);
}

static void claim_td(struct td *td, uint64_t *sums)
{
	claim_below(td->sept.root, LEVEL_512G, sums);
	claim_control(td->tdr.pa, sums);
	for (unsigned i = 0; i < td->tdcx_count; i++)
		claim_control(td->tdcx[i], sums);
	for (unsigned v = 0; v < td->vcpu_count; v++) {
		claim_control(td->vcpus[v]->tdvpr.pa, sums);
		for (unsigned i = 0; i < td->vcpus[v]->tdcx_count; i++)
			claim_control(td->vcpus[v]->tdcx[i], sums);
	}
	sums[FRAME_TD_PRIVATE] += atomic_load(&td->returned_bytes);
}

void check_alive(struct td *const *tds, unsigned count)
{
	uint64_t sums[FRAME_OWNER_COUNT] = {0};
	uint64_t bytes[FRAME_OWNER_COUNT];

	fault_pause();
	check_sum();
	memset(claimed, 0, sizeof(claimed));
	for (unsigned i = 0; i < count; i++) {
		claim_td(tds[i], sums);
		if (tds[i]->key_stage == TD_KEY_ASSIGNED)
			mirror_check(tds[i]);
	}
	frame_account(bytes);
	EXPECT_EQ(bytes[FRAME_TD_PRIVATE], sums[FRAME_TD_PRIVATE]);
	EXPECT_EQ(bytes[FRAME_SEPT], sums[FRAME_SEPT]);
	EXPECT_EQ(bytes[FRAME_TD_CONTROL], sums[FRAME_TD_CONTROL]);
	fault_resume();
}

/* ---- After the end ---- */

/* What the module still has must be out of everybody's reach. */
static void check_owned(void)
{
	if (hosted_owned_bytes() == 0)
		return;
	for (uint64_t at = 0; at < FRAMES_MAX * PAGE_SIZE; at += PAGE_SIZE) {
		enum frame_owner o;

		if (!hosted_is_owned(at))
			continue;
		o = frame_owner_of(hpa(at));
		if (o != FRAME_QUARANTINED && o != FRAME_PAMT) {
			test_fail(__FILE__, __LINE__, "frame %#llx is the module's, and %s",
				  (unsigned long long)at, frame_owner_name(o));
			return;
		}
	}
}

void check_gone(const struct check_stock *before, uint64_t *quarantined, unsigned *lost)
{
	struct check_stock now = check_stock_take();

	check_sum();
	for (enum frame_owner o = FRAME_HOST; o < FRAME_QUARANTINED; o++)
		if (now.bytes[o] != before->bytes[o])
			test_fail(__FILE__, __LINE__, "%s: %llu KiB before, %llu KiB after",
				  frame_owner_name(o),
				  (unsigned long long)before->bytes[o] / 1024,
				  (unsigned long long)now.bytes[o] / 1024);
	*quarantined = now.bytes[FRAME_QUARANTINED] - before->bytes[FRAME_QUARANTINED];
	*lost = before->keyids - now.keyids;
	EXPECT_EQ(now.bytes[FRAME_FREE] + *quarantined, before->bytes[FRAME_FREE]);
	EXPECT_EQ(now.heap, before->heap);
	check_owned();
}
