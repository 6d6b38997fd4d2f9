/* SPDX-License-Identifier: MIT */
/*
 * What operations on TDs cost: lines `name value unit`, then a table for people beside the
 * documented counts of Linux. Counts, never times. Fails when a budget is exceeded, and when a
 * cost grows with the size of a TD or with the number of TDs.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/addr.h"
#include "tdx/tdx_abi.h"
#include "tests/bench/seamcalls_machine.h"
#include "tests/unit/test.h"

#define TIB          (1024 * SIZE_1G)
#define NO_BUDGET    UINT64_MAX
#define REGION       (SIZE_1G / 2) /* in the middle of a GiB of RAM of any TD */
#define MAX_FIGURES  256
#define OTHER_TDS    4U
#define PER_GIB      520U
#define MIXED_LINES  4096U /* of single pages beside pages of the host, in one 2M */
#define EVEN_PERCENT 10U   /* a CPU's share of a teardown may be off by that */

unsigned test_failures;

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "%s:%d: ", file, line);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n");
	_exit(1);
}

bool test_str_eq(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* ---- Figures ---- */

/* Measured in child processes, each with a machine of its own; the parent reads them here. */
static int pipe_ends[2];

struct figure {
	char name[48];
	uint64_t value;
	char unit[16];
};

static struct figure figures[MAX_FIGURES];
static unsigned figure_count;

static void __attribute__((format(printf, 3, 4)))
report(uint64_t value, const char *unit, const char *fmt, ...)
{
	struct figure f = {.value = value};
	va_list ap;

	(void)snprintf(f.unit, sizeof(f.unit), "%s", unit);
	va_start(ap, fmt);
	(void)vsnprintf(f.name, sizeof(f.name), fmt, ap);
	va_end(ap);
	if (write(pipe_ends[1], &f, sizeof(f)) != (ssize_t)sizeof(f))
		abort();
}

static void read_figures(void)
{
	struct figure f;

	while (read(pipe_ends[0], &f, sizeof(f)) == (ssize_t)sizeof(f)) {
		if (figure_count == MAX_FIGURES)
			abort();
		figures[figure_count++] = f;
		printf("%s %llu %s\n", f.name, (unsigned long long)f.value, f.unit);
		(void)fflush(stdout);
	}
}

/* Runs a measurement with a machine that nothing happened to; its memory goes with it. */
static void measure(void (*fn)(void))
{
	int status;
	pid_t pid;

	if (pipe(pipe_ends) != 0)
		abort();
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(pipe_ends[0]);
		fn();
		_exit(0);
	}
	(void)close(pipe_ends[1]);
	read_figures();
	(void)close(pipe_ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr, "a measurement failed\n");
		exit(1);
	}
}

static uint64_t value_of(const char *name)
{
	for (unsigned i = 0; i < figure_count; i++)
		if (strcmp(figures[i].name, name) == 0)
			return figures[i].value;
	(void)fprintf(stderr, "%s was not measured\n", name);
	exit(1);
}

/* ---- Creation and teardown ---- */

static uint64_t reclaims(const struct counts *c) { return c->leaf[TDH_PHYMEM_PAGE_RECLAIM]; }

