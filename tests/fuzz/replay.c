/* SPDX-License-Identifier: MIT */
/*
 * replay VARIANTS FILE...: runs the fuzz target on each file, on its prefixes, and on
 * VARIANTS mutations of it that depend on nothing but the file. TAP; one process per file.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define FILE_MAX_SIZE (1U << 20)
#define PREFIXES      64U
#define FILE_SECONDS  60

static uint8_t file[FILE_MAX_SIZE];
static uint8_t variant[FILE_MAX_SIZE];

/* xorshift64*: reproducible everywhere. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* A few bytes replaced by interesting ones, swapped with others, or a piece left out. */
static size_t mutate(uint64_t *state, size_t size)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '\n', '=', 0x1b};
	unsigned changes = 1 + (unsigned)(next_random(state) % 8);

	memcpy(variant, file, size);
	while (changes-- > 0 && size > 0) {
		size_t at = next_random(state) % size;
		uint64_t r = next_random(state);

		if (r % 8 < 4) {
			variant[at] = (uint8_t)(r >> 8);
		} else if (r % 8 < 6) {
			variant[at] = values[r / 8 % sizeof(values)];
		} else if (r % 8 == 6) {
			variant[at] ^= (uint8_t)(1U << (r / 8 % 8));
		} else {
			size_t cut = r / 8 % (size - at) + 1;

			memmove(variant + at, variant + at + cut, size - at - cut);
			size -= cut;
		}
	}
	return size;
}

static void run_file(size_t size, unsigned variants)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15) ^ size;

	alarm(FILE_SECONDS);
	(void)LLVMFuzzerTestOneInput(file, size);
	for (size_t i = 0; i < PREFIXES; i++)
		(void)LLVMFuzzerTestOneInput(file, size * i / PREFIXES);
	while (variants-- > 0)
		(void)LLVMFuzzerTestOneInput(variant, mutate(&state, size));
}

static bool load(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return false;
	*size = fread(file, 1, sizeof(file), f);
	fclose(f);
	return true;
}

static bool run(const char *path, unsigned variants)
{
	size_t size;
	int status;
	pid_t pid;

	if (!load(path, &size)) {
		perror(path);
		return false;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run_file(size, variants);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	for (int i = 2; i < argc; i++) {
		bool ok = run(argv[i], (unsigned)strtoul(argv[1], NULL, 10));

		passed += ok;
		failed += !ok;
		printf("%s %u - %s\n", ok ? "ok" : "not ok", passed + failed, argv[i]);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}
