/* SPDX-License-Identifier: MIT */
#include "tests/guest/probe.h"

#include <stddef.h>

#include "guest-abi/acpi_ports.h"
#include "guest-abi/linux_boot.h"
#include "tests/guest/probe_insn.h"
#include "tests/guest/tap.h"
#include "tests/guest/td.h"

#define DRAIN_MS     UINT64_C(500)
#define CONSOLE_PORT 0x3f8

uint64_t probe_rsdp;

static const char *command_line;

void tap_put_char(char c) { td_io_out(CONSOLE_PORT, 1, (uint8_t)c); }

static uint64_t get_field(const uint8_t *boot_params, unsigned offset, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | boot_params[offset + bytes];
	return v;
}

/* Is `word` one of the command line's blank-separated words? */
static bool has_option(const char *word)
{
	const char *at = command_line;

	while (*at != '\0') {
		const char *w = word;

		while (*w != '\0' && *at == *w) {
			at++;
			w++;
		}
		if (*w == '\0' && (*at == ' ' || *at == '\0'))
			return true;
		while (*at != ' ' && *at != '\0')
			at++;
		while (*at == ' ')
			at++;
	}
	return false;
}

uint64_t probe_tsc_per_ms(void)
{
	uint32_t r[4];

	cpuid(0x15, 0, r);
	return r[0] == 0 ? 0 : (uint64_t)r[2] * r[1] / r[0] / 1000;
}

static void run_tests(const struct probe_test *tests)
{
	for (; tests->run != NULL; tests++)
		tap_result(tests->sentence, tests->run());
}

/* The host logs the end at once, possibly into the middle of what it still has to print for us.
 */
static void let_console_drain(void)
{
	uint64_t until = rdtsc() + DRAIN_MS * probe_tsc_per_ms();

	while (rdtsc() < until)
		cpu_relax();
}

static void end_as_told(void)
{
	if (has_option("end=fatal"))
		td_fatal("probe: this end was asked for");
	if (has_option("end=triple")) {
		forget_idt();
		undefined();
	}
	while (has_option("end=spin"))
		cpu_relax();
	if (has_option("end=reset"))
		td_io_out(TD_ACPI_RESET_PORT, 1, TD_ACPI_RESET_VALUE);
	td_io_out(TD_ACPI_SLEEP_CONTROL_PORT, 1,
		  TD_ACPI_SLP_TYP_S5 << TD_ACPI_SLP_TYP_SHIFT | TD_ACPI_SLP_EN);
}

_Noreturn void probe_main(const uint8_t *boot_params)
{
	command_line = (const char *)(uintptr_t)get_field(boot_params, LINUX_CMD_LINE_PTR, 4);
	probe_rsdp = get_field(boot_params, BOOT_PARAMS_ACPI_RSDP, 8);
	tap_text("probe: started\n");
	run_tests(identity_tests);
	run_tests(ve_tests);
	run_tests(memory_tests);
	run_tests(interrupt_tests);
	run_tests(smp_tests);
	tap_end();
	let_console_drain();
	end_as_told();
	td_fatal("probe: power-off returned");
}
