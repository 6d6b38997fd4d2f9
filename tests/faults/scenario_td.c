/* SPDX-License-Identifier: MIT */
/* A TD as mechanism: the steps of a life one by one, on several CPUs, beside another TD. */
#include <string.h>

#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tests/fake/fake.h"
#include "tests/faults/check.h"
#include "tests/faults/guest.h"
#include "tests/faults/scenario.h"
#include "tests/faults/site.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define RAM          (8 * SIZE_2M)
#define VCPUS        2U
#define BUSY_TRIES   4U
#define RETIRE_TRIES 3U
#define CODE_64      0xa09bU

struct life {
	struct td td;
	struct td_vcpu vcpus[VCPUS];
};

static struct life mine, other;
static struct check_stock before;
static hpa_t shared;

static const struct td_params params = {
	.max_vcpus = VCPUS,
	.tsc_khz = 1000000,
	.ram_low_end = {RAM},
	.ram_high_end = {UINT64_C(1) << 32},
};

/* ---- Steps ---- */

static enum status create(struct life *l)
{
	memset(l, 0, sizeof(*l));
	memcpy(l->td.name, "fault", 6);
	return td_create(&l->td, &params);
}

static enum status add_vcpu(struct life *l, unsigned i)
{
	unsigned cpu = fake_set_this_cpu(i);
	enum status s = td_vcpu_create(&l->td, &l->vcpus[i], 0);

	(void)fake_set_this_cpu(cpu);
	return s;
}

static enum status add_first(struct life *l) { return add_vcpu(l, 0); }
static enum status add_second(struct life *l) { return add_vcpu(l, 1); }

static enum status configure_vcpu(struct life *l, unsigned i)
{
	unsigned cpu = fake_set_this_cpu(i);
	enum status s = td_vcpu_configure(&l->vcpus[i], hpa_add(shared, 64 * i), 0xf2, shared);

	(void)fake_set_this_cpu(cpu);
	return s;
}

static enum status configure(struct life *l)
{
	enum status s = configure_vcpu(l, 0);

	return s ? s : configure_vcpu(l, 1);
}

static enum status measure_first(struct life *l)
{
	return td_add_measured_page(&l->td, gpa(TDBOOT_IMAGE_GPA), phys_ptr(shared));
}

static enum status measure_second(struct life *l)
{
	return td_add_measured_page(&l->td, gpa(TDBOOT_IMAGE_GPA + PAGE_SIZE),
				    phys_ptr(shared));
}

static enum status populate(struct life *l)
{
	return td_populate(&l->td, gpa(0), RAM - SIZE_2M);
}

static enum status finalize(struct life *l) { return td_finalize(&l->td); }

static enum status read_measurement(struct life *l)
{
	uint8_t mrtd[48];

	return td_read_mrtd(&l->td, mrtd);
}

static enum status read_vcpu(struct life *l)
{
	bool pending;
	enum status s = td_vcpu_interrupt_pending(&l->vcpus[0], &pending);

	return s ? s : td_vcpu_pend_nmi(&l->vcpus[0]);
}

static enum status enter_on(struct life *l, unsigned vcpu, unsigned cpu)
{
	struct seamcall_regs regs = {0};
	unsigned home = fake_set_this_cpu(cpu);
	tdx_status_t s = td_vcpu_enter(&l->vcpus[vcpu], &regs);

	(void)fake_set_this_cpu(home);
	return tdx_is_error(s) ? STATUS_BUSY : STATUS_OK;
}

static enum status enter_first(struct life *l) { return enter_on(l, 0, 0); }
static enum status enter_second(struct life *l) { return enter_on(l, 1, 1); }

/* To a CPU of the other package. */
static enum status migrate(struct life *l)
{
	enum status s = td_vcpu_flush(&l->vcpus[0]);

	return s ? s : enter_on(l, 0, 3);
}

