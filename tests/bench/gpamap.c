/* SPDX-License-Identifier: MIT */
/*
 * gpamap [--check | --count | --grow | --list] [--gib N] [--pattern PATTERN] [--structure NAME]
 *
 * Compares the GPA map with other structures in one run: a line
 * `pattern structure bytes_per_gib ns_per_op ratio` for each, ratio = its time by ours.
 * Lines that begin with # are for people: whether each goal is met. Bytes are the most that it
 * held in the pattern.
 *
 * --check compares answers instead of times; --count does a fixed number of operations in
 * timed_*() for a tool that counts instructions, and prints that number. --grow prints ours for
 * guests of 1, 16 and 256 GiB, whose costs should differ by the cache's only. --list names the
 * patterns; PATTERN is one of them or begins several.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/gpamap.h"

#define STRUCTURES 4U
#define ROUNDS     9U
#define ROUND_NS   4e6
#define SAMPLES    16U
#define COUNTED    20000U

static const struct structure *const structures[STRUCTURES] = {
	&structure_redoubt, &structure_bitmap, &structure_roaring, &structure_judy1};

static uint64_t guest_end = 64 * SIZE_1G;
static unsigned goals_met, goals_missed, goals_beyond;
static const char *wanted_pattern = "";
static const char *wanted_structure = "";

/* One structure in one pattern. */
struct contest {
	const struct structure *type;
	void *self;
	size_t bytes, most_bytes;
	size_t next_op; /* WORK_SET: where in the pattern's operations it is */
	uint64_t batch; /* operations in a round */
	uint64_t sum;   /* what its lookups of the first round said */
	double ns;      /* per operation, least of all rounds */
};

void bench_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("gpamap: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* ---- What is timed ---- */

__attribute__((noinline)) static void timed_sets(struct contest *c, const struct ops *ops,
						 uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		const struct op *op = &ops->op[c->next_op];

		c->type->set(c->self, op->at, op->size, op->shared);
		c->next_op = c->next_op + 1 < ops->count ? c->next_op + 1 : 0;
	}
}

/* The next of a sequence of GPAs: page by page, or all over the guest. */
static inline uint64_t next_at(uint64_t *state, bool random)
{
	if (!random) {
		*state = *state + SIZE_4K < guest_end ? *state + SIZE_4K : 0;
		return *state;
	}
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint64_t)((unsigned __int128)*state * guest_end >> 64);
}

__attribute__((noinline)) static uint64_t timed_lookups(const struct contest *c, bool random,
							uint64_t count)
{
	unsigned (*is_shared)(const void *, uint64_t) = c->type->is_shared;
	uint64_t state = 0;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += is_shared(c->self, next_at(&state, random));
	return sum;
}

__attribute__((noinline)) static uint64_t timed_levels(const struct contest *c, bool random,
						       uint64_t count)
{
	uint64_t state = 0;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		enum page_level level;
		bool shared = c->type->level(c->self, next_at(&state, random), &level);

		sum = sum * 3 + 4 * shared + (uint64_t)level;
	}
	return sum;
}

