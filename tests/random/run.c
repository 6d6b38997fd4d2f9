/* SPDX-License-Identifier: MIT */
#include "tests/random/run.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/random/check.h"
#include "tests/random/guest.h"
#include "tests/random/host.h"
#include "tests/random/lp.h"
#include "tests/unit/test.h"

#define LPS_ALONE     4U /* LPs that one thread plays */
#define PRIVATE_KEYS  6U /* one is the module's: one TD too few; an even seed has enough */
#define LOG_LINES     12U
#define WBINVD_BLOCKS 4U
#define RAM_WITH_GIB  (3 * SIZE_1G) /* from here on a GiB is free as a whole */

static const struct run_options *options;
static const struct op *list;
static uint32_t list_count;
static struct run_progress *progress;
static atomic_uint_least32_t next_op; /* index into list */
static atomic_uint_least32_t round_end;
static atomic_bool failed;
static bool lp_is_busy[LPS_ALONE]; /* one thread: an operation is under way there */

unsigned test_failures;

/* ---- Telling ---- */

/* Lines that nested operations have begun and not ended are ended first. */
static bool is_line_open;

static void end_line(void)
{
	if (is_line_open)
		printf("\n");
	is_line_open = false;
}

void say(const char *fmt, ...)
{
	va_list ap;

	if (!options->is_told || lp.depth == 0)
		return;
	if (!is_line_open)
		printf("#%*s  ...", 2 * (int)lp.depth, "");
	is_line_open = true;
	printf(" ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

static void say_begin(const struct op *op)
{
	if (!options->is_told)
		return;
	end_line();
	printf("#%*s%s%s", 2 * (int)lp.depth, "", lp.depth > 1 ? "inside it: " : "", "");
	if (op->kind >= OP_HOG)
		printf("CPU %u %s:", this_cpu(), op_words(op->kind));
	else
		printf("CPU %u %s TD %u:", this_cpu(), op_words(op->kind), op->td);
	is_line_open = true;
}

bool has_failed(void) { return atomic_load(&failed); }

static void print_log_line(void *ctx, const char *line)
{
	char(*lines)[256] = ctx;

	memmove(lines[0], lines[1], (LOG_LINES - 1) * sizeof(lines[0]));
	(void)snprintf(lines[LOG_LINES - 1], sizeof(lines[0]), "%s", line);
}

/* What tdx/ has logged last often says why. */
static void print_log(void)
{
	static char lines[LOG_LINES][256];

	(void)log_replay(0, print_log_line, lines);
	for (unsigned i = 0; i < LOG_LINES; i++)
		if (lines[i][0])
			printf("#   log: %.*s\n", (int)strcspn(lines[i], "\n"), lines[i]);
}

static __attribute__((format(printf, 1, 0))) void fail_v(const char *fmt, va_list ap)
{
	if (atomic_exchange(&failed, true))
		return;
	end_line();
	printf("# after %u operations: ", (unsigned)atomic_load(&next_op));
	vprintf(fmt, ap);
	printf("\n");
	print_log();
	fflush(stdout);
}

void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_v(fmt, ap);
	va_end(ap);
}

/* mirror_check.c and hosted.c report here. */
void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	(void)file;
	(void)line;
	test_failures++;
	va_start(ap, fmt);
	fail_v(fmt, ap);
	va_end(ap);
}

/* ---- Operations ---- */

static bool take_op(struct op *op)
{
	uint32_t i = atomic_load(&next_op);

	do {
		if (i >= atomic_load(&round_end) || has_failed())
			return false;
	} while (!atomic_compare_exchange_weak(&next_op, &i, i + 1));
	*op = list[i];
	atomic_store(&progress->reached, i + 1);
	return true;
}

void run_count(unsigned kind) { atomic_fetch_add(&progress->done_by_kind[kind], 1); }
void run_count_1g(void) { atomic_fetch_add(&progress->promoted_1g, 1); }

/* The LP an operation names, or the next one that is not inside another operation. */
static bool choose_lp(const struct op *op, unsigned *cpu)
{
	for (unsigned i = 0; i < LPS_ALONE; i++) {
		*cpu = (op->cpu + i) % LPS_ALONE;
		if (!lp_is_busy[*cpu])
			return true;
	}
	return false;
}

static void perform(const struct op *op)
{
	lp.depth++;
	say_begin(op);
	host_do(op);
	if (options->is_told)
		end_line();
	lp.depth--;
}

/* One thread: the operation's LP is the one that it names. */
static void perform_alone(const struct op *op)
{
	unsigned cpu, before;

	if (!choose_lp(op, &cpu))
		return;
	before = fake_set_this_cpu(cpu);
	lp_is_busy[cpu] = true;
	perform(op);
	lp_is_busy[cpu] = false;
	(void)fake_set_this_cpu(before);
}

