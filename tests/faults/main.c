/* SPDX-License-Identifier: MIT */
/*
 * faults [SUBSTRING]: the matrix of call sites, statuses and modes. A case is a process of its
 * own, forked from a prepared machine, so that a panic, a crash or a hang fails that case
 * alone. Sites whose "file:line wrapper" contains SUBSTRING; all of them without one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tdx/status.h"
#include "tests/faults/scenario.h"
#include "tests/faults/site.h"
#include "tests/faults/statuses.h"
#include "tests/unit/test.h"

#define CASE_SECONDS 20U
#define JOBS_MAX     16
#define PLACES_MAX   3

static const struct scenario *const scenarios[] = {&scenario_bring_up, &scenario_td,
						   &scenario_vm};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static const char *const mode_names[FAULT_MODES] = {"once", "until it failed", "for good"};

/* Seen by all processes. */
static struct {
	unsigned hits[FAULT_SITES_MAX];   /* of the scenario at hand, without a fault */
	unsigned leaves[FAULT_SITES_MAX]; /* of each site that was reached */
	bool is_reached[FAULT_SITES_MAX];
	unsigned passed, failed;
	unsigned statuses;
	uint64_t quarantined_cases, complete_cases;
} * shared;

unsigned test_failures;

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	test_failures++;
	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* ---- One case ---- */

struct fault_case {
	const struct scenario *scenario;
	const struct fault_site *site;
	unsigned nth;
	enum fault_mode mode;
	struct fault_status status;
};

static void print_case(const struct fault_case *c)
{
	char text[80];
	tdx_status_t s = {(uint64_t)c->status.code << 32 | c->status.operand};

	tdx_format_status(text, sizeof(text), s);
	printf("%s:%u %s in %s(): %s, call %u, %s (%s)\n", c->site->file,
	       (unsigned)c->site->line, c->site->wrapper, c->site->function, text, c->nth,
	       mode_names[c->mode], c->scenario->name);
}

/* What is beyond the invariants: how much a status may cost. */
static void check_cost(const struct fault_case *c, const struct outcome *o)
{
	enum fault_effect effect = c->status.effect;

	if (fault_struck() == 0)
		test_fail(__FILE__, __LINE__, "the fault did not strike");
	if (effect == FAULT_INFORMS || (effect == FAULT_CONTENDS && c->mode == FAULT_ONCE))
		EXPECT_TRUE(o->is_complete);
	if (o->is_complete && effect != FAULT_REFUSES && c->mode == FAULT_ONCE)
		EXPECT_EQ(o->quarantined, 0);
	if (effect != FAULT_REFUSES)
		EXPECT_EQ(o->lost, 0);
	if (effect == FAULT_EXITS)
		EXPECT_EQ(o->quarantined, 0);
}

static _Noreturn void run_case(const struct fault_case *c)
{
	struct outcome o;

	alarm(CASE_SECONDS);
	fault_arm(c->site, c->nth, c->mode == FAULT_ONCE ? 1 : UINT32_MAX,
		  (uint64_t)c->status.code << 32 | c->status.operand, c->status.effect);
	o = c->scenario->run(c->mode);
	check_cost(c, &o);
	if (o.quarantined)
		__atomic_fetch_add(&shared->quarantined_cases, 1, __ATOMIC_RELAXED);
	if (o.is_complete)
		__atomic_fetch_add(&shared->complete_cases, 1, __ATOMIC_RELAXED);
	fflush(stdout);
	_exit(test_failures == 0 ? 0 : 1);
}

/* ---- Some at a time ---- */

static struct job {
	pid_t pid;
	FILE *output;
	struct fault_case c;
} jobs[JOBS_MAX];
static unsigned job_count, job_limit;

static void show_output(FILE *f)
{
	int fd = fileno(f);
	char buf[512];
	ssize_t n;

	(void)lseek(fd, 0, SEEK_SET);
	fflush(stdout);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		(void)!write(STDOUT_FILENO, buf, (size_t)n);
}