/* What one GiB more takes and gives back, and what does not depend on the size. */
static void measure_life(void)
{
	struct counts create[2];
	struct counts end[2];
	struct counts vcpu;
	struct counts vcpu_end;

	bench_machine(8 * SIZE_1G, 4 * SIZE_1G);
	for (unsigned i = 0; i < 2; i++) {
		create[i] = bench_create("a", (i + 1) * SIZE_1G, 1);
		end[i] = bench_destroy("a");
	}
	vcpu = bench_create("a", SIZE_1G, 2);
	vcpu_end = bench_destroy("a");
	report(counts_memory(&create[1]) - counts_memory(&create[0]), "seamcalls",
	       "populate_1g");
	report(reclaims(&end[1]) - reclaims(&end[0]), "seamcalls", "teardown_1g");
	report(counts_calls(&create[0]) - counts_memory(&create[0]) -
		       create[0].leaf[TDH_MR_EXTEND],
	       "seamcalls", "create_fixed_td_with_vcpu");
	report(create[0].leaf[TDH_MEM_PAGE_ADD], "pages", "create_measured");
	report(create[0].leaf[TDH_MR_EXTEND], "seamcalls", "create_measured_extend");
	report(counts_calls(&vcpu) - counts_calls(&create[0]), "seamcalls",
	       "create_fixed_vcpu");
	report(counts_calls(&end[0]) - counts_memory(&create[0]), "seamcalls",
	       "teardown_fixed_td_with_vcpu");
	report(counts_calls(&vcpu_end) - counts_calls(&end[0]), "seamcalls",
	       "teardown_fixed_vcpu");
}

/* Beside it, candidates that are not ready are looked at by a SEPT.RD each. */
static void report_promotion(const char *name, const char *suffix, const struct counts *c)
{
	report(c->leaf[TDH_MEM_RANGE_BLOCK] + c->leaf[TDH_MEM_TRACK] +
		       c->leaf[TDH_MEM_PAGE_PROMOTE],
	       "seamcalls", "%s%s", name, suffix);
	report(c->broadcasts, "broadcasts", "%s_broadcasts%s", name, suffix);
}

/* The guest accepts and by that touches all of its RAM; later that becomes one page. */
static void measure_faults(void)
{
	struct counts c;

	bench_machine(8 * SIZE_1G, 4 * SIZE_1G);
	(void)bench_create("a", SIZE_1G, 1);
	bench_start("a");
	c = bench_accept("a", 0, SIZE_1G, false);
	report(c.private_faults, "exits", "populate_1g_exits");
	c = bench_pass_time();
	report_promotion("promote_1g", "", &c);
	c = bench_destroy("a");
	report(reclaims(&c), "seamcalls", "teardown_1g_promoted");
}

static void measure_1t(void)
{
	struct counts create;
	struct counts end;

	bench_machine(TIB + 8 * SIZE_1G, TIB + 4 * SIZE_1G);
	create = bench_create("a", TIB, 1);
	end = bench_destroy_by_all("a");
	report(counts_memory(&create), "seamcalls", "populate_1t");
	report(reclaims(&end), "seamcalls", "teardown_1t");
	report(reclaims(&end) / 1024, "seamcalls", "teardown_per_gib_1t");
	for (unsigned i = 0; i < BENCH_CPUS; i++)
		report(end.reclaims_of_cpu[i], "seamcalls", "teardown_1t_cpu%u", i);
}

/* ---- Conversions ---- */

static uint64_t synchronous(const struct counts *c)
{
	return counts_calls(c) - c->leaf[TDH_PHYMEM_PAGE_WBINVD];
}

static void report_convert(const char *name, const char *suffix, const struct counts *c)
{
	report(synchronous(c), "seamcalls", "%s_sync%s", name, suffix);
	report(c->leaf[TDH_MEM_TRACK], "seamcalls", "%s_tracks%s", name, suffix);
	report(c->broadcasts, "broadcasts", "%s_broadcasts%s", name, suffix);
}

