/* SPDX-License-Identifier: MIT */
#include "tests/emu/l1probe/probe.h"

#include "tests/emu/l1probe/probe_insn.h"
#include "tests/emu/l1probe/trap.h"
#include "tests/emu/svm_insn.h"
#include "tests/guest/tap.h"

#define COM1_DATA        0x3f8
#define COM1_LINE_STATUS 0x3fd
#define LINE_CAN_TAKE    0x20

#define PIC1_MASK 0x21
#define PIC2_MASK 0xa1

/* QEMU's exit code is twice what is written, plus 1. */
#define EXIT_PORT 0xf4
#define EXIT_PASS 16
#define EXIT_FAIL 17

#define WAIT_MS 2000

uint64_t probe_low_page;

void tap_put_char(char c)
{
	while ((insn_inb(COM1_LINE_STATUS) & LINE_CAN_TAKE) == 0)
		cpu_relax();
	insn_outb(COM1_DATA, (uint8_t)c);
}

uint64_t probe_tsc_per_ms(void)
{
	uint32_t r[4];

	insn_cpuid(0x15, 0, r);
	return r[0] == 0 ? 0 : (uint64_t)r[2] * r[1] / r[0] / 1000;
}

bool probe_wait(const volatile uint64_t *value, uint64_t wanted)
{
	uint64_t end = insn_rdtsc() + WAIT_MS * probe_tsc_per_ms();

	while (*value < wanted && insn_rdtsc() < end)
		cpu_relax();
	return *value >= wanted;
}

_Noreturn static void end(uint8_t code)
{
	insn_outb(EXIT_PORT, code);
	insn_halt_forever();
	__builtin_unreachable();
}

_Noreturn void probe_die(const char *why, uint64_t value, uint64_t where)
{
	tap_text("Bail out! ");
	tap_text(why);
	tap_text("\n");
	tap_value("it is", value);
	tap_value("at", where);
	end(EXIT_FAIL);
}

static bool run_tests(const struct probe_test *tests)
{
	bool all = true;

	for (; tests->run != NULL; tests++) {
		bool ok = tests->run();

		tap_result(tests->sentence, ok);
		all = all && ok;
	}
	return all;
}

_Noreturn void probe_main(void)
{
	static const struct probe_test *const lists[] = {cpu_tests, apic_tests, vmx_tests,
							 seam_tests, memory_tests};
	bool all = true;

	interrupts_off();
	insn_outb(PIC1_MASK, 0xff);
	insn_outb(PIC2_MASK, 0xff);
	trap_init();
	trap_load();
	tap_text("l1probe: started\n");
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		all = run_tests(lists[i]) && all;
	tap_end();
	end(all ? EXIT_PASS : EXIT_FAIL);
}