/* The guest of vCPU 0 accepts the 2M at `accept_at` on its next entry; 0 = nothing. */
static uint64_t accept_at;
static bool is_accepted;

static void guest(unsigned cpu, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	uint64_t *gpr = vcpu->state->gpr;

	(void)cpu;
	if (!accept_at)
		return;
	is_accepted = gpr[TDX_RCX] == (accept_at | LEVEL_2M) && gpr[TDX_RAX] == 0;
	if (is_accepted)
		return;
	vcpu->state->segment[TDX_CS].access_rights = CODE_64;
	gpr[TDX_RAX] = TDG_MEM_PAGE_ACCEPT;
	gpr[TDX_RCX] = accept_at | LEVEL_2M;
	exit->reason = EXIT_TDCALL;
}

static enum status accept_large(struct life *l)
{
	enum status s;

	accept_at = RAM - SIZE_2M;
	is_accepted = false;
	s = enter_on(l, 0, 0);
	accept_at = 0;
	return !s && !is_accepted ? STATUS_BUSY : s;
}

static enum status fault_at(struct life *l, uint64_t at, enum page_level level)
{
	return td_resolve_fault(&l->td, gpa(at), level);
}

static enum status fault_large(struct life *l) { return fault_at(l, RAM - SIZE_4K, LEVEL_2M); }
static enum status split(struct life *l) { return fault_at(l, RAM - SIZE_4K, LEVEL_4K); }

/* A promotion that was refused is undone: the same as before it. */
static enum status promote(struct life *l)
{
	enum status s = td_promote_begin(&l->td, gpa(RAM - SIZE_2M), LEVEL_2M);

	return s ? s : td_promote_commit(&l->td, gpa(RAM - SIZE_2M), LEVEL_2M);
}

static enum status unmap(struct life *l, uint64_t at, uint64_t size)
{
	enum status s = td_unmap_private_begin(&l->td, gpa(at), size);

	return s ? s : td_unmap_private_commit(&l->td, gpa(at), size);
}

static enum status unmap_whole(struct life *l) { return unmap(l, SIZE_2M, SIZE_2M); }
static enum status unmap_cut(struct life *l) { return unmap(l, 2 * SIZE_2M + 0x3000, SIZE_2M); }

static enum status make_private(struct life *l)
{
	return td_mark_private(&l->td, gpa(SIZE_2M), SIZE_2M);
}

static enum status fault_again(struct life *l) { return fault_at(l, SIZE_2M, LEVEL_4K); }

/* All of two ranges that were split goes and comes back: their tables are empty, and go, too.
 */
static enum status unmap_split(struct life *l) { return unmap(l, 2 * SIZE_2M, 2 * SIZE_2M); }

static enum status drop_tables(struct life *l)
{
	enum status s = td_mark_private(&l->td, gpa(2 * SIZE_2M), 2 * SIZE_2M);

	return s ? s : td_drop_tables(&l->td, gpa(2 * SIZE_2M), 2 * SIZE_2M);
}

static enum status write_back(struct life *l)
{
	bool done = false;
	enum status s = td_write_back(&l->td, UINT32_MAX, &done);

	return s || done ? s : STATUS_BUSY;
}

static enum status unmap_begin(struct life *l)
{
	return td_unmap_private_begin(&l->td, gpa(6 * SIZE_2M), SIZE_2M);
}

static enum status unmap_cancel(struct life *l) { return td_unmap_private_cancel(&l->td); }

