/* SPDX-License-Identifier: MIT */
/*
 * unit [--threads] [SUBSTRING]: runs the tests whose name contains SUBSTRING, with --threads
 * only those that use some, and prints TAP.
 */
#include "tests/unit/test.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECONDS 120

extern const struct test __start_tests[], __stop_tests[];

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

bool test_str_eq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

size_t test_mem_diff(const void *a, const void *b, size_t len)
{
	const unsigned char *x = a;
	const unsigned char *y = b;
	size_t at = 0;

	while (at < len && x[at] == y[at])
		at++;
	return at;
}

/* _exit: the parent's atexit handlers and leak check are not this test's. */
static _Noreturn void run_child(const struct test *t)
{
	alarm(TEST_SECONDS);
	t->run();
	fflush(stdout);
	_exit(test_failures == 0 ? 0 : 1);
}

static bool run_test(const struct test *t)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_child(t);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("# fork");
		return false;
	}
	if (WIFSIGNALED(status))
		printf("# %s: ended by signal %d (%s)\n", t->name, WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	bool only_threads = argc > 1 && strcmp(argv[1], "--threads") == 0;
	const char *wanted = argc > 1 + only_threads ? argv[1 + only_threads] : "";
	unsigned passed = 0;
	unsigned failed = 0;

	for (const struct test *t = __start_tests; t < __stop_tests; t++) {
		bool ok;

		if (strstr(t->name, wanted) == NULL || (only_threads && !t->has_threads))
			continue;
		ok = run_test(t);
		if (ok)
			passed++;
		else
			failed++;
		printf("%s %u - %s\n", ok ? "ok" : "not ok", passed + failed, t->name);
	}
	printf("1..%u\n", passed + failed);
	if (passed + failed == 0)
		printf("# no test matches \"%s\"\n", wanted);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}
