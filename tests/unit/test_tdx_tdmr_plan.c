/* SPDX-License-Identifier: MIT */
#include "tdx/tdmr_plan.h"

#include <dirent.h>
#include <stdlib.h>

#include "core/hw.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/tdh.h"
#include "tdx/tdmr_init.h"
#include "tests/hosted/hosted.h"
#include "tests/hosted/platform.h"
#include "tests/unit/test.h"
#include "vmx/vmx.h"

#define MAX_MEMORY 128
#define MAX_PLACES 512

/* A machine, and who has taken which part of it for PAMTs. */
static struct hpa_range memory[MAX_MEMORY];
static unsigned memory_count;
static struct hpa_range cmrs[TDX_MAX_CMRS];
static unsigned cmr_count;
static struct hpa_range places[MAX_PLACES];
static unsigned place_count;

static struct tdmr_plan plan;

static uint64_t end_of(struct hpa_range r) { return r.base.raw + r.size; }

static bool overlaps(struct hpa_range a, struct hpa_range b)
{
	return a.base.raw < end_of(b) && b.base.raw < end_of(a);
}

/* Does a range of `size` at `at` lie in memory? Else *next is where to look on. */
static bool is_free(uint64_t at, uint64_t size, uint64_t *next)
{
	struct hpa_range r = {hpa(at), size};

	for (unsigned i = 0; i < place_count; i++)
		if (overlaps(r, places[i])) {
			*next = end_of(places[i]);
			return false;
		}
	for (unsigned i = 0; i < memory_count; i++)
		if (at >= memory[i].base.raw && at < end_of(memory[i])) {
			*next = end_of(memory[i]);
			return at + size <= end_of(memory[i]);
		}
	*next = UINT64_MAX;
	for (unsigned i = memory_count; i-- > 0;)
		if (memory[i].base.raw > at)
			*next = memory[i].base.raw;
	return false;
}

static bool place(void *ctx, uint64_t size, hpa_t low, hpa_t high, hpa_t *out)
{
	uint64_t at = low.raw;

	(void)ctx;
	if (place_count == MAX_PLACES)
		return false;
	while (at < high.raw && high.raw - at >= size) {
		uint64_t next;

		if (is_free(at, size, &next)) {
			*out = hpa(at);
			places[place_count++] = (struct hpa_range){*out, size};
			return true;
		}
		at = next;
	}
	return false;
}

static void unplace(void *ctx, hpa_t base, uint64_t size)
{
	(void)ctx;
	for (unsigned i = 0; i < place_count; i++)
		if (places[i].base.raw == base.raw && places[i].size == size) {
			places[i] = places[--place_count];
			return;
		}
	test_fail(__FILE__, __LINE__, "%#llx was not placed", (unsigned long long)base.raw);
}

static struct tdmr_plan_input input(void)
{
	return (struct tdmr_plan_input){
		.memory = memory,
		.memory_count = memory_count,
		.cmrs = cmrs,
		.cmr_count = cmr_count,
		.max_tdmrs = TDX_MAX_TDMRS,
		.max_reserved = TDX_MAX_RESERVED,
		.pamt_entry_size = {16, 16, 16},
		.place = place,
		.unplace = unplace,
	};
}

static void start(void) { memory_count = cmr_count = place_count = 0; }

static void add_memory(uint64_t base, uint64_t end)
{
	memory[memory_count++] = (struct hpa_range){hpa(base), end - base};
}

static void add_cmr(uint64_t base, uint64_t end)
{
	cmrs[cmr_count++] = (struct hpa_range){hpa(base), end - base};
}

/* ---- SYS.CONFIG's rules, restated ---- */

static bool in_cmrs(uint64_t at, uint64_t end)
{
	for (unsigned i = 0; i < cmr_count && at < end; i++)
		if (at >= cmrs[i].base.raw && at < end_of(cmrs[i]))
			at = end_of(cmrs[i]);
	return at >= end;
}