static void end_job(struct job *j, int status)
{
	bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (ok) {
		shared->passed++;
	} else {
		shared->failed++;
		printf("not ok - ");
		print_case(&j->c);
		if (WIFSIGNALED(status))
			printf("# ended by signal %d (%s)\n", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
		show_output(j->output);
	}
	(void)fclose(j->output);
	*j = jobs[--job_count];
}

static void wait_for_one(void)
{
	int status;
	pid_t pid = wait(&status);

	for (unsigned i = 0; i < job_count; i++)
		if (jobs[i].pid == pid) {
			end_job(&jobs[i], status);
			return;
		}
	if (pid < 0) {
		perror("wait");
		exit(2);
	}
}

static void start_job(const struct fault_case *c)
{
	struct job *j;

	while (job_count >= job_limit)
		wait_for_one();
	j = &jobs[job_count++];
	*j = (struct job){.output = tmpfile(), .c = *c};
	fflush(stdout);
	j->pid = fork();
	if (j->pid < 0 || !j->output) {
		perror("fork");
		exit(2);
	}
	if (j->pid > 0)
		return;
	(void)dup2(fileno(j->output), STDOUT_FILENO);
	(void)dup2(fileno(j->output), STDERR_FILENO);
	run_case(c);
}

/* ---- The matrix ---- */

/* Which calls of a site: the first, the last, one in the middle. */
static unsigned places(unsigned hits, unsigned max, unsigned out[PLACES_MAX])
{
	const unsigned wanted[PLACES_MAX] = {1, hits, hits / 2 + 1};
	unsigned n = 0;

	for (unsigned i = 0; i < max && i < PLACES_MAX && n < hits; i++)
		if (n == 0 || wanted[i] != out[n - 1])
			out[n++] = wanted[i];
	return n;
}

static void run_site(const struct scenario *sc, unsigned index)
{
	struct fault_status statuses[FAULT_STATUSES_MAX];
	unsigned nths[PLACES_MAX];
	unsigned place_count = places(shared->hits[index], sc->places, nths);
	unsigned count = fault_statuses_of(shared->leaves[index], statuses);

	if (!shared->is_reached[index])
		shared->statuses += count;
	shared->is_reached[index] = true;
	if (count == 0) {
		printf("not ok - %s: tests/faults/statuses.c does not know its leaf\n",
		       fault_site(index)->wrapper);
		shared->failed++;
	}
	for (unsigned i = 0; i < count; i++)
		for (unsigned p = 0; p < place_count; p++)
			for (enum fault_mode m = FAULT_ONCE; m < FAULT_MODES; m++)
				start_job(&(struct fault_case){sc, fault_site(index), nths[p],
							       m, statuses[i]});
}

/* Without a fault: nothing fails, and every site that can be reached is. */
static void rehearse(const struct scenario *sc)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct outcome o;

		alarm(CASE_SECONDS);
		fault_count_into(shared->hits, shared->leaves);
		o = sc->run(FAULT_ONCE);
		EXPECT_TRUE(o.is_complete);
		EXPECT_EQ(o.quarantined, 0);
		EXPECT_EQ(o.lost, 0);
		fflush(stdout);
		_exit(test_failures == 0 ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		printf("not ok - %s without a fault\n", sc->name);
		shared->failed++;
	} else {
		shared->passed++;
	}
}

static bool is_wanted(unsigned index, const char *wanted)
{
	const struct fault_site *s = fault_site(index);
	char text[160];

	(void)snprintf(text, sizeof(text), "%s:%u %s", s->file, (unsigned)s->line, s->wrapper);
	return strstr(text, wanted) != NULL;
}

static bool is_of(const struct scenario *sc, unsigned index)
{
	return strncmp(fault_site(index)->wrapper, sc->wrappers, strlen(sc->wrappers)) == 0;
}

/* In a process of its own, as a machine is for ever. */
static void run_scenario(const struct scenario *sc, const char *wanted)
{
	time_t start = time(NULL);
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid > 0) {
		if (waitpid(pid, &status, 0) != pid || status != 0)
			shared->failed++;
		return;
	}
	memset(shared->hits, 0, sizeof(shared->hits));
	sc->prepare();
	if (test_failures)
		_exit(1);
	rehearse(sc);
	for (unsigned i = 0; i < fault_site_count(); i++)
		if (shared->hits[i] && is_wanted(i, wanted) && is_of(sc, i))
			run_site(sc, i);
	while (job_count)
		wait_for_one();
	printf("# %s: %u cases so far, %lu s\n", sc->name, shared->passed + shared->failed,
	       (unsigned long)(time(NULL) - start));
	fflush(stdout);
	_exit(0);
}

static void report(unsigned sites, const char *wanted)
{
	unsigned reached = 0;

	for (unsigned i = 0; i < sites; i++) {
		const struct fault_site *s = fault_site(i);

		reached += shared->is_reached[i];
		if (shared->is_reached[i] || !is_wanted(i, wanted))
			continue;
		printf("not ok - %s:%u %s in %s() is never reached\n", s->file,
		       (unsigned)s->line, s->wrapper, s->function);
		shared->failed++;
	}
	printf("# %u call sites, %u reached, %u pairs of site and status, %u modes: %u cases\n",
	       sites, reached, shared->statuses, (unsigned)FAULT_MODES,
	       shared->passed + shared->failed);
	printf("# %lu came to their end as without the fault, %lu left frames in quarantine\n",
	       (unsigned long)shared->complete_cases, (unsigned long)shared->quarantined_cases);
	printf("%u passed, %u failed\n", shared->passed, shared->failed);
}

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	job_limit = cpus < 1 ? 1 : cpus > JOBS_MAX ? JOBS_MAX : (unsigned)cpus;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED || fault_site_count() > FAULT_SITES_MAX)
		return 2;
	for (unsigned i = 0; i < SCENARIOS; i++)
		run_scenario(scenarios[i], wanted);
	report(fault_site_count(), wanted);
	return shared->failed != 0 || shared->passed == 0;
}