/* All conversions of one 2M range of the running TD "a", another vCPU of it inside. */
static void convert(const char *suffix)
{
	struct counts before = counts_now();
	struct counts c = bench_map_gpa("a", REGION, SIZE_2M, true);

	report_convert("mapgpa_2m", suffix, &c);
	bench_write_back("a");
	c = counts_since(&before);
	report(c.leaf[TDH_PHYMEM_PAGE_WBINVD], "seamcalls", "mapgpa_2m_deferred%s", suffix);
	c = bench_map_gpa("a", REGION, SIZE_2M, false);
	report_convert("mapgpa_2m_back", suffix, &c);
	c = bench_accept("a", REGION, SIZE_2M, false);
	report(synchronous(&c), "seamcalls", "accept_2m_absent%s", suffix);
	report(c.private_faults, "exits", "accept_2m_absent_exits%s", suffix);
	c = bench_map_gpa("a", REGION + 7 * SIZE_4K, SIZE_4K, true);
	report(synchronous(&c), "seamcalls", "split_4k_of_2m%s", suffix);
	report(c.broadcasts, "broadcasts", "split_4k_of_2m_broadcasts%s", suffix);
	c = bench_accept("a", REGION + SIZE_2M, SIZE_2M, true);
	report(synchronous(&c), "seamcalls", "accept_4k_of_2m%s", suffix);
	report(c.private_faults, "exits", "accept_4k_of_2m_exits%s", suffix);
	c = bench_map_gpa("a", REGION + SIZE_2M, SIZE_2M, true);
	report_convert("mapgpa_2m_4k", suffix, &c);
	(void)bench_map_gpa("a", REGION + SIZE_2M, SIZE_2M, false);
	c = bench_accept("a", REGION + SIZE_2M, SIZE_2M, false);
	report_convert("accept_2m_after_4k", suffix, &c);
	report(c.private_faults, "exits", "accept_2m_after_4k_exits%s", suffix);
	c = bench_map_gpa("a", REGION + 8 * SIZE_2M, 8 * SIZE_2M, true);
	report_convert("mapgpa_16m", suffix, &c);
	(void)bench_accept("a", REGION + 24 * SIZE_2M, SIZE_2M, true);
	bench_write_back("a");
	c = bench_pass_time();
	report_promotion("promote_2m", suffix, &c);
}

static void measure_convert(void)
{
	bench_machine(8 * SIZE_1G, 4 * SIZE_1G);
	(void)bench_create("a", SIZE_1G, 2);
	bench_start("a");
	convert("");
	(void)bench_destroy("a");
}

/* ---- Cache lines ---- */

static void measure_flushes(void)
{
	struct counts c;

	bench_machine(8 * SIZE_1G, 4 * SIZE_1G);
	c = bench_create("a", SIZE_1G, 1);
	report(c.flushed_lines, "lines", "flush_1g_clean");
	(void)bench_destroy("a");
	bench_use_memory();
	c = bench_create("a", SIZE_1G, 1);
	report(c.flushed_lines, "lines", "flush_1g_used");
	(void)bench_destroy("a");
	c = bench_create("a", SIZE_1G, 1);
	report(c.flushed_lines, "lines", "flush_1g_returned");
	(void)bench_destroy("a");
	bench_use_memory();
	c = bench_idle();
	report(c.flushed_lines, "lines", "flush_in_advance_8g");
	c = bench_create("a", SIZE_1G, 1);
	report(c.flushed_lines, "lines", "flush_1g_used_in_advance");
	(void)bench_destroy("a");
}

/* What is deferred of the conversion of `size`. */
static void write_back(uint64_t size)
{
	struct counts before;
	struct counts c;

	(void)bench_create("a", 2 * SIZE_1G, 1);
	bench_start("a");
	before = counts_now();
	bench_unmap("a", REGION, size);
	bench_write_back("a");
	c = counts_since(&before);
	report(c.leaf[TDH_PHYMEM_PAGE_WBINVD], "seamcalls", "write_back_%llum_page_wbinvds",
	       (unsigned long long)(size >> 20));
	report(c.wbinvds, "wbinvds", "write_back_%llum_wbinvds",
	       (unsigned long long)(size >> 20));
	(void)bench_destroy("a");
}

static void measure_write_back(void)
{
	bench_machine(8 * SIZE_1G, 4 * SIZE_1G);
	write_back(32 * SIZE_2M);
	write_back(256 * SIZE_2M);
}

/* ---- Growth ---- */