static void each_usable(void (*emit)(void *ctx, hpa_t base, uint64_t size), void *ctx)
{
	for (unsigned i = 0; i < plan.tdmr_count; i++) {
		const struct tdx_tdmr_info *t = &plan.tdmrs[i];
		struct hpa_range r;

		for (uint64_t at = t->base; tdmr_next_usable(t, &at, UINT64_MAX, &r);)
			emit(ctx, r.base, r.size);
	}
}

static void check_usable(void *ctx, hpa_t base, uint64_t size)
{
	struct hpa_range r = {base, size};

	(void)ctx;
	EXPECT_TRUE(in_cmrs(base.raw, end_of(r)));
	for (unsigned i = 0; i < plan.pamt_count; i++)
		EXPECT_TRUE(!overlaps(r, plan.pamts[i]));
}

static void check_pamt(uint64_t base, uint64_t size, uint64_t needed)
{
	struct hpa_range r = {hpa(base), size};
	bool is_inside = false;

	EXPECT_EQ(base % PAGE_SIZE, 0);
	EXPECT_EQ(size % PAGE_SIZE, 0);
	EXPECT_TRUE(size >= needed);
	EXPECT_TRUE(in_cmrs(base, base + size));
	for (unsigned i = 0; i < plan.pamt_count; i++)
		is_inside |=
			base >= plan.pamts[i].base.raw && end_of(r) <= end_of(plan.pamts[i]);
	EXPECT_TRUE(is_inside);
}

static void check_plan(void)
{
	uint64_t last = 0;

	EXPECT_TRUE(plan.tdmr_count >= 1 && plan.tdmr_count <= TDX_MAX_TDMRS);
	for (unsigned i = 0; i < plan.tdmr_count; i++) {
		const struct tdx_tdmr_info *t = &plan.tdmrs[i];
		uint64_t at = 0;

		EXPECT_EQ(t->base % SIZE_1G, 0);
		EXPECT_EQ(t->size % SIZE_1G, 0);
		EXPECT_TRUE(t->size > 0 && t->base >= last);
		last = t->base + t->size;
		for (unsigned r = 0; r < TDX_MAX_RESERVED && t->reserved[r].size; r++) {
			EXPECT_TRUE(t->reserved[r].offset >= at);
			at = t->reserved[r].offset + t->reserved[r].size;
			EXPECT_TRUE(at <= t->size);
			EXPECT_EQ(at % PAGE_SIZE, 0);
		}
		check_pamt(t->pamt[2].base, t->pamt[2].size, t->size / SIZE_4K * 16);
		check_pamt(t->pamt[1].base, t->pamt[1].size, t->size / SIZE_2M * 16);
		check_pamt(t->pamt[0].base, t->pamt[0].size, t->size / SIZE_1G * 16);
	}
	for (unsigned i = 0; i < plan.pamt_count; i++)
		for (unsigned j = 0; j < i; j++)
			EXPECT_TRUE(!overlaps(plan.pamts[i], plan.pamts[j]));
	EXPECT_EQ(plan.pamt_count, place_count);
	each_usable(check_usable, NULL);
}

static uint64_t usable;

static void add_usable(void *ctx, hpa_t base, uint64_t size)
{
	(void)ctx;
	(void)base;
	usable += size;
}

static uint64_t usable_bytes(void)
{
	usable = 0;
	each_usable(add_usable, NULL);
	return usable;
}

TEST(tdx_tdmr_plan_covers_a_simple_machine_with_one_tdmr)
{
	struct tdmr_plan_input in;

	start();
	add_memory(0, 4 * SIZE_1G);
	add_cmr(0x100000, 4 * SIZE_1G);
	in = input();
	EXPECT_EQ(tdmr_plan(&in, &plan), STATUS_OK);
	check_plan();
	EXPECT_EQ(plan.tdmr_count, 1);
	EXPECT_EQ(plan.pamt_count, 1);
	EXPECT_EQ(plan.lost_bytes, 0);
	EXPECT_EQ(usable_bytes(), 4 * SIZE_1G - 0x100000 - plan.pamt_bytes);
	tdmr_plan_release(&in, &plan);
	EXPECT_EQ(place_count, 0);
}

