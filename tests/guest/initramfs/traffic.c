/* SPDX-License-Identifier: MIT */
/*
 * traffic SECONDS PERCENT PROCESSES: memory traffic of a TD. Processes fill that share of the
 * free RAM with patterns, half of it a round, verify what they wrote the round before while the
 * others write, and give it back to the kernel. A program without a library, so that it adds
 * a few KiB to the initramfs. Exit code 0 when every byte was as written.
 */
#include <linux/mman.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "tests/guest/initramfs/syscall_insn.h"

#define PAGE_SIZE     4096UL
#define PAGE_WORDS    (PAGE_SIZE / sizeof(uint64_t))
#define BLOCK_SIZE    (1UL << 20)
#define BLOCK_PAGES   (BLOCK_SIZE / PAGE_SIZE)
#define BLOCKS_MAX    8192UL
#define PROCESSES_MAX 64UL

/* What one process has done; in memory that all of them share. */
struct tally {
	uint64_t rounds, written, verified, wrong;
};

/* What a process wrote in one round. */
struct generation {
	uint64_t seed;
	unsigned long count;
	uint64_t *block[BLOCKS_MAX];
};

_Noreturn void traffic_main(long argc, char **argv);

/* ---- Linux ---- */

static long call(long number, long a, long b, long c)
{
	return syscall6(number, a, b, c, 0, 0, 0);
}

static _Noreturn void leave(int code)
{
	for (;;)
		(void)call(SYS_exit_group, code, 0, 0);
}

static void *map(size_t size, int sharing)
{
	long at = syscall6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
			   sharing | MAP_ANONYMOUS, -1, 0);

	return at < 0 && at > -4096 ? NULL : (void *)at;
}

static void unmap(void *at, size_t size) { (void)call(SYS_munmap, (long)at, (long)size, 0); }

static long now_seconds(void)
{
	struct __kernel_old_timespec now = {0};

	(void)call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0);
	return now.tv_sec;
}

/* ---- Text ---- */

struct line {
	char text[200];
	size_t length;
};

static void add(struct line *l, const char *text)
{
	for (; *text != '\0' && l->length < sizeof(l->text); text++)
		l->text[l->length++] = *text;
}

static void add_number(struct line *l, uint64_t value, unsigned base)
{
	char digits[21];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	add(l, &digits[at]);
}

static void add_count(struct line *l, uint64_t value, const char *what)
{
	add_number(l, value, 10);
	add(l, what);
}

/* One call, so that lines of several processes do not mix. */
static void print(struct line *l)
{
	add(l, "\n");
	(void)call(SYS_write, 1, (long)l->text, (long)l->length);
}

static unsigned long parse(const char *text)
{
	unsigned long value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (unsigned long)(*text - '0');
	return value;
}

/* ---- Patterns ---- */

/* What makes each page, of each process and round, unlike any other. */
static uint64_t page_key(const struct generation *g, unsigned long block, unsigned long page)
{
	uint64_t x = g->seed + (block * BLOCK_PAGES + page) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 29;
}

static void write_page(uint64_t *at, uint64_t key)
{
	for (unsigned long i = 0; i < PAGE_WORDS; i++)
		at[i] = key + i;
}

/* Words that are not as written; the first one is told. */
static uint64_t verify_page(const uint64_t *at, uint64_t key)
{
	uint64_t wrong = 0;

	for (unsigned long i = 0; i < PAGE_WORDS; i++) {
		struct line l = {.length = 0};

		if (at[i] == key + i || wrong++ > 0)
			continue;
		add(&l, "traffic: 0x");
		add_number(&l, (uintptr_t)&at[i], 16);
		add(&l, ": expected 0x");
		add_number(&l, key + i, 16);
		add(&l, ", found 0x");
		add_number(&l, at[i], 16);
		print(&l);
	}
	return wrong;
}

/* ---- A process ---- */

