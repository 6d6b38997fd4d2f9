/* SPDX-License-Identifier: MIT */
/* Delta debugging: leaves out ever smaller parts of the list as long as what is left fails. */
#include "tests/random/shrink.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHRINK_SECONDS 120
#define TRIAL_SECONDS  60U

static struct run_options trial;
static const struct op *all;
static struct run_progress *progress;
static time_t deadline;

void shrink_exit(int code)
{
	fflush(stdout);
	_exit(code);
}

static uint32_t pick(struct op *out, const uint32_t *indices, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		out[i] = all[indices[i]];
	return count;
}

static bool is_failing(const uint32_t *indices, uint32_t count)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct op *ops = calloc(count + 1, sizeof(*ops));
		int nowhere = open("/dev/null", O_WRONLY);

		if (!trial.is_told) {
			(void)dup2(nowhere, STDOUT_FILENO);
			(void)dup2(nowhere, STDERR_FILENO);
		}
		(void)alarm(TRIAL_SECONDS);
		if (!ops)
			abort();
		(void)pick(ops, indices, count);
		shrink_exit(run(&trial, ops, count, progress) ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status != 0;
}

/* One pass with parts of `size`; the count that is left. */
static uint32_t leave_out(uint32_t *indices, uint32_t count, uint32_t size)
{
	uint32_t *rest = calloc(count, sizeof(*rest));
	uint32_t at = 0;

	if (!rest)
		abort();
	while (at < count && time(NULL) < deadline) {
		uint32_t cut = count - at < size ? count - at : size;

		memcpy(rest, indices, at * sizeof(*rest));
		memcpy(rest + at, indices + at + cut, (count - at - cut) * sizeof(*rest));
		if (is_failing(rest, count - cut)) {
			count -= cut;
			memcpy(indices, rest, count * sizeof(*rest));
		} else {
			at += cut;
		}
	}
	free(rest);
	return count;
}

static uint32_t minimise(uint32_t *indices, uint32_t count)
{
	uint32_t size = count / 2;

	while (size > 0 && time(NULL) < deadline) {
		uint32_t left = leave_out(indices, count, size);

		if (left == count || size > 1)
			size /= 2;
		count = left;
	}
	return count;
}

static void print_again(const char *program, const uint32_t *indices, uint32_t count)
{
	printf("# again: %s --seed %llu --ops %u --ram %llu --check-every 1 --tell --only ",
	       program, (unsigned long long)trial.seed, trial.ops,
	       (unsigned long long)(trial.ram >> 20));
	for (uint32_t i = 0; i < count; i++)
		printf("%s%u", i ? "," : "", indices[i]);
	printf("\n");
}

void shrink(const struct run_options *options, const struct op *ops, uint32_t count,
	    const char *program)
{
	uint32_t *indices = calloc(count + 1, sizeof(*indices));

	trial = *options;
	trial.threads = 1;
	trial.is_told = false;
	all = ops;
	deadline = time(NULL) + SHRINK_SECONDS;
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!indices || progress == MAP_FAILED)
		abort();
	for (uint32_t i = 0; i < count; i++)
		indices[i] = i;
	printf("# failed: %s --seed %llu --ops %u --threads %u --ram %llu --check-every %u\n",
	       program, (unsigned long long)options->seed, options->ops, options->threads,
	       (unsigned long long)(options->ram >> 20), options->check_every);
	if (!is_failing(indices, count)) {
		printf("# the same operations hold in one thread\n");
		free(indices);
		return;
	}
	count = minimise(indices, count);
	printf("# %u operations are enough:\n", count);
	trial.is_told = true;
	(void)is_failing(indices, count);
	print_again(program, indices, count);
	free(indices);
}