TEST(tdx_tdmr_plan_splits_where_reserved_areas_run_out)
{
	struct tdmr_plan_input in;

	start();
	for (uint64_t i = 0; i < 32; i++) {
		add_memory(i * SIZE_1G + SIZE_2M, (i + 1) * SIZE_1G);
		add_cmr(i * SIZE_1G + SIZE_2M, (i + 1) * SIZE_1G);
	}
	in = input();
	EXPECT_EQ(tdmr_plan(&in, &plan), STATUS_OK);
	check_plan();
	EXPECT_TRUE(plan.tdmr_count >= 3);
	EXPECT_EQ(plan.lost_bytes, 0);
}

TEST(tdx_tdmr_plan_gives_up_the_smallest_pieces_of_a_gib_with_too_many_holes)
{
	struct tdmr_plan_input in;

	start();
	for (uint64_t i = 0; i < 32; i++) {
		uint64_t size = i % 2 ? SIZE_2M : 16 * SIZE_2M;

		add_memory(SIZE_1G + i * 16 * SIZE_2M,
			   SIZE_1G + i * 16 * SIZE_2M + size - SIZE_4K);
		add_cmr(SIZE_1G + i * 16 * SIZE_2M,
			SIZE_1G + i * 16 * SIZE_2M + size - SIZE_4K);
	}
	in = input();
	EXPECT_EQ(tdmr_plan(&in, &plan), STATUS_OK);
	check_plan();
	EXPECT_EQ(plan.tdmr_count, 1);
	EXPECT_TRUE(plan.lost_bytes > 0 && plan.lost_bytes <= 17 * SIZE_2M);
}

TEST(tdx_tdmr_plan_fails_only_without_memory)
{
	struct tdmr_plan_input in;

	start();
	add_cmr(0x100000, SIZE_1G);
	add_memory(2 * SIZE_1G, 3 * SIZE_1G); /* in no CMR */
	in = input();
	EXPECT_EQ(tdmr_plan(&in, &plan), STATUS_NOT_FOUND);
	start();
	add_memory(0, SIZE_1G);
	in = input();
	EXPECT_EQ(tdmr_plan(&in, &plan), STATUS_NOT_FOUND);
}

/* SYS.CONFIG's rules themselves: the model gets the plan as it is. */
static void check_module_takes_plan(void)
{
	uint64_t end = end_of(cmrs[cmr_count - 1]);
	struct hpa_range unused = {hpa(0), SIZE_1G}; /* by mm/, which nobody asks here */
	struct hosted_map map = {&unused, 1, cmrs, cmr_count, {hpa(0), 0}};
	struct hosted_config c = hosted_default;
	uint64_t *infos;
	tdx_status_t s;

	c.cpus = c.packages = 1;
	c.ram = align_up(end, SIZE_1G);
	hosted_start_map(&c, &map);
	EXPECT_EQ(vmx_on_this_cpu(hpa(0)), STATUS_OK);
	EXPECT_TRUE(!tdx_is_error(tdh_sys_init()));
	EXPECT_TRUE(!tdx_is_error(tdh_sys_lp_init()));
	infos = phys_ptr(hpa(0)); /* below all CMRs */
	for (unsigned i = 0; i < plan.tdmr_count; i++) {
		infos[i] = SIZE_4K + i * TDX_TDMR_INFO_ALIGN;
		memcpy(phys_ptr(hpa(infos[i])), &plan.tdmrs[i], sizeof(plan.tdmrs[i]));
	}
	hw_wbinvd();
	s = tdh_sys_config(hpa(0), plan.tdmr_count, PLATFORM_SHARED_KEYIDS + 1);
	if (tdx_is_error(s))
		test_fail(__FILE__, __LINE__, "SYS.CONFIG of %u TDMRs: %#llx", plan.tdmr_count,
			  (unsigned long long)s.raw);
}

