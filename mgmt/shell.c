/* SPDX-License-Identifier: MIT */
#define LOG_TAG "shell"

#include "mgmt/shell.h"

#include <stdatomic.h>

#include "core/log.h"
#include "core/string.h"
#include "drivers/timer.h"
#include "drivers/uart.h"
#include "mgmt/cmd.h"
#include "mgmt/line_editor.h"
#include "vm/cpu_loop.h"

#define PROMPT         "redoubt> "
#define LEAVE_CONSOLE  0x1d /* Ctrl-] */
#define BYTES_PER_POLL 64
#define LIFE_CHECK_US  20000
#define LOG_WAIT_US    40000   /* for the end of a TD's line: of silence... */
#define LOG_HOLD_US    1000000 /* ...and in all, for a TD whose line never ends */

/* One serial line, one shell. Used by the BSP's loop alone, but for the atomics. */
static struct {
	struct cmd_session session;
	struct line_editor editor;
	unsigned autostarted; /* TDs of config->autostart that had their turn */
	uint64_t next_life_check_us;
	atomic_bool has_prompt; /* prompt and line are on the screen, with the cursor in them */
	atomic_bool in_raw_line; /* a TD's output stands in the middle of a line */
	atomic_bool holds_log;   /* log lines are shown by show_log() */
	uint64_t log_shown;      /* number of the first line that is held */
	uint64_t raw_us;         /* when the TD printed last */
	uint64_t line_us;        /* when it began the line that it is in */
} shell;

/* Any CPU, any context: never waits for the shell, which prints its line again later. */
static void print_log_line(const char *text, size_t length)
{
	if (atomic_load(&shell.holds_log) && !log_is_dying())
		return;
	if (atomic_exchange(&shell.has_prompt, false))
		uart_write("\r\x1b[K", 4);
	if (atomic_exchange(&shell.in_raw_line, false))
		uart_write("\n", 1);
	uart_write(text, length);
}

/* ---- The log beside a TD's console: between the TD's lines ---- */

static void show_line(void *ctx, const char *line)
{
	(void)ctx;
	if (atomic_exchange(&shell.in_raw_line, false))
		uart_write("\n", 1);
	uart_write(line, strlen(line));
	uart_write("\n", 1);
}

static void show_log(void) { shell.log_shown = log_replay(shell.log_shown, show_line, NULL); }

static bool is_log_waiting(void)
{
	return atomic_load(&shell.holds_log) && log_next() != shell.log_shown;
}

/* A prompt has no end: what waits for it is shown when the TD is silent. */
static void poll_log(void)
{
	uint64_t now = timer_now_us();

	if (is_log_waiting() &&
	    (!atomic_load(&shell.in_raw_line) || now >= shell.raw_us + LOG_WAIT_US ||
	     now >= shell.line_us + LOG_HOLD_US))
		show_log();
}

static void print_raw(const char *bytes, size_t length)
{
	if (length == 0)
		return;
	uart_write_raw(bytes, length);
	shell.raw_us = timer_now_us();
	if (!atomic_exchange(&shell.in_raw_line, bytes[length - 1] != '\n'))
		shell.line_us = shell.raw_us;
}

static void print_td_bytes(const char *bytes, size_t length)
{
	size_t n = 0;

	if (is_log_waiting()) {
		while (n < length && bytes[n] != '\n')
			n++;
		n += n < length;
		print_raw(bytes, n);
		if (!atomic_load(&shell.in_raw_line))
			show_log();
	}
	print_raw(bytes + n, length - n);
}

/* ---- The TD's console ---- */

static void join_console(const char *name)
{
	shell.log_shown = log_next();
	atomic_store(&shell.holds_log, true);
	vm_console_attach(name, print_td_bytes);
}

static void leave_console(const char *why)
{
	char text[TD_NAME_MAX + sizeof(((struct vm_info *)NULL)->reason) + 64];
	const char *start;

	atomic_store(&shell.holds_log, false);
	show_log();
	start = atomic_exchange(&shell.in_raw_line, false) ? "\n" : "";
	(void)format(text, sizeof(text), "%sconsole of %s left: %s\n", start,
		     shell.session.attached, why);
	uart_write(text, strlen(text));
	vm_console_attach(NULL, NULL);
	shell.session.attached[0] = '\0';
}

static void check_life(void)
{
	struct vm_info info;
	char why[sizeof(info.reason) + 32];
	uint64_t now = timer_now_us();

	if (now < shell.next_life_check_us)
		return;
	shell.next_life_check_us = now + LIFE_CHECK_US;
	if (vm_get(shell.session.attached, &info) != STATUS_OK) {
		leave_console("the TD is gone");
	} else if (info.state != VM_CREATED && info.state != VM_RUNNING) {
		(void)format(why, sizeof(why), "TD %s%s%s", vm_state_name(info.state),
			     info.reason[0] != '\0' ? ": " : "", info.reason);
		leave_console(why);
	}
}

/*
 * The keyboard is read even when the TD takes nothing, or Ctrl-] could not leave one that
 * hangs; what exceeds the TD's buffer then is lost.
 */
static void console_byte(int byte)
{
	if (byte == LEAVE_CONSOLE)
		leave_console("Ctrl-]");
	else
		vm_console_input((char)byte);
}

/* ---- Input ---- */

static void show_prompt(void)
{
	if (!atomic_exchange(&shell.has_prompt, true))
		line_editor_redraw(&shell.editor);
}

static void type_into_line(int byte)
{
	char *line;

	show_prompt();
	line = line_editor_feed(&shell.editor, (char)byte);
	if (line == NULL)
		return;
	atomic_store(&shell.has_prompt, false);
	cmd_execute(&shell.session, line);
	if (shell.session.attached[0] != '\0')
		join_console(shell.session.attached);
}

/* Takes what was typed, a bounded number of bytes, up to a command that takes long. */
static void poll_input(void)
{
	for (unsigned i = 0; i < BYTES_PER_POLL && shell.session.rest == NULL; i++) {
		int byte = uart_read();

		if (byte < 0)
			return;
		if (shell.session.attached[0] == '\0')
			type_into_line(byte);
		else
			console_byte(byte);
	}
}

/* One TD a poll, so that the line stays alive in between. */
static void poll_autostart(void)
{
	const struct config *c = shell.session.config;
	const char *name;
	struct vm_error why;

	if (shell.autostarted == c->autostart_count)
		return;
	name = c->tds[c->autostart[shell.autostarted++]].name;
	if (cmd_start_td(&shell.session, name, &why) == STATUS_OK)
		log_info("autostart: %s started", name);
	else
		log_error("autostart: %s: %s", name, why.text);
}

/* One round: never blocks, but for the command that is executed. */
static void poll(void)
{
	if (cmd_continue(&shell.session))
		return;
	poll_input();
	if (shell.session.rest != NULL)
		return;
	if (shell.session.attached[0] != '\0') {
		poll_log();
		check_life();
	} else {
		show_prompt();
	}
	poll_autostart();
}

void shell_init(const struct boot_info *bi, const struct config *config)
{
	memset(&shell, 0, sizeof(shell));
	shell.session.bi = bi;
	shell.session.config = config;
	shell.editor.prompt = PROMPT;
	shell.editor.emit = uart_write;
	log_set_sink(print_log_line);
	show_prompt();
	cpu_loop_set_poll(poll);
}