static uint64_t work(struct contest *c, enum work work, const struct ops *ops, uint64_t count)
{
	switch (work) {
	case WORK_SET:
		timed_sets(c, ops, count);
		return 0;
	case WORK_LOOKUP_RANDOM:
	case WORK_LOOKUP_SEQUENTIAL:
		return timed_lookups(c, work == WORK_LOOKUP_RANDOM, count);
	case WORK_LEVEL_RANDOM:
	case WORK_LEVEL_SEQUENTIAL:
		return timed_levels(c, work == WORK_LEVEL_RANDOM, count);
	}
	return 0;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_work(struct contest *c, const struct pattern *p, const struct ops *sets)
{
	double start = now_ns();

	memory_account(&c->bytes);
	work(c, p->work, sets, c->batch);
	memory_account(NULL);
	return now_ns() - start;
}

/* ---- One pattern ---- */

static void sample_bytes(struct contest *c)
{
	if (c->type->compact)
		c->type->compact(c->self);
	if (c->bytes > c->most_bytes)
		c->most_bytes = c->bytes;
}

/* Creates it, makes the pattern's content, and goes once through its operations for the bytes.
 */
static void contest_begin(struct contest *c, const struct pattern *p, const struct ops *content,
			  const struct ops *sets)
{
	memory_account(&c->bytes);
	c->self = c->type->create(guest_end);
	for (size_t i = 0; i < content->count; i++)
		c->type->set(c->self, content->op[i].at, content->op[i].size,
			     content->op[i].shared);
	sample_bytes(c);
	for (size_t i = 0; i < sets->count; i++) {
		c->type->set(c->self, sets->op[i].at, sets->op[i].size, sets->op[i].shared);
		if (i % 2 == 0 && i % (sets->count / SAMPLES + 1) <= 1)
			sample_bytes(c);
	}
	memory_account(NULL);
	c->sum = p->work == WORK_SET ? 0 : work(c, p->work, NULL, COUNTED);
}

/* As many operations as fill a round. */
static void contest_calibrate(struct contest *c, const struct pattern *p,
			      const struct ops *sets)
{
	for (c->batch = 2; time_work(c, p, sets) < ROUND_NS; c->batch *= 2)
		;
}

static void contest_round(struct contest *c, const struct pattern *p, const struct ops *sets)
{
	double ns = time_work(c, p, sets) / (double)c->batch;

	if (c->ns == 0 || ns < c->ns)
		c->ns = ns;
}

static void contest_end(struct contest *c)
{
	memory_account(&c->bytes);
	c->type->destroy(c->self);
	memory_account(NULL);
	if (c->bytes != 0)
		bench_fail("%s lost %zu bytes", c->type->name, c->bytes);
}

static void make_ops(const struct pattern *p, struct ops *content, struct ops *sets)
{
	bench_random_restart();
	*content = *sets = (struct ops){0};
	if (p->content)
		p->content(content, guest_end);
	if (p->sets)
		p->sets(sets, guest_end);
}

static void free_ops(struct ops *content, struct ops *sets)
{
	free(content->op);
	free(sets->op);
}

static void print_result(const struct pattern *p, const struct contest *c,
			 const struct contest *ours)
{
	printf("%-28s %-9s %9.1f %12.2f %10.2f\n", p->name, c->type->name,
	       (double)c->most_bytes / (double)(guest_end / SIZE_1G), c->ns, c->ns / ours->ns);
}

/*
 * Says whether a goal is met: `ours` no more than the best of the others by `factor`. What is
 * missed stays printed until it is met; it is beyond any structure if not even `least` is so.
 */
static void print_goal(const struct pattern *p, const char *what, double ours, double best,
		       double factor, double least)
{
	bool met = best >= factor * ours;
	bool beyond = best < factor * least;

	printf("# %-28s %s: %s, the best other has %.3f times ours (goal %.0f)", p->name, what,
	       met      ? "met"
	       : beyond ? "BEYOND"
			: "MISSED",
	       best / ours, factor);
	if (beyond)
		printf(", %.3f times a lock around one store", best / least);
	putchar('\n');
	goals_met += met;
	goals_beyond += !met && beyond;
	goals_missed += !met && !beyond;
}

/* Fewest bytes; lookups as fast as the bitmap's, updates five times as fast as any. `lock_ns`
 * is 0 for lookups. */
static void print_goals(const struct pattern *p, const struct contest contests[STRUCTURES],
			double lock_ns)
{
	double bytes = (double)contests[1].most_bytes;
	double ns = contests[1].ns;

	for (unsigned i = 2; i < STRUCTURES; i++) {
		if ((double)contests[i].most_bytes < bytes)
			bytes = (double)contests[i].most_bytes;
		if (p->work == WORK_SET && contests[i].ns < ns)
			ns = contests[i].ns;
	}
	print_goal(p, "bytes", (double)contests[0].most_bytes, bytes, 1, 0);
	print_goal(p, "time", contests[0].ns, ns, p->work == WORK_SET ? 5 : 1, lock_ns);
}

static void bench(const struct pattern *p)
{
	struct contest contests[STRUCTURES] = {0};
	struct contest lock = {.type = &structure_lock};
	struct ops content;
	struct ops sets;

	make_ops(p, &content, &sets);
	for (unsigned i = 0; i < STRUCTURES; i++) {
		struct contest *c = &contests[i];

		c->type = structures[i];
		contest_begin(c, p, &content, &sets);
		if (c->sum != contests[0].sum)
			bench_fail("%s: %s answers differently", p->name, c->type->name);
		contest_calibrate(c, p, &sets);
	}
	if (p->work == WORK_SET) {
		contest_begin(&lock, p, &content, &sets);
		contest_calibrate(&lock, p, &sets);
	}
	/* Round by round, so that what disturbs the machine disturbs all. */
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < STRUCTURES; i++)
			contest_round(&contests[i], p, &sets);
		if (p->work == WORK_SET)
			contest_round(&lock, p, &sets);
	}
	for (unsigned i = 0; i < STRUCTURES; i++) {
		print_result(p, &contests[i], &contests[0]);
		contest_end(&contests[i]);
	}
	if (p->work == WORK_SET)
		contest_end(&lock);
	print_goals(p, contests, lock.ns);
	fflush(stdout);
	free_ops(&content, &sets);
}