/* ---- What a plan may give up ---- */

static uint64_t common(uint64_t at, uint64_t end, struct hpa_range r)
{
	uint64_t low = at > r.base.raw ? at : r.base.raw;
	uint64_t high = end < end_of(r) ? end : end_of(r);

	return low < high ? high - low : 0;
}

static uint64_t memory_in(uint64_t at, uint64_t end)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < memory_count; i++)
		sum += common(at, end, memory[i]);
	return sum;
}

/* Memory in CMRs. */
static uint64_t convertible_in(uint64_t at, uint64_t end)
{
	uint64_t sum = 0;

	for (unsigned c = 0; c < cmr_count; c++) {
		uint64_t low = at > cmrs[c].base.raw ? at : cmrs[c].base.raw;
		uint64_t high = end < end_of(cmrs[c]) ? end : end_of(cmrs[c]);

		if (low < high)
			sum += memory_in(low, high);
	}
	return sum;
}

static uint64_t convertible_bytes(void) { return convertible_in(0, UINT64_MAX); }

/* The next address from `at` on, below `end`, where a CMR or a PAMT begins or ends. */
static uint64_t next_edge(uint64_t at, uint64_t end)
{
	for (unsigned i = 0; i < cmr_count + plan.pamt_count; i++) {
		struct hpa_range r = i < cmr_count ? cmrs[i] : plan.pamts[i - cmr_count];

		if (r.base.raw > at && r.base.raw < end)
			end = r.base.raw;
		if (end_of(r) > at && end_of(r) < end)
			end = end_of(r);
	}
	return end;
}

static bool must_be_reserved(uint64_t at)
{
	for (unsigned i = 0; i < plan.pamt_count; i++)
		if (at >= plan.pamts[i].base.raw && at < end_of(plan.pamts[i]))
			return true;
	return !in_cmrs(at, at + 1);
}

static bool is_reserved(const struct tdx_tdmr_info *t, uint64_t at)
{
	for (unsigned r = 0; r < TDX_MAX_RESERVED && t->reserved[r].size; r++)
		if (at - t->base >= t->reserved[r].offset &&
		    at - t->base < t->reserved[r].offset + t->reserved[r].size)
			return true;
	return false;
}

/*
 * A TDMR has as many areas as it may; the pieces between them that it gave up are as few as
 * possible, and the smallest. Returns whether it gave up any.
 */
static bool check_given_up(const struct tdx_tdmr_info *t, unsigned max_reserved)
{
	uint64_t end = t->base + t->size;
	uint64_t most_given_up = 0;
	uint64_t least_kept = UINT64_MAX;
	unsigned areas = 0;
	unsigned given_up = 0;
	uint64_t at = t->base;

	while (at < end) {
		bool is_area = must_be_reserved(at);
		uint64_t from = at;

		do {
			at = next_edge(at, end);
		} while (at < end && must_be_reserved(at) == is_area);
		if (is_area) {
			areas++;
			EXPECT_TRUE(is_reserved(t, from) && is_reserved(t, at - 1));
		} else if (is_reserved(t, from)) {
			given_up++;
			most_given_up = at - from > most_given_up ? at - from : most_given_up;
		} else if (from > t->base && at < end) {
			least_kept = at - from < least_kept ? at - from : least_kept;
		}
	}
	EXPECT_EQ(given_up, areas > max_reserved ? areas - max_reserved : 0);
	EXPECT_TRUE(most_given_up <= least_kept);
	return given_up > 0;
}

static bool has_place_for_one_gib(const struct tdmr_plan_input *in)
{
	unsigned before = place_count;
	bool found = false;

	for (unsigned c = 0; c < cmr_count && !found; c++) {
		uint64_t low = cmrs[c].base.raw < 0x100000 ? 0x100000 : cmrs[c].base.raw;
		hpa_t at;

		found = in->place(NULL, SIZE_1G / 256 + SIZE_1G / 131072 + SIZE_4K, hpa(low),
				  hpa(end_of(cmrs[c])), &at);
	}
	place_count = before;
	return found;
}