static void grow_to(uint64_t gib)
{
	struct counts create = bench_create("a", gib * SIZE_1G, 2);
	struct counts end;
	char suffix[16];

	(void)snprintf(suffix, sizeof(suffix), "_%llug", (unsigned long long)gib);
	report(counts_memory(&create) / gib, "seamcalls", "populate_per_gib%s", suffix);
	report(counts_calls(&create) - counts_memory(&create), "seamcalls", "create_fixed%s",
	       suffix);
	bench_start("a");
	convert(suffix);
	end = bench_destroy("a");
	report(counts_calls(&end) - reclaims(&end), "seamcalls", "teardown_fixed%s", suffix);
	report(reclaims(&end) / gib, "seamcalls", "teardown_per_gib%s", suffix);
}

/* A GiB that became one page: how it does, and what a conversion of a page or of all of it
 * takes.
 */
static void grow_1g_to(uint64_t gib)
{
	struct counts c;
	char suffix[16];

	(void)snprintf(suffix, sizeof(suffix), "_%llug", (unsigned long long)gib);
	(void)bench_create("a", gib * SIZE_1G, 2);
	bench_start("a");
	c = bench_accept("a", 0, SIZE_1G, false);
	report(c.private_faults, "exits", "populate_1g_exits%s", suffix);
	c = bench_pass_time();
	report_promotion("promote_1g", suffix, &c);
	c = bench_map_gpa("a", REGION + 7 * SIZE_4K, SIZE_4K, true);
	report(synchronous(&c), "seamcalls", "split_4k_of_1g%s", suffix);
	report(c.broadcasts, "broadcasts", "split_4k_of_1g_broadcasts%s", suffix);
	(void)bench_destroy("a");
	(void)bench_create("a", gib * SIZE_1G, 2);
	bench_start("a");
	(void)bench_accept("a", 0, SIZE_1G, false);
	(void)bench_pass_time();
	c = bench_map_gpa("a", 0, SIZE_1G, true);
	report_convert("mapgpa_1g", suffix, &c);
	(void)bench_destroy("a");
}

static void measure_growth(void)
{
	static const uint64_t sizes[] = {1, 16, 256};

	bench_machine(264 * SIZE_1G, 260 * SIZE_1G);
	for (unsigned i = 0; i < 3; i++) {
		grow_to(sizes[i]);
		grow_1g_to(sizes[i]);
	}
}

/* The TD of 1 GiB once more, beside others. */
static void measure_neighbours(void)
{
	bench_machine(12 * SIZE_1G, 10 * SIZE_1G);
	for (unsigned i = 0; i < OTHER_TDS; i++) {
		char name[] = {(char)('b' + i), '\0'};

		(void)bench_create(name, SIZE_1G, 2);
	}
	(void)bench_create("a", SIZE_1G, 2);
	bench_start("a");
	convert("_5tds");
	(void)bench_destroy("a");
}

/* ---- Bring-up ---- */

static void measure_ready_2g(void)
{
	report(bench_ready_calls(2 * SIZE_1G), "seamcalls", "ready_2g");
}

static void measure_ready_4t(void)
{
	report(bench_ready_calls(4 * TIB), "seamcalls", "ready_4t");
}

/* ---- Budgets and the table ---- */