void run_inside(void)
{
	struct op op;

	if (lp_is_alone() && lp.depth > 0 && lp.depth < LPS_ALONE && take_op(&op))
		perform_alone(&op);
}

/* What an operation arms for the next one ends with that one. */
static bool is_arming(const struct op *op)
{
	return op->kind == OP_OVERLAP || op->kind == OP_NO_HEAP;
}

static void run_alone(void)
{
	bool was_heap_armed = false;
	struct op op;

	while (take_op(&op)) {
		lp.is_disturbed = was_heap_armed;
		perform_alone(&op);
		if (is_arming(&op)) {
			was_heap_armed |= op.kind == OP_NO_HEAP;
			continue;
		}
		lp.overlap_skip = 0;
		fake_heap_fail_at(0);
		was_heap_armed = false;
	}
}

/* ---- Threads ---- */

static atomic_uint arrived;
static atomic_uint checks_done;

static void run_as_lp(void)
{
	struct op op;

	while (take_op(&op)) {
		lp.is_disturbed = false;
		perform(&op);
		oncpu_drain();
	}
}

/* Requests of those who are still at work are served while waiting. */
static void wait_for_all(unsigned threads)
{
	unsigned round = atomic_load(&checks_done);

	atomic_fetch_add(&arrived, 1);
	while (atomic_load(&arrived) < threads && atomic_load(&checks_done) == round)
		(void)lp_wait();
}

static bool next_round(void)
{
	uint32_t end = atomic_load(&round_end);

	if (has_failed() || end == list_count)
		return false;
	end = list_count - end > options->check_every ? end + options->check_every : list_count;
	atomic_store(&round_end, end);
	return true;
}

static void *lp_thread(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg;
	unsigned round = 0;

	(void)fake_set_this_cpu(cpu);
	for (bool is_more = true; is_more; round++) {
		run_as_lp();
		wait_for_all(options->threads);
		if (cpu == 0) {
			if (!has_failed())
				check_all();
			(void)next_round();
			atomic_store(&arrived, 0);
			atomic_fetch_add(&checks_done, 1);
		}
		while (atomic_load(&checks_done) == round)
			(void)lp_wait();
		is_more = !has_failed() && atomic_load(&next_op) < atomic_load(&round_end);
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t threads[MAX_CPUS];

	for (uintptr_t i = 1; i < options->threads; i++)
		if (pthread_create(&threads[i], NULL, lp_thread, (void *)i))
			abort();
	(void)lp_thread(NULL);
	for (unsigned i = 1; i < options->threads; i++)
		(void)pthread_join(threads[i], NULL);
}

/* ---- A run ---- */

static void start_machine(void)
{
	struct hosted_config c = {
		.cpus = options->threads > 1 ? options->threads : LPS_ALONE,
		.packages = 2,
		.ram = options->ram,
		.hole = options->ram / 2,
		.hole_size = SIZE_2M,
		.private_keyids = PRIVATE_KEYS + (options->seed % 2 == 0),
		.wbinvd_blocks = WBINVD_BLOCKS,
	};

	log_set_sink(NULL);
	tenants_init(options->ram >= RAM_WITH_GIB);
	(void)fake_set_this_cpu(0);
	lp_init(1);
	hosted_start_ready(&c);
	/* Caches of 1 MiB a package, so that WBINVD often pays. */
	fake_set_cpuid(4, 0, (struct cpuid_regs){0x43, 0x01c0003f, 2047, 0});
	fake_set_cpuid(4, 1, (struct cpuid_regs){0});
	hosted_set_guest(guest_run);
	hosted_set_seamcall(lp_seamcall);
	host_init();
	check_begin();
}

static void end_all(void)
{
	host_unhog();
	for (unsigned i = 0; i < TENANTS && !has_failed(); i++)
		if (tenants[i].stage != STAGE_NONE)
			host_destroy(&tenants[i]);
	if (!has_failed())
		check_all();
	if (!has_failed())
		check_nothing_left();
}

bool run(const struct run_options *o, const struct op *ops, uint32_t count,
	 struct run_progress *p)
{
	options = o;
	list = ops;
	list_count = count;
	progress = p;
	start_machine();
	(void)next_round();
	if (o->threads > 1) {
		lp_init(o->threads);
		run_threads();
		lp_init(1);
	}
	while (o->threads == 1 && !has_failed()) {
		run_alone();
		if (!has_failed())
			check_all();
		if (!next_round())
			break;
	}
	lp = (struct lp){0};
	if (!has_failed())
		end_all();
	return !has_failed();
}