static bool is_covered(uint64_t gib)
{
	for (unsigned i = 0; i < plan.tdmr_count; i++)
		if (gib >= plan.tdmrs[i].base && gib < plan.tdmrs[i].base + plan.tdmrs[i].size)
			return true;
	return false;
}

static void add_usable_memory(void *ctx, hpa_t base, uint64_t size)
{
	uint64_t *sum = ctx;

	*sum += memory_in(base.raw, base.raw + size);
}

/* Nothing is given up that one more TDMR could keep, and all that is given up is told. */
static void check_is_maximal(const struct tdmr_plan_input *in)
{
	bool has_more = plan.tdmr_count < in->max_tdmrs;
	uint64_t kept = 0;

	for (unsigned i = 0; i < plan.tdmr_count; i++)
		if (check_given_up(&plan.tdmrs[i], in->max_reserved))
			EXPECT_TRUE(!has_more || plan.tdmrs[i].size == SIZE_1G);
	for (uint64_t gib = 0; gib < end_of(cmrs[cmr_count - 1]); gib += SIZE_1G)
		if (has_more && !is_covered(gib) && convertible_in(gib, gib + SIZE_1G) > 0)
			EXPECT_TRUE(!has_place_for_one_gib(in));
	each_usable(add_usable_memory, &kept);
	EXPECT_TRUE(kept + plan.pamt_bytes + plan.lost_bytes >= convertible_bytes());
	EXPECT_TRUE(kept + plan.lost_bytes <= convertible_bytes());
}

TEST(tdx_tdmr_plan_takes_several_places_for_pamts_in_fragmented_memory)
{
	struct tdmr_plan_input in;

	start();
	add_cmr(SIZE_1G, 9 * SIZE_1G);
	for (uint64_t i = 0; i < 32; i++) /* pieces of 9 MiB, 128 MiB apart */
		add_memory(SIZE_1G + i * 64 * SIZE_2M,
			   SIZE_1G + i * 64 * SIZE_2M + 9 * SIZE_1G / 1024);
	in = input();
	EXPECT_EQ(tdmr_plan(&in, &plan), STATUS_OK);
	check_plan();
	check_is_maximal(&in);
	EXPECT_TRUE(plan.pamt_count >= 2);
	EXPECT_EQ(plan.lost_bytes, 0);
}

/* ---- Random machines ---- */

static uint64_t pages(uint64_t max) { return ((uint64_t)rand() % max + 1) * SIZE_4K; }

/* CMRs of [at, limit), some of which touch, and memory that has gaps of its own in them. */
static void random_node(uint64_t at, uint64_t limit, unsigned count, uint64_t piece)
{
	while (count-- > 0 && cmr_count < TDX_MAX_CMRS && at < limit) {
		uint64_t size = pages((uint64_t[]){300, 40000, 600000}[rand() % 3]);
		uint64_t end = at + size < limit ? at + size : limit;
		uint64_t m = at;

		add_cmr(at, end);
		while (m < end && memory_count < MAX_MEMORY) {
			uint64_t n = m + pages(rand() % 4 ? piece : 2000);

			add_memory(m, n < end ? n : end);
			m = n + (rand() % 2 ? 0 : pages(1000));
		}
		at = end +
		     (rand() % 4 ? pages((uint64_t[]){10, 30000, 900000}[rand() % 3]) : 0);
	}
}

