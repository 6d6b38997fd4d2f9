/* SPDX-License-Identifier: MIT */
/* Panic, work for other CPUs, and the arena. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/cpu.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "core/panic.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tests/fake/fake.h"

static bool panic_is_expected;

void fake_expect_panic(void) { panic_is_expected = true; }

void panic(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)format_v(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("# panic%s: %s\n", panic_is_expected ? " (expected)" : "", text);
	fflush(stdout);
	_exit(panic_is_expected ? 0 : 1);
}

void panic_register_dumper(panic_dumper_fn dumper) { (void)dumper; }
void panic_set_end(void (*end)(void)) { (void)end; }

/* In place, but as the CPU that it was meant for. */
void oncpu_run(unsigned cpu, oncpu_fn fn, void *arg)
{
	unsigned before = fake_set_this_cpu(cpu);

	fn(arg);
	(void)fake_set_this_cpu(before);
}

void oncpu_each(oncpu_fn fn, void *arg)
{
	for (unsigned i = 0; i < cpu_count; i++)
		oncpu_run(i, fn, arg);
}

void oncpu_each_package(oncpu_fn fn, void *arg)
{
	bool is_done[MAX_PACKAGES] = {false};

	for (unsigned i = 0; i < cpu_count; i++) {
		if (!is_done[cpus[i].package])
			oncpu_run(i, fn, arg);
		is_done[cpus[i].package] = true;
	}
}

void oncpu_drain(void) {}
bool oncpu_pending(void) { return false; }

void fake_ram(uint64_t size)
{
	static struct boot_info bi;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	direct_map_base = (uintptr_t)p;
	bi = (struct boot_info){.magic = BOOT_INFO_MAGIC, .range_count = 1};
	bi.ranges[0] = (struct boot_range){hpa(0), size, BOOT_MEM_USABLE};
	frame_init(&bi);
	frame_set_tdx_usable(hpa(0), size);
}

/* Log lines of the code under test are TAP comments; TEST_LOG=1 shows them. */
static void print_line(const char *text, size_t length)
{
	if (getenv("TEST_LOG") != NULL)
		printf("# %.*s", (int)length, text);
}

__attribute__((constructor)) static void fake_machine(void)
{
	log_set_sink(print_line);
	fake_cpus(4, 2);
	fake_ram(FAKE_RAM_SIZE);
}