static const struct {
	const char *name;
	enum status (*fn)(struct life *l);
} steps[] = {
	{"create", create},
	{"first vCPU", add_first},
	{"second vCPU", add_second},
	{"configure", configure},
	{"first page", measure_first},
	{"second page", measure_second},
	{"populate", populate},
	{"finalize", finalize},
	{"read MRTD", read_measurement},
	{"read vCPU", read_vcpu},
	{"enter", enter_first},
	{"enter on cpu1", enter_second},
	{"fault", fault_large},
	{"accept", accept_large},
	{"split", split},
	{"promote", promote},
	{"enter before unmap", enter_first},
	{"unmap", unmap_whole},
	{"unmap with edges", unmap_cut},
	{"unmap what was split", unmap_split},
	{"drop its tables", drop_tables},
	{"write back", write_back},
	{"make private", make_private},
	{"fault after that", fault_again},
	{"begin of unmap", unmap_begin},
	{"cancel", unmap_cancel},
	{"migrate", migrate},
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static enum status take(unsigned i)
{
	enum status s = STATUS_BUSY;

	for (unsigned n = 0; s == STATUS_BUSY && n < BUSY_TRIES; n++)
		s = steps[i].fn(&mine);
	return s;
}

/* The books hold at every step. True: go on with the next. */
static bool do_step(unsigned i, enum fault_mode mode, bool *is_complete)
{
	struct td *tds[] = {&mine.td, &other.td};
	bool has_td;

	if (!take(i))
		return true;
	*is_complete = false;
	has_td = mine.td.tdr.pa.raw != 0;
	check_alive(has_td ? tds : tds + 1, has_td ? 2 : 1);
	if (mode == FAULT_LASTING)
		return false;
	fault_disarm();
	if (has_td && mine.td.is_dead)
		return false;
	if (take(i) && !mine.td.is_dead) {
		test_fail(__FILE__, __LINE__, "%s failed, left a live TD, and fails for ever",
			  steps[i].name);
		return false;
	}
	return !mine.td.is_dead;
}

/* ---- The end ---- */

static bool retire(struct life *l)
{
	bool done = false;

	for (unsigned n = 0; !done && n < RETIRE_TRIES; n++) {
		enum status s = td_release_keyid(&l->td);

		while (s != STATUS_BUSY && !done && td_reclaim(&l->td, &done) == STATUS_OK)
			continue;
	}
	return done;
}

static void end_mine(void)
{
	if (!mine.td.tdr.pa.raw)
		return;
	if (!retire(&mine)) {
		fault_disarm();
		if (!retire(&mine))
			test_fail(__FILE__, __LINE__, "the TD cannot be torn down");
	}
	fault_disarm();
}

static void check_the_rest(void)
{
	struct td *tds[] = {&other.td};

	fault_disarm();
	check_alive(tds, 1);
	EXPECT_EQ(enter_on(&other, 0, 2), STATUS_OK);
	EXPECT_EQ(fault_at(&other, RAM - SIZE_4K, LEVEL_4K), STATUS_OK);
	EXPECT_EQ(create(&mine), STATUS_OK);
	EXPECT_TRUE(retire(&mine));
	EXPECT_TRUE(retire(&other));
}

static struct outcome run(enum fault_mode mode)
{
	struct outcome o = {true, 0, 0};
	struct td *tds[] = {&mine.td, &other.td};
	unsigned i = 0;

	while (i < STEPS && do_step(i, mode, &o.is_complete))
		i++;
	if (i == STEPS)
		check_alive(tds, 2);
	end_mine();
	check_the_rest();
	check_gone(&before, &o.quarantined, &o.lost);
	return o;
}

static void prepare(void)
{
	hosted_start_ready(&hosted_default);
	EXPECT_EQ(frame_alloc_range(2 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &shared),
		  STATUS_OK);
	hosted_set_guest(guest);
	before = check_stock_take();
	EXPECT_EQ(create(&other), STATUS_OK);
	EXPECT_EQ(add_first(&other), STATUS_OK);
	EXPECT_EQ(populate(&other), STATUS_OK);
	EXPECT_EQ(finalize(&other), STATUS_OK);
	EXPECT_EQ(td_vcpu_flush(&other.vcpus[0]), STATUS_OK);
	EXPECT_EQ(enter_on(&other, 0, 2), STATUS_OK);
	fault_attach();
}

const struct scenario scenario_td = {"td", "", 2, prepare, run};