/* 2 to 8 nodes, up to 32 CMRs in all; the nodes' memory may touch or lie far apart. */
static void random_machine(void)
{
	unsigned nodes = (unsigned)rand() % 7 + 2;
	uint64_t piece = rand() % 8 ? 500000 : 8000; /* seldom enough for many GiBs' PAMT */
	uint64_t at = 0x100000;

	start();
	for (unsigned n = 0; n < nodes; n++) {
		uint64_t limit = at + pages(5 * SIZE_1G / SIZE_4K);

		random_node(at, limit, (unsigned)rand() % (2 * TDX_MAX_CMRS / nodes) + 1,
			    piece);
		at = limit + (rand() % 2 ? 0 : pages(64 * SIZE_1G / SIZE_4K));
	}
}

static struct tdmr_plan_input random_input(void)
{
	struct tdmr_plan_input in;

	random_machine();
	in = input();
	if (rand() % 4 == 0)
		in.max_tdmrs = (unsigned)rand() % 4 + 1;
	if (rand() % 4 == 0)
		in.max_reserved = (unsigned)rand() % TDX_MAX_RESERVED + 1;
	if (rand() % 2)
		in.split_to = (unsigned)rand() % TDX_MAX_TDMRS;
	return in;
}

TEST(tdx_tdmr_plan_plans_10000_random_machines)
{
	unsigned without = 0;
	unsigned with_loss = 0;

	for (unsigned i = 0; i < 10000 && test_failures == 0; i++) {
		struct tdmr_plan_input in = random_input();

		if (tdmr_plan(&in, &plan)) {
			EXPECT_TRUE(convertible_bytes() == 0 || !has_place_for_one_gib(&in));
			EXPECT_EQ(place_count, 0);
			without++;
			continue;
		}
		check_plan();
		check_is_maximal(&in);
		check_module_takes_plan();
		with_loss += plan.lost_bytes > 0;
		tdmr_plan_release(&in, &plan);
		EXPECT_EQ(place_count, 0);
		if (test_failures)
			printf("# machine %u: %u CMRs, at most %u TDMRs, %u areas\n", i,
			       cmr_count, in.max_tdmrs, in.max_reserved);
	}
	EXPECT_TRUE(without < 1000 && with_loss > 100);
	printf("# %u machines too small for one PAMT, %u beyond a limit\n", without, with_loss);
}

TEST(tdx_tdmr_plan_splits_for_parallel_work)
{
	struct tdmr_plan_input in;
	uint64_t covered = 0;

	start();
	add_memory(0, 13 * SIZE_1G);
	add_cmr(0x100000, 13 * SIZE_1G);
	in = input();
	in.split_to = 8;
	EXPECT_EQ(tdmr_plan(&in, &plan), STATUS_OK);
	check_plan();
	EXPECT_EQ(plan.tdmr_count, 8);
	for (unsigned i = 0; i < plan.tdmr_count; i++) {
		EXPECT_EQ(plan.tdmrs[i].base, covered);
		EXPECT_TRUE(plan.tdmrs[i].size <= 2 * SIZE_1G);
		covered += plan.tdmrs[i].size;
	}
	EXPECT_EQ(covered, 13 * SIZE_1G);
	EXPECT_EQ(plan.lost_bytes, 0);
	EXPECT_EQ(usable_bytes(), 13 * SIZE_1G - 0x100000 - plan.pamt_bytes);
}

/* ---- The model's own SYS.CONFIG ---- */

/* Brings the module up on the machine that was described; false when it was refused. */
static bool module_accepts(struct hpa_range seamrr)
{
	struct hosted_map map = {memory, memory_count, cmrs, cmr_count, seamrr};
	struct hosted_config c = hosted_default;

	c.ram = align_up(end_of(memory[memory_count - 1]), SIZE_1G);
	if (c.ram < end_of(cmrs[cmr_count - 1]))
		c.ram = align_up(end_of(cmrs[cmr_count - 1]), SIZE_1G);
	hosted_start_map(&c, &map);
	return tdx_module_init(hosted_boot_info()) == STATUS_OK;
}

static uint64_t largest_piece(void)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < memory_count; i++)
		most = memory[i].size > most ? memory[i].size : most;
	return most;
}

