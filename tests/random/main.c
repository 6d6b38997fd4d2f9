/* SPDX-License-Identifier: MIT */
/*
 * random-ops: a seeded list of operations on several TDs. Each run is a process of its own; a
 * seed that fails is printed and shrinks to a short list that fails in one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/random/run.h"
#include "tests/random/shrink.h"

#define SECONDS_PER_RUN 400U

static struct run_options options = {
	.seed = 1,
	.ops = 10000,
	.threads = 1,
	.check_every = 2000,
	.ram = UINT64_C(160) << 20,
};
static const char *only;
static bool is_shrinking = true;

static void usage(void)
{
	fprintf(stderr, "usage: random-ops [--seed S] [--ops N] [--threads T] [--ram MIB]\n"
			"                  [--check-every N] [--only I,J,...] [--tell]\n"
			"                  [--no-shrink]\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--tell")) {
			options.is_told = true;
			continue;
		}
		if (!strcmp(argv[i], "--no-shrink")) {
			is_shrinking = false;
			continue;
		}
		if (!value)
			usage();
		if (!strcmp(argv[i], "--seed"))
			options.seed = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--ops"))
			options.ops = (uint32_t)strtoul(value, NULL, 0);
		else if (!strcmp(argv[i], "--threads"))
			options.threads = (unsigned)strtoul(value, NULL, 0);
		else if (!strcmp(argv[i], "--check-every"))
			options.check_every = (uint32_t)strtoul(value, NULL, 0);
		else if (!strcmp(argv[i], "--ram"))
			options.ram = strtoull(value, NULL, 0) << 20;
		else if (!strcmp(argv[i], "--only"))
			only = value;
		else
			usage();
		i++;
	}
	if (options.ops == 0 || options.threads == 0 || options.threads > 16 ||
	    options.check_every == 0 || options.ram < UINT64_C(32) << 20)
		usage();
}

/* Keeps the operations whose numbers `only` lists. */
static uint32_t keep_only(struct op *ops, uint32_t count)
{
	uint32_t kept = 0;
	char *end;

	for (const char *at = only; *at; at = *end == ',' ? end + 1 : end) {
		uint32_t i = (uint32_t)strtoul(at, &end, 0);

		if (end == at || i >= count)
			usage();
		ops[kept++] = ops[i];
	}
	return kept;
}

static void print_done(const struct run_progress *p)
{
	uint64_t done = 0;

	printf("# done:");
	for (unsigned k = 0; k < OP_KINDS; k++) {
		static const char *const names[OP_KINDS] = {
#define X(name, text) [OP_##name] = #name,
			OP_LIST(X)
#undef X
		};

		printf(" %s %u", names[k], p->done_by_kind[k]);
		done += p->done_by_kind[k];
	}
	printf("\n# %llu of %u operations fitted\n", (unsigned long long)done, p->reached);
}

static bool run_in_child(const struct op *ops, uint32_t count, struct run_progress *progress)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		bool ok;

		(void)alarm(SECONDS_PER_RUN);
		ok = run(&options, ops, count, progress);
		fflush(stdout);
		shrink_exit(ok ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("# fork");
		return false;
	}
	if (WIFSIGNALED(status))
		printf("# ended by signal %d (%s) at operation %u\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)), progress->reached);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	struct run_progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct op *ops;
	uint32_t count;
	bool ok;

	parse(argc, argv);
	ops = calloc(options.ops, sizeof(*ops));
	if (!ops || progress == MAP_FAILED)
		abort();
	count = options.ops;
	ops_generate(ops, count, options.seed);
	if (only)
		count = keep_only(ops, count);
	ok = run_in_child(ops, count, progress);
	if (ok)
		print_done(progress);
	printf("%s - %u operations, seed %llu, %u thread%s, %u promotions to 1G\n",
	       ok ? "ok" : "not ok", count, (unsigned long long)options.seed, options.threads,
	       options.threads == 1 ? "" : "s", (unsigned)progress->promoted_1g);
	if (!ok && !only && is_shrinking)
		shrink(&options, ops, progress->reached, argv[0]);
	free(ops);
	return ok ? 0 : 1;
}