static bool fill(struct generation *g, unsigned long blocks, struct tally *t)
{
	for (g->count = 0; g->count < blocks; g->count++) {
		uint64_t *block = map(BLOCK_SIZE, MAP_PRIVATE);

		if (block == NULL)
			return false;
		g->block[g->count] = block;
		for (unsigned long page = 0; page < BLOCK_PAGES; page++)
			write_page(block + page * PAGE_WORDS, page_key(g, g->count, page));
		t->written += BLOCK_PAGES;
	}
	return true;
}

static void verify_and_free(struct generation *g, struct tally *t)
{
	while (g->count > 0) {
		uint64_t *block = g->block[--g->count];

		for (unsigned long page = 0; page < BLOCK_PAGES; page++)
			t->wrong += verify_page(block + page * PAGE_WORDS,
						page_key(g, g->count, page));
		t->verified += BLOCK_PAGES;
		unmap(block, BLOCK_SIZE);
	}
}

static int work(uint64_t number, unsigned long blocks, long until, struct tally *t)
{
	static struct generation generations[2];

	do {
		struct generation *g = &generations[t->rounds % 2];

		g->seed = (number << 32 | t->rounds) * UINT64_C(0xd6e8feb86659fd93);
		if (!fill(g, blocks, t))
			return 1;
		verify_and_free(&generations[++t->rounds % 2], t);
	} while (t->rounds < 2 || now_seconds() < until);
	verify_and_free(&generations[(t->rounds + 1) % 2], t);
	return t->wrong != 0;
}

/* ---- All of them ---- */

/* Blocks of one process and round; 0 if the arguments are wrong. */
static unsigned long blocks_of(unsigned long percent, unsigned long processes)
{
	struct sysinfo info = {0};

	if (percent == 0 || percent > 95 || processes == 0 || processes > PROCESSES_MAX)
		return 0;
	(void)call(SYS_sysinfo, (long)&info, 0, 0);
	return info.freeram / 100 * percent / processes / 2 / BLOCK_SIZE;
}

/* How many of the processes ended badly. */
static uint64_t wait_for_all(unsigned long processes)
{
	uint64_t failures = 0;

	for (unsigned long i = 0; i < processes; i++) {
		int status = -1;

		(void)syscall6(SYS_wait4, -1, (long)&status, 0, 0, 0, 0);
		failures += status != 0;
	}
	return failures;
}

static _Noreturn void report(const struct tally *tallies, unsigned long processes,
			     uint64_t failures, uint64_t mib)
{
	struct line l = {.length = 0};
	struct tally sum = {0};

	for (unsigned long i = 0; i < processes; i++) {
		sum.rounds += tallies[i].rounds;
		sum.written += tallies[i].written;
		sum.verified += tallies[i].verified;
		sum.wrong += tallies[i].wrong;
	}
	if (sum.verified != sum.written)
		failures++;
	add(&l, failures == 0 ? "traffic: passed: " : "traffic: FAILED: ");
	add_count(&l, processes, " processes, ");
	add_count(&l, sum.rounds, " rounds, ");
	add_count(&l, sum.written, " pages written, ");
	add_count(&l, sum.verified, " verified, ");
	add_count(&l, sum.wrong, " wrong, ");
	add_count(&l, mib, " MiB at once");
	print(&l);
	leave(failures != 0);
}

_Noreturn void traffic_main(long argc, char **argv)
{
	unsigned long processes = argc == 4 ? parse(argv[3]) : 0;
	unsigned long blocks = argc == 4 ? blocks_of(parse(argv[2]), processes) : 0;
	struct tally *tallies = map(PROCESSES_MAX * sizeof(*tallies), MAP_SHARED);
	struct line l = {.length = 0};
	long until;

	if (blocks == 0 || blocks > BLOCKS_MAX || tallies == NULL) {
		add(&l, "usage: traffic SECONDS PERCENT PROCESSES; percent of the free memory");
		print(&l);
		leave(2);
	}
	until = now_seconds() + (long)parse(argv[1]);
	for (unsigned long i = 0; i < processes; i++) {
		long child = call(SYS_fork, 0, 0, 0);

		if (child == 0)
			leave(work(i, blocks, until, &tallies[i]));
	}
	report(tallies, processes, wait_for_all(processes),
	       processes * blocks * 2 * BLOCK_SIZE >> 20);
}