TEST(tdx_tdmr_plan_of_300_random_machines_is_accepted_by_the_module)
{
	unsigned tried = 0;

	for (unsigned i = 0; i < 300 && test_failures == 0; i++) {
		uint64_t total;

		random_machine();
		if (largest_piece() < SIZE_1G / 4) /* no room for the allocator's own tables */
			continue;
		tried++;
		if (!module_accepts((struct hpa_range){hpa(0), 0}))
			test_fail(__FILE__, __LINE__, "machine %u: %s", i,
				  tdx_module_info()->refusal);
		total = frame_total();
		EXPECT_EQ(hosted_calls(TDH_SYS_CONFIG), 1);
		EXPECT_EQ(hosted_calls(TDH_SYS_TDMR_INIT), 256);
		EXPECT_TRUE(tdmr_init_until(0) ||
			    tdmr_init_done_bytes() == tdx_module_info()->tdmr_bytes);
		EXPECT_EQ(frame_total(), total);
	}
	EXPECT_TRUE(tried > 200);
	printf("# %u machines\n", tried);
}

/* ---- The platforms of the recorded traces ---- */

/* Adds [base, base+size) of RAM without the part that SEAMRR takes. */
static void add_memory_around(uint64_t end, struct hpa_range seamrr)
{
	if (seamrr.size == 0 || seamrr.base.raw >= end) {
		add_memory(0, end);
		return;
	}
	add_memory(0, seamrr.base.raw);
	if (end_of(seamrr) < end)
		add_memory(end_of(seamrr), end);
}

static struct hpa_range range_of(const char *line)
{
	const char *base = strstr(line, "base=");
	const char *size = strstr(line, "size=");

	if (!base || !size)
		return (struct hpa_range){hpa(0), 0};
	return (struct hpa_range){hpa(strtoull(base + 5, NULL, 0)),
				  strtoull(size + 5, NULL, 0)};
}

/* Describes the machine in the header of a trace; returns its SEAMRR. */
static struct hpa_range read_platform(FILE *f)
{
	struct hpa_range seamrr = {hpa(0), 0};
	uint64_t end = 0;
	char line[1024];

	start();
	while (fgets(line, sizeof(line), f) && strncmp(line, "begin", 5) != 0) {
		const char *size = strstr(line, "memory=");

		if (strncmp(line, "platform ", 9) == 0 && size)
			end = strtoull(size + 7, NULL, 0);
		else if (strncmp(line, "cmr ", 4) == 0)
			cmrs[cmr_count++] = range_of(line);
		else if (strncmp(line, "seamrr ", 7) == 0)
			seamrr = range_of(line);
	}
	add_memory_around(end, seamrr);
	return seamrr;
}

static void plan_platform_of(const char *path)
{
	FILE *f = fopen(path, "r");
	struct hpa_range seamrr;

	EXPECT_TRUE(f != NULL);
	if (!f)
		return;
	seamrr = read_platform(f);
	(void)fclose(f);
	EXPECT_TRUE(cmr_count > 0 && memory_count > 0);
	EXPECT_TRUE(module_accepts(seamrr));
	while (tdmr_init_one_more())
		continue;
	EXPECT_EQ(tdmr_init_failed_bytes(), 0);
	EXPECT_TRUE(frame_free_tdx(LEVEL_4K) * PAGE_SIZE + SIZE_1G / 8 >= convertible_bytes());
}

TEST(tdx_tdmr_plan_plans_the_platforms_of_the_recorded_traces)
{
	const struct dirent *e;
	DIR *dir = opendir("tests/trace/data");
	unsigned count = 0;

	EXPECT_TRUE(dir != NULL);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char path[300];

		if (strstr(e->d_name, ".trace") == NULL)
			continue;
		(void)snprintf(path, sizeof(path), "tests/trace/data/%s", e->d_name);
		plan_platform_of(path);
		count++;
	}
	EXPECT_TRUE(count > 80);
	(void)closedir(dir);
}