/* ---- --grow ---- */

static void grow(const struct pattern *p)
{
	static const uint64_t gibs[] = {1, 16, 256};

	printf("# %-28s", p->name);
	for (unsigned i = 0; i < sizeof(gibs) / sizeof(gibs[0]); i++) {
		struct contest c = {.type = structures[0]};
		struct ops content;
		struct ops sets;

		guest_end = gibs[i] * SIZE_1G;
		make_ops(p, &content, &sets);
		contest_begin(&c, p, &content, &sets);
		contest_calibrate(&c, p, &sets);
		for (unsigned round = 0; round < ROUNDS; round++)
			contest_round(&c, p, &sets);
		printf(" %8.2f", c.ns);
		contest_end(&c);
		free_ops(&content, &sets);
	}
	printf("\n");
	fflush(stdout);
}

/* ---- --count ---- */

static void count(const struct pattern *p)
{
	struct ops content;
	struct ops sets;

	make_ops(p, &content, &sets);
	for (unsigned i = 0; i < STRUCTURES; i++) {
		struct contest c = {.type = structures[i]};

		if (strcmp(c.type->name, wanted_structure) != 0)
			continue;
		contest_begin(&c, p, &content, &sets);
		c.batch = p->work == WORK_SET ? sets.count : COUNTED;
		(void)time_work(&c, p, &sets);
		contest_end(&c);
	}
	printf("%zu\n", p->work == WORK_SET ? sets.count : 2 * COUNTED);
	free_ops(&content, &sets);
}

/* ---- --check ---- */

static void check_at(struct contest *contests, uint64_t at)
{
	for (unsigned i = 0; i < STRUCTURES; i++) {
		const struct contest *c = &contests[i];
		const struct contest *judge =
			&contests[1]; /* the bitmap: nothing to get wrong */
		enum page_level right;
		enum page_level level;
		bool shared = judge->type->level(judge->self, at, &right);

		if (c->type->is_shared(c->self, at) != (unsigned)shared)
			bench_fail("%s: GPA %#lx is %s", c->type->name, at,
				   shared ? "shared" : "private");
		if (c->type->level(c->self, at, &level) != shared || level != right)
			bench_fail("%s: GPA %#lx is alike at level %d, not %d", c->type->name,
				   at, (int)right, (int)level);
	}
}