static const struct row {
	const char *name;
	const char *what;
	const char *linux_cost;
	uint64_t budget;
} rows[] = {
	{"populate_1g", "populate 1 GiB before the first entry", "262,656", PER_GIB},
	{"populate_1g_exits", "  exits by faults on it", "1 per page", 0},
	{"mapgpa_2m_sync", "MapGPA 2M private->shared, mapped 2M", "515 (proposed)", 3},
	{"mapgpa_2m_broadcasts", "  broadcasts", "", 1},
	{"mapgpa_2m_deferred", "  write-backs, deferred", "", 512},
	{"mapgpa_2m_4k_tracks", "MapGPA 2M private->shared, mapped 4K: TRACKs", "", 1},
	{"mapgpa_2m_4k_sync", "  SEAMCALLs", "2,048", 2048},
	{"mapgpa_2m_4k_broadcasts", "  broadcasts", "512", 1},
	{"split_4k_of_2m", "4K out of a 2M page", "-", 7},
	{"split_4k_of_2m_broadcasts", "  broadcasts", "", 2},
	{"promote_2m", "512 accepted 4K to 2M, while idle", "-", 3},
	{"promote_2m_broadcasts", "  broadcasts", "", 1},
	{"promote_1g", "512 accepted 2M to 1G, while idle", "-", 3},
	{"promote_1g_broadcasts", "  broadcasts", "", 1},
	{"teardown_1g_promoted", "  teardown of a TD of it, all in all", "", NO_BUDGET},
	{"teardown_1g", "teardown of 1 GiB mapped 2M", "262,657, one thread", PER_GIB},
	{"teardown_1t", "teardown of 1 TiB", "", 1024 * PER_GIB},
	{"flush_1g_clean", "CLFLUSHes for 1 GiB of memory that is clean", "16,777,216", 0},
	{"flush_1g_returned", "  that a TD had before", "16,777,216", MIXED_LINES},
	{"flush_1g_used", "  that the host had before", "16,777,216", NO_BUDGET},
	{"flush_1g_used_in_advance", "  the same, after idle CPUs flushed it", "16,777,216", 0},
	{"flush_in_advance_8g", "  by the idle CPUs, of 8 GiB", "-", NO_BUDGET},
	{"write_back_64m_page_wbinvds", "PAGE.WBINVDs for 64 MiB converted", "16,384", 16384},
	{"write_back_512m_page_wbinvds", "  for 512 MiB, more than the caches", "131,072", 0},
	{"write_back_512m_wbinvds", "  package WBINVDs for them, 2 packages", "-", 2},
	{"ready_2g", "until the module is ready, 2 GiB of RAM", "", NO_BUDGET},
	{"ready_4t", "until the module is ready, 4 TiB of RAM", "", NO_BUDGET},
	{"create_fixed_td_with_vcpu", "fixed: create a TD with 1 vCPU", "", NO_BUDGET},
	{"create_fixed_vcpu", "fixed: each further vCPU", "", NO_BUDGET},
	{"teardown_fixed_td_with_vcpu", "fixed: end of a TD with 1 vCPU", "", NO_BUDGET},
	{"teardown_fixed_vcpu", "fixed: each further vCPU", "", NO_BUDGET},
};

/* Each of these must read the same with every suffix. */
static const char *const constant[] = {
	"mapgpa_2m_sync",
	"mapgpa_2m_broadcasts",
	"mapgpa_2m_deferred",
	"mapgpa_2m_back_sync",
	"mapgpa_2m_back_broadcasts",
	"accept_2m_absent",
	"split_4k_of_2m",
	"split_4k_of_2m_broadcasts",
	"accept_4k_of_2m",
	"mapgpa_2m_4k_sync",
	"mapgpa_2m_4k_tracks",
	"mapgpa_2m_4k_broadcasts",
	"accept_2m_after_4k_sync",
	"accept_2m_after_4k_exits",
	"mapgpa_16m_sync",
	"mapgpa_16m_broadcasts",
	"promote_2m",
	"promote_2m_broadcasts",
};
static const char *const suffixes[] = {"", "_16g", "_256g", "_5tds"};

/* The same for TDs of all sizes, of which none has others beside it. */
static const char *const scaled[] = {
	"populate_per_gib",      "populate_1g_exits", "create_fixed",
	"teardown_per_gib",      "teardown_fixed",    "promote_1g",
	"promote_1g_broadcasts", "split_4k_of_1g",    "split_4k_of_1g_broadcasts",
	"mapgpa_1g_sync",        "mapgpa_1g_tracks",  "mapgpa_1g_broadcasts",
};

static unsigned passed, failed;

