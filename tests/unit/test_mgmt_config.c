/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/config.h"
#include "tests/unit/test.h"

static struct config config;
static char messages[64][256];
static unsigned message_count;

static void on_error(void *ctx, const char *message)
{
	(void)ctx;
	snprintf(messages[message_count++ % 64], sizeof(messages[0]), "%s", message);
}

static void parse_bytes(const char *text, size_t length)
{
	/* An exact copy on the heap lets the sanitiser see reads beyond the end. */
	char *copy = memcpy(malloc(length + !length), text, length);

	message_count = 0;
	config_parse(copy, length, &config, on_error, NULL);
	free(copy);
	EXPECT_EQ(config.error_count >= message_count, true);
}

static void parse(const char *text) { parse_bytes(text, strlen(text)); }

/* The text has exactly this mistake. */
static void expect_mistake(const char *text, const char *message)
{
	parse(text);
	EXPECT_EQ(config.error_count, 1);
	EXPECT_STR_EQ(messages[0], message);
}

static void expect_fine(const char *text)
{
	parse(text);
	EXPECT_EQ(config.error_count, 0);
	if (message_count > 0)
		EXPECT_STR_EQ(messages[0], "");
}

TEST(config_of_the_design_page_is_understood)
{
	expect_fine("[redoubt]\n"
		    "console = com1,115200          ; serial console\n"
		    "log = info\n"
		    "autostart = web\n"
		    "\n"
		    "[td web]\n"
		    "kernel = vmlinuz               ; or firmware = OVMF.fd\n"
		    "initrd = initrd.img\n"
		    "cmdline = console=hvc0\n"
		    "vcpus = 2\n"
		    "memory = 512M\n"
		    "attributes = sept-ve-disable   ; debug, perfmon, ...\n");
	EXPECT_EQ(config.console_port, 0x3f8);
	EXPECT_EQ(config.console_baud, 115200);
	EXPECT_EQ(config.log, LOG_INFO);
	EXPECT_EQ(config.autostart_count, 1);
	EXPECT_EQ(config.autostart[0], 0);
	EXPECT_EQ(config.td_count, 1);
	EXPECT_STR_EQ(config.tds[0].name, "web");
	EXPECT_STR_EQ(config.tds[0].kernel, "vmlinuz");
	EXPECT_STR_EQ(config.tds[0].initrd, "initrd.img");
	EXPECT_STR_EQ(config.tds[0].cmdline, "console=hvc0");
	EXPECT_EQ(config.tds[0].vcpus, 2);
	EXPECT_EQ(config.tds[0].memory, 512 << 20);
	EXPECT_EQ(config.tds[0].attributes, TD_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(config.tds[0].line, 6);
}

TEST(config_that_is_empty_gives_the_defaults)
{
	expect_fine("");
	EXPECT_EQ(config.console_port, 0x3f8);
	EXPECT_EQ(config.console_baud, 115200);
	EXPECT_EQ(config.log, LOG_INFO);
	EXPECT_EQ(config.on_exit, POWER_OFF);
	EXPECT_EQ(config.on_panic, POWER_HALT);
	EXPECT_EQ(config.autostart_count, 0);
	EXPECT_EQ(config.td_count, 0);
}

TEST(config_td_with_a_kernel_only_gets_the_defaults)
{
	expect_fine("[td a]\nkernel = k");
	EXPECT_EQ(config.tds[0].vcpus, 1);
	EXPECT_EQ(config.tds[0].memory, 512 << 20);
	EXPECT_EQ(config.tds[0].attributes, TD_ATTR_SEPT_VE_DISABLE);
	EXPECT_STR_EQ(config.tds[0].initrd, "");
	EXPECT_STR_EQ(config.tds[0].cmdline, "");
}

TEST(config_console_takes_names_ports_and_bauds)
{
	expect_fine("[redoubt]\nconsole = com2");
	EXPECT_EQ(config.console_port, 0x2f8);
	expect_fine("[redoubt]\nconsole = 0x3e8 , 9600");
	EXPECT_EQ(config.console_port, 0x3e8);
	EXPECT_EQ(config.console_baud, 9600);
	expect_mistake("[redoubt]\nconsole = com9",
		       "redoubt.cfg:2: console: expected com1, com2 or 0xPORT, and perhaps "
		       ",BAUD dividing 115200, found 'com9'");
	parse("[redoubt]\nconsole = com2,");
	EXPECT_EQ(config.error_count, 1);
	EXPECT_EQ(config.console_port, 0x3f8);
	parse("[redoubt]\nconsole = com1,115201");
	EXPECT_EQ(config.error_count, 1);
	parse("[redoubt]\nconsole = com1,0");
	EXPECT_EQ(config.error_count, 1);
	parse("[redoubt]\nconsole = 0x");
	EXPECT_EQ(config.error_count, 1);
	parse("[redoubt]\nconsole = 0x12345");
	EXPECT_EQ(config.error_count, 1);
	parse("[redoubt]\nconsole = 0x3f8z");
	EXPECT_EQ(config.error_count, 1);
}

TEST(config_log_levels_are_four_words)
{
	expect_fine("[redoubt]\nlog = error");
	EXPECT_EQ(config.log, LOG_ERROR);
	expect_fine("[redoubt]\nlog = debug");
	EXPECT_EQ(config.log, LOG_DEBUG);
	expect_mistake("[redoubt]\nlog = loud",
		       "redoubt.cfg:2: log: expected error, warn, info or debug, found 'loud'");
	EXPECT_EQ(config.log, LOG_INFO);
}

TEST(config_ends_of_the_machine_are_four_words)
{
	expect_fine("[redoubt]\non-exit = port 0xf4\npanic = reboot\n");
	EXPECT_EQ(config.on_exit, POWER_PORT_EXIT);
	EXPECT_EQ(config.on_panic, POWER_REBOOT);
	expect_fine("[redoubt]\non-exit = halt\npanic = poweroff\n");
	EXPECT_EQ(config.on_exit, POWER_HALT);
	EXPECT_EQ(config.on_panic, POWER_OFF);
	expect_mistake("[redoubt]\non-exit = sleep",
		       "redoubt.cfg:2: on-exit: expected poweroff, reboot, port 0xf4 or halt, "
		       "found 'sleep'");
}

TEST(config_memory_has_a_unit_a_floor_and_a_ceiling)
{
	expect_fine("[td a]\nkernel=k\nmemory = 2G");
	EXPECT_EQ(config.tds[0].memory, UINT64_C(2) << 30);
	expect_fine("[td a]\nkernel=k\nmemory = 131072K");
	EXPECT_EQ(config.tds[0].memory, 128 << 20);
	expect_fine("[td a]\nkernel=k\nmemory = 134217728");
	EXPECT_EQ(config.tds[0].memory, 128 << 20);
	expect_fine("[td a]\nkernel=k\nmemory = 16384G");
	EXPECT_EQ(config.tds[0].memory, UINT64_C(1) << 44);
	expect_mistake(
		"[td a]\nkernel=k\nmemory = 12x",
		"redoubt.cfg:3: memory: expected SIZE like 512M (K, M or G), a multiple of "
		"2M from 128M to 16384G, found '12x'");
	EXPECT_EQ(config.tds[0].memory, 512 << 20);
}

TEST(config_memory_that_cannot_be_is_a_mistake)
{
	static const char *const bad[] = {"0",
					  "127M",
					  "129M",
					  "16385G",
					  "M",
					  "512MB",
					  "512 M",
					  "-512M",
					  "512m",
					  "0x20000000",
					  "131073K",
					  "18446744073709551616",
					  "99999999999999999999G"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[96];

		snprintf(text, sizeof(text), "[td a]\nkernel=k\nmemory = %s\n", bad[i]);
		parse(text);
		if (config.error_count != 1)
			printf("# memory = %s\n", bad[i]);
		EXPECT_EQ(config.error_count, 1);
		EXPECT_EQ(config.tds[0].memory, 512 << 20);
	}
}

TEST(config_vcpus_are_one_to_64)
{
	expect_fine("[td a]\nkernel=k\nvcpus = 64");
	EXPECT_EQ(config.tds[0].vcpus, 64);
	expect_mistake("[td a]\nkernel=k\nvcpus = 0",
		       "redoubt.cfg:3: vcpus: expected a number from 1 to 64, found '0'");
	EXPECT_EQ(config.tds[0].vcpus, 1);
	parse("[td a]\nkernel=k\nvcpus = 65");
	EXPECT_EQ(config.error_count, 1);
	parse("[td a]\nkernel=k\nvcpus = two");
	EXPECT_EQ(config.error_count, 1);
	parse("[td a]\nkernel=k\nvcpus = 4294967297");
	EXPECT_EQ(config.error_count, 1);
}

TEST(config_attributes_are_a_list)
{
	expect_fine("[td a]\nkernel=k\nattributes = sept-ve-disable, debug,pks perfmon");
	EXPECT_EQ(config.tds[0].attributes,
		  TD_ATTR_SEPT_VE_DISABLE | TD_ATTR_DEBUG | TD_ATTR_PKS | TD_ATTR_PERFMON);
	expect_fine("[td a]\nkernel=k\nattributes = none");
	EXPECT_EQ(config.tds[0].attributes, 0);
	expect_mistake("[td a]\nkernel=k\nattributes = debug, turbo",
		       "redoubt.cfg:3: attributes: expected none, or some of sept-ve-disable, "
		       "debug, pks, perfmon, found 'debug, turbo'");
	EXPECT_EQ(config.tds[0].attributes, TD_ATTR_SEPT_VE_DISABLE);
}

TEST(config_comments_start_a_line_or_follow_a_blank)
{
	expect_fine("; one\n  # two\n[td a] ; three\nkernel=k # four\n"
		    "cmdline = a;b c#d \"x ; y\" e\t; rest\n");
	EXPECT_STR_EQ(config.tds[0].cmdline, "a;b c#d \"x ; y\" e");
}

TEST(config_quote_that_does_not_close_is_a_mistake)
{
	expect_mistake("[td a]\nkernel=k\ncmdline = dyndbg=\"file x +p ; more",
		       "redoubt.cfg:3: cmdline: expected a closing double quote, found "
		       "'dyndbg=\"file x +p ; more'");
	EXPECT_STR_EQ(config.tds[0].cmdline, "");
}

TEST(config_value_may_contain_the_equals_sign)
{
	expect_fine("[td a]\nkernel=k\ncmdline=root=/dev/vda1 ro");
	EXPECT_STR_EQ(config.tds[0].cmdline, "root=/dev/vda1 ro");
}

TEST(config_only_the_command_line_may_be_empty)
{
	expect_fine("[td a]\nkernel=k\ncmdline =");
	expect_mistake(
		"[td a]\nkernel=k\ninitrd =",
		"redoubt.cfg:3: initrd: expected one file name of at most 63 characters, "
		"found ''");
	parse("[redoubt]\nautostart =");
	EXPECT_EQ(config.error_count, 1);
}

TEST(config_unknown_keys_are_named_with_those_that_exist)
{
	expect_mistake("[td a]\nkernel=k\nmemroy = 1G",
		       "redoubt.cfg:3: key of [td]: expected kernel, initrd, cmdline, vcpus, "
		       "memory or attributes, found 'memroy'");
	expect_mistake("[redoubt]\nkernel = k",
		       "redoubt.cfg:2: key of [redoubt]: expected console, log, autostart, "
		       "on-exit or panic, found 'kernel'");
}

TEST(config_unknown_sections_are_reported_once_and_skipped)
{
	expect_mistake(
		"[vm a]\nkernel = k\nwhatever\n[td b]\nkernel = k",
		"redoubt.cfg:1: section: expected [redoubt] or [td NAME], found '[vm a]'");
	EXPECT_EQ(config.td_count, 1);
	EXPECT_STR_EQ(config.tds[0].name, "b");
	expect_mistake("[td]\nkernel = k",
		       "redoubt.cfg:1: section: expected [redoubt] or [td NAME], found '[td]'");
	expect_mistake(
		"[td web\nkernel = k",
		"redoubt.cfg:1: section: expected [redoubt] or [td NAME], found '[td web'");
	expect_mistake("[",
		       "redoubt.cfg:1: section: expected [redoubt] or [td NAME], found '['");
}

TEST(config_names_of_tds_are_words)
{
	expect_fine("[ td  a-B_9.x ]\nkernel=k");
	EXPECT_STR_EQ(config.tds[0].name, "a-B_9.x");
	expect_mistake("[td a b]\nkernel=k",
		       "redoubt.cfg:1: [td NAME]: expected a name of 1 to 31 letters, digits, "
		       "'-', '_' and '.', found 'a b'");
	EXPECT_EQ(config.td_count, 0);
	parse("[td 0123456789012345678901234567890]\nkernel=k");
	EXPECT_EQ(config.error_count, 0);
	parse("[td 01234567890123456789012345678901]\nkernel=k");
	EXPECT_EQ(config.error_count, 1);
}

TEST(config_second_td_of_a_name_is_a_mistake_and_the_first_stays)
{
	expect_mistake("[td a]\nkernel=first\n[td a]\nkernel=second\n",
		       "redoubt.cfg:3: [td NAME]: expected a name that no section before has, "
		       "found 'a'");
	EXPECT_EQ(config.td_count, 1);
	EXPECT_STR_EQ(config.tds[0].kernel, "first");
}

TEST(config_second_redoubt_section_is_a_mistake_and_counts)
{
	expect_mistake("[redoubt]\nlog=debug\n[redoubt]\non-exit=reboot\n",
		       "redoubt.cfg:3: section: expected [redoubt] once, found '[redoubt]'");
	EXPECT_EQ(config.log, LOG_DEBUG);
	EXPECT_EQ(config.on_exit, POWER_REBOOT);
}

TEST(config_second_value_of_a_key_is_a_mistake_and_the_first_stays)
{
	expect_mistake("[td a]\nkernel=k\nvcpus=2\nvcpus=3\n",
		       "redoubt.cfg:4: vcpus: expected the key once in its section, found '3'");
	EXPECT_EQ(config.tds[0].vcpus, 2);
	expect_fine("[td a]\nkernel=k\n[td b]\nkernel=k\n");
}

TEST(config_td_without_kernel_is_a_mistake_and_stays_known)
{
	expect_mistake("[td a]\nvcpus=2\n[td b]\nkernel=k\n",
		       "redoubt.cfg:1: a: expected a line kernel = FILE in this [td] section, "
		       "found 'none'");
	EXPECT_EQ(config.td_count, 2);
	EXPECT_STR_EQ(config.tds[0].kernel, "");
	expect_mistake(
		"[td a]\nkernel=two words\n",
		"redoubt.cfg:2: kernel: expected one file name of at most 63 characters, "
		"found 'two words'");
}

TEST(config_key_before_any_section_is_a_mistake)
{
	expect_mistake(
		"log = info",
		"redoubt.cfg:1: log: expected [redoubt] or [td NAME] before the first key, "
		"found 'log = info'");
}

TEST(config_line_without_equals_sign_is_a_mistake)
{
	expect_mistake(
		"[redoubt]\nlog info",
		"redoubt.cfg:2: line: expected KEY = VALUE or [SECTION], found 'log info'");
	expect_mistake(
		"[redoubt]\n= info",
		"redoubt.cfg:2: line: expected KEY = VALUE or [SECTION], found '= info'");
}

TEST(config_autostart_names_must_exist)
{
	expect_fine("[redoubt]\nautostart = b, a\n[td a]\nkernel=k\n[td b]\nkernel=k\n");
	EXPECT_EQ(config.autostart_count, 2);
	EXPECT_EQ(config.autostart[0], 1);
	EXPECT_EQ(config.autostart[1], 0);
	expect_mistake("[redoubt]\n\nautostart = a, c\n[td a]\nkernel=k\n",
		       "redoubt.cfg:3: autostart: expected the name of a [td NAME] section, "
		       "found 'c'");
	EXPECT_EQ(config.autostart_count, 1);
}

TEST(config_autostart_of_a_name_said_too_often_stays_within_its_bounds)
{
	expect_fine("[redoubt]\nautostart = a a a a a a a a a a a a a a a a a a\n"
		    "[td a]\nkernel=k\n");
	EXPECT_EQ(config.autostart_count, CONFIG_MAX_TDS);
}

TEST(config_values_that_are_too_long_are_mistakes)
{
	static char text[4096];
	int n = sprintf(text, "[td a]\nkernel=k\ncmdline=");

	memset(text + n, 'x', TD_CMDLINE_MAX - 1);
	expect_fine(text);
	EXPECT_EQ(strlen(config.tds[0].cmdline), TD_CMDLINE_MAX - 1);
	text[n + TD_CMDLINE_MAX - 1] = 'x';
	expect_mistake(text, "redoubt.cfg:3: cmdline: expected at most 2047 characters, found "
			     "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'");
	EXPECT_STR_EQ(config.tds[0].cmdline, "");
	n = sprintf(text, "[td a]\nkernel=");
	memset(text + n, 'k', BOOT_NAME_MAX);
	text[n + BOOT_NAME_MAX] = '\0';
	parse(text);
	EXPECT_EQ(config.error_count, 1);
	EXPECT_STR_EQ(config.tds[0].kernel, "");
}

TEST(config_seventeenth_td_is_a_mistake)
{
	static char text[1024];
	size_t n = 0;

	for (int i = 0; i < 17; i++)
		n += (size_t)sprintf(text + n, "[td t%d]\nkernel=k\n", i);
	expect_mistake(text, "redoubt.cfg:33: [td NAME]: expected at most 16 TDs, found 't16'");
	EXPECT_EQ(config.td_count, 16);
}

TEST(config_characters_outside_ascii_are_mistakes_but_not_in_comments)
{
	expect_fine("; f\xc3\xbcr alle\n[td a] # \x80\nkernel=k");
	expect_mistake(
		"[td a]\nkernel=k\ncmdline = caf\xc3\xa9",
		"redoubt.cfg:3: line: expected printable ASCII, found 'cmdline = caf?\?'");
	expect_mistake(
		"[td a]\nkernel=k\ncmdline = a\x1b[2J",
		"redoubt.cfg:3: line: expected printable ASCII, found 'cmdline = a?[2J'");
}

TEST(config_nul_bytes_are_mistakes)
{
	static const char text[] = "[td a]\nkernel=k\0k\nkernel=z\n";

	parse_bytes(text, sizeof(text) - 1);
	EXPECT_EQ(config.error_count, 1);
	EXPECT_STR_EQ(messages[0],
		      "redoubt.cfg:2: line: expected printable ASCII, found 'kernel=k?k'");
	EXPECT_STR_EQ(config.tds[0].kernel, "z");
}

TEST(config_with_dos_line_ends_and_byte_order_mark_is_read)
{
	expect_fine("\xef\xbb\xbf[redoubt]\r\nlog = warn\r\n\r\n[td a]\r\nkernel = k\r\n");
	EXPECT_EQ(config.log, LOG_WARN);
	EXPECT_STR_EQ(config.tds[0].kernel, "k");
	expect_mistake(
		"[redoubt]\rlog = warn",
		"redoubt.cfg:1: line: expected printable ASCII, found '[redoubt]?log = warn'");
}

TEST(config_mistake_leaves_the_rest_of_the_file_in_force)
{
	parse("[redoubt]\nlog = loud\non-exit = reboot\n[td a]\nkernel = k\nvcpus = many\n"
	      "memory = 1G\n[td a]\n[td b]\nkernel = k2\n");
	EXPECT_EQ(config.error_count, 3);
	EXPECT_EQ(config.on_exit, POWER_REBOOT);
	EXPECT_EQ(config.td_count, 2);
	EXPECT_EQ(config.tds[0].memory, 1 << 30);
	EXPECT_STR_EQ(config.tds[1].kernel, "k2");
}

TEST(config_of_nothing_but_mistakes_does_not_flood_the_console)
{
	static char text[4096];

	memset(text, '\n', sizeof(text));
	for (size_t i = 0; i < sizeof(text); i += 2)
		text[i] = 'x';
	parse_bytes(text, sizeof(text));
	EXPECT_EQ(config.error_count, 2048);
	EXPECT_EQ(message_count, 32);
	EXPECT_TRUE(strstr(messages[31], "further mistakes are not shown") != NULL);
}

TEST(config_needs_nobody_to_hear_of_mistakes)
{
	config_parse("x", 1, &config, NULL, NULL);
	EXPECT_EQ(config.error_count, 1);
}

TEST(config_lines_that_are_too_long_are_mistakes_and_the_next_one_counts)
{
	static char text[8192];

	memset(text, 'x', 5000);
	strcpy(text + 5000, "\n[td a]\nkernel=k\n");
	expect_mistake(text, "redoubt.cfg:1: line: expected at most 4094 characters, found "
			     "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'");
	EXPECT_STR_EQ(config.tds[0].kernel, "k");
}

TEST(config_nul_is_no_end_of_the_text)
{
	static const char text[] = "[td a]\nkernel=k\ncmdline=a\0x\ninitrd=i\n";

	parse_bytes(text, sizeof(text) - 1);
	EXPECT_EQ(config.error_count, 1);
	EXPECT_STR_EQ(messages[0],
		      "redoubt.cfg:3: line: expected printable ASCII, found 'cmdline=a?x'");
	EXPECT_STR_EQ(config.tds[0].initrd, "i");
}

TEST(config_message_shows_all_of_a_value_that_a_setter_cut)
{
	expect_mistake("[td a]\nkernel=k\nattributes = debug, fast",
		       "redoubt.cfg:3: attributes: expected none, or some of sept-ve-disable, "
		       "debug, pks, perfmon, found 'debug, fast'");
}