static void check_op(struct contest *contests, const struct op *op)
{
	for (unsigned i = 0; i < STRUCTURES; i++) {
		memory_account(&contests[i].bytes);
		contests[i].type->set(contests[i].self, op->at, op->size, op->shared);
	}
	memory_account(NULL);
	check_at(contests, op->at);
	check_at(contests, op->at + op->size - SIZE_4K);
	check_at(contests, op->at + op->size);
	if (op->at > 0)
		check_at(contests, op->at - SIZE_4K);
	check_at(contests, bench_random(guest_end));
}

static void check_pages(struct contest *contests)
{
	for (uint64_t at = 0; at < guest_end; at += SIZE_4K)
		for (unsigned i = 0; i < STRUCTURES; i++) {
			const struct contest *c = &contests[i];

			if (c->type->is_shared(c->self, at) !=
			    contests[1].type->is_shared(contests[1].self, at))
				bench_fail("%s: GPA %#lx differs", c->type->name, at);
		}
}

static void check(const struct pattern *p)
{
	struct contest contests[STRUCTURES] = {0};
	struct ops content;
	struct ops sets;

	make_ops(p, &content, &sets);
	for (unsigned i = 0; i < STRUCTURES; i++) {
		contests[i].type = structures[i];
		memory_account(&contests[i].bytes);
		contests[i].self = structures[i]->create(guest_end);
		memory_account(NULL);
	}
	for (size_t i = 0; i < content.count; i++)
		check_op(contests, &content.op[i]);
	check_pages(contests);
	for (size_t i = 0; i < sets.count; i++) {
		check_op(contests, &sets.op[i]);
		if (i == sets.count / 2)
			check_pages(contests);
	}
	check_pages(contests);
	for (unsigned i = 0; i < STRUCTURES; i++)
		contest_end(&contests[i]);
	printf("ok - %s: all structures agree\n", p->name);
	free_ops(&content, &sets);
}

static void list(const struct pattern *p) { puts(p->name); }

/* A pattern's whole name selects it alone, though others begin with it. */
static bool is_wanted(const struct pattern *p)
{
	for (size_t i = 0; i < pattern_count; i++)
		if (strcmp(patterns[i].name, wanted_pattern) == 0)
			return p == &patterns[i];
	return strncmp(p->name, wanted_pattern, strlen(wanted_pattern)) == 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"check", no_argument, NULL, 'c'},
						{"count", no_argument, NULL, 'n'},
						{"gib", required_argument, NULL, 'g'},
						{"pattern", required_argument, NULL, 'p'},
						{"list", no_argument, NULL, 'l'},
						{"grow", no_argument, NULL, 'w'},
						{"structure", required_argument, NULL, 's'},
						{NULL, 0, NULL, 0}};
	void (*run)(const struct pattern *p) = bench;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			run = check;
		else if (option == 'n')
			run = count;
		else if (option == 'l')
			run = list;
		else if (option == 'w')
			run = grow;
		else if (option == 'g')
			guest_end = strtoul(optarg, NULL, 10) * SIZE_1G;
		else if (option == 'p')
			wanted_pattern = optarg;
		else if (option == 's')
			wanted_structure = optarg;
		else
			return 2;
	}
	if (guest_end == 0 || guest_end > 16384 * SIZE_1G)
		bench_fail("--gib: 1 to 16384");
	if (run == bench)
		printf("# guest of %lu GiB\n# pattern structure bytes_per_gib ns_per_op "
		       "ratio\n",
		       guest_end / SIZE_1G);
	if (run == grow)
		puts("# pattern: ns per operation in a guest of 1, 16, 256 GiB");
	for (size_t i = 0; i < pattern_count; i++)
		if (is_wanted(&patterns[i]))
			run(&patterns[i]);
	if (run == bench)
		printf("# goals: %u met, %u missed, %u beyond any structure that locks\n",
		       goals_met, goals_missed, goals_beyond);
	return 0;
}