static void expect_within(const char *name, uint64_t from, uint64_t to, const char *what)
{
	uint64_t value = value_of(name);

	if (value >= from && value <= to) {
		passed++;
		return;
	}
	failed++;
	(void)fprintf(stderr, "FAILED: %s is %llu, %s %llu\n", name, (unsigned long long)value,
		      what, (unsigned long long)(value < from ? from : to));
}

static void print_table(void)
{
	printf("\n%-48s %22s %10s %8s\n", "operation (SEAMCALLs unless stated)", "Linux today",
	       "here", "budget");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		uint64_t value = value_of(r->name);
		char budget[24] = "";

		if (r->budget != NO_BUDGET)
			(void)snprintf(budget, sizeof(budget), "%llu",
				       (unsigned long long)r->budget);
		printf("%-48s %22s %10llu %8s\n", r->what, r->linux_cost,
		       (unsigned long long)value, budget);
	}
	(void)fflush(stdout);
}

static void check_budgets(void)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].budget != NO_BUDGET)
			expect_within(rows[i].name, 0, rows[i].budget, "budget");
}

static void check_same(const char *name, const char *suffix, uint64_t expected)
{
	char other[64];

	(void)snprintf(other, sizeof(other), "%s%s", name, suffix);
	expect_within(other, 0, expected, "it grew from");
}

static void check_growth(void)
{
	for (unsigned i = 0; i < sizeof(constant) / sizeof(constant[0]); i++) {
		char first[64];

		(void)snprintf(first, sizeof(first), "%s_1g", constant[i]);
		for (unsigned s = 0; s < sizeof(suffixes) / sizeof(suffixes[0]); s++)
			check_same(constant[i], suffixes[s], value_of(first));
	}
	for (unsigned i = 0; i < sizeof(scaled) / sizeof(scaled[0]); i++) {
		char first[64];

		(void)snprintf(first, sizeof(first), "%s_1g", scaled[i]);
		for (unsigned s = 1; s < 3; s++)
			check_same(scaled[i], suffixes[s], value_of(first));
	}
	check_same("teardown_per_gib", "_1t", value_of("teardown_per_gib_1g"));
	expect_within("ready_4t", value_of("ready_2g"), value_of("ready_2g"), "at 2 GiB it is");
}

static void print_scaled(const char *name, unsigned sizes)
{
	static const char *const of[] = {"_1g", "_16g", "_256g", "_5tds"};
	char figure[64];

	printf("%-48s", name);
	for (unsigned i = 0; i < sizes; i++) {
		(void)snprintf(figure, sizeof(figure), "%s%s", name, of[i]);
		printf(" %10llu", (unsigned long long)value_of(figure));
	}
	printf("\n");
}

static void print_growth(void)
{
	printf("\n%-48s %10s %10s %10s %10s\n", "by size of the TD", "1 GiB", "16 GiB",
	       "256 GiB", "1 of 5 TDs");
	for (unsigned i = 0; i < sizeof(scaled) / sizeof(scaled[0]); i++)
		print_scaled(scaled[i], 3);
	for (unsigned i = 0; i < sizeof(constant) / sizeof(constant[0]); i++)
		print_scaled(constant[i], 4);
	(void)fflush(stdout);
}

static void check_evenness(void)
{
	uint64_t share = value_of("teardown_1t") / BENCH_CPUS;

	for (unsigned i = 0; i < BENCH_CPUS; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "teardown_1t_cpu%u", i);
		expect_within(name, share * (100 - EVEN_PERCENT) / 100,
			      share * (100 + EVEN_PERCENT) / 100, "an even share ends at");
	}
}

int main(void)
{
	measure(measure_life);
	measure(measure_faults);
	measure(measure_convert);
	measure(measure_flushes);
	measure(measure_write_back);
	measure(measure_growth);
	measure(measure_neighbours);
	measure(measure_1t);
	measure(measure_ready_2g);
	measure(measure_ready_4t);
	print_table();
	print_growth();
	check_budgets();
	check_growth();
	check_evenness();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
