/* SPDX-License-Identifier: MIT */
#include "mgmt/cmd.h"

#include <stdarg.h>

#include "core/format.h"
#include "core/string.h"
#include "drivers/uart.h"
#include "mgmt/cmd_table.h"

static void cmd_help(struct cmd_session *s);

/* clang-format off */
static const struct cmd cmd_table[] = {
	{"help",       "[WORD]",  "lists the words, or explains one", 0, cmd_help},
	{"version",    "",        "versions of Redoubt and of the TDX module", 0, cmd_version},
	{"info",       "",        "the machine, the TDX module, the boot files", CMD_JSON, cmd_info},
	{"list",       "",        "the TDs and their states", CMD_JSON, cmd_list},
	{"create",     "NAME",    "builds a configured TD and measures it", 0, cmd_create},
	{"start",      "NAME",    "runs a TD, creates it first if need be", 0, cmd_start},
	{"destroy",    "NAME",    "ends a TD and takes its memory back", CMD_TD, cmd_destroy},
	{"console",    "NAME",    "joins a TD's console; Ctrl-] leaves it", CMD_TD, cmd_console},
	{"td-info",    "NAME",    "all about one TD", CMD_JSON | CMD_TD, cmd_td_info},
	{"exits",      "NAME",    "a TD's exits by reason", CMD_JSON | CMD_TD, cmd_exits},
	{"vcpu-list",  "NAME",    "a TD's vCPUs, where and how they are", CMD_JSON | CMD_TD,
				  cmd_vcpu_list},
	{"mem",        "",        "physical memory by owner, free KeyIDs", CMD_JSON, cmd_mem},
	{"sept",       "NAME [GPA]", "a TD's Secure EPT; what is mapped at 4K, from GPA on, and "
				     "why", CMD_JSON | CMD_TD, cmd_sept},
	{"gpa",        "NAME [GPA]", "what of a TD is private or shared; all about GPA, and what "
				     "follows", CMD_JSON | CMD_TD, cmd_gpa},
	{"hkid",       "",        "the KeyIDs and who has them", CMD_JSON, cmd_hkid},
	{"tdx-check",  "",        "what TDX needs against what is here", CMD_JSON, cmd_tdx_check},
	{"log",        "[LEVEL]", "prints the log, or sets what the console shows: "
				  "error, warn, info or debug", 0, cmd_log},
	{"reboot",     "",        "ends all TDs and restarts the machine", 0, cmd_reboot},
	{"poweroff",   "",        "ends all TDs and does what on-exit says", 0, cmd_poweroff},
	{"panic-test", "",        "panics, to see what panic= does", 0, cmd_panic_test},
};
/* clang-format on */

#define CMD_COUNT (sizeof(cmd_table) / sizeof(cmd_table[0]))

static const struct cmd *find(const char *name)
{
	for (unsigned i = 0; i < CMD_COUNT; i++)
		if (strcmp(cmd_table[i].name, name) == 0)
			return &cmd_table[i];
	return NULL;
}

/* ---- Answers ---- */

static void put(struct cmd_session *s, char c)
{
	/* The last column was padded, too. */
	while (c == '\n' && s->out_length > 0 && s->out[s->out_length - 1] == ' ')
		s->out_length--;
	s->out[s->out_length++] = c;
	if (c != '\n' && s->out_length < sizeof(s->out))
		return;
	uart_write(s->out, s->out_length);
	s->out_length = 0;
}

void cmd_print(struct cmd_session *s, const char *fmt, ...)
{
	char text[CMD_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)format_v(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *c = text; *c != '\0'; c++)
		put(s, *c);
}

static void print_json_text(struct cmd_session *s, const char *text)
{
	cmd_print(s, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			cmd_print(s, "\\%c", *text);
		else if (*text >= ' ' && *text <= '~')
			put(s, *text);
		else
			cmd_print(s, "\\u%04x", (unsigned char)*text);
	}
	cmd_print(s, "\"");
}

void cmd_record_begin(struct cmd_session *s)
{
	s->has_fields = false;
	s->in_columns = false;
	if (s->json)
		cmd_print(s, "{");
}

void cmd_row_begin(struct cmd_session *s)
{
	cmd_record_begin(s);
	s->in_columns = !s->json;
}

/* What stands before a value: its key, and what divides it from the one before. */
static void print_key(struct cmd_session *s, const char *key)
{
	if (s->json)
		cmd_print(s, "%s\"%s\":", s->has_fields ? "," : "", key);
	else if (!s->in_columns)
		cmd_print(s, "%-18s ", key);
	else if (s->has_fields)
		cmd_print(s, " ");
	s->has_fields = true;
}

static void end_value(struct cmd_session *s)
{
	if (!s->json && !s->in_columns)
		cmd_print(s, "\n");
}

void cmd_record_text(struct cmd_session *s, const char *key, const char *value)
{
	print_key(s, key);
	if (s->json)
		print_json_text(s, value);
	else
		cmd_print(s, "%-*s", s->in_columns ? CMD_TEXT_WIDTH : 0, value);
	end_value(s);
}

void cmd_record_number(struct cmd_session *s, const char *key, uint64_t value)
{
	print_key(s, key);
	cmd_print(s, "%*lu", s->in_columns ? CMD_NUMBER_WIDTH : 0, value);
	end_value(s);
}

void cmd_record_gpa(struct cmd_session *s, const char *key, gpa_t value)
{
	char text[20];

	(void)format(text, sizeof(text), "0x%lx", value.raw);
	cmd_record_text(s, key, text);
}

void cmd_record_hex(struct cmd_session *s, const char *key, const uint8_t *bytes, size_t size)
{
	char text[CMD_HEX_MAX];

	cmd_hex(text, bytes, size);
	cmd_record_text(s, key, text);
}

void cmd_record_end(struct cmd_session *s)
{
	if (s->json || s->in_columns)
		cmd_print(s, s->json ? "}\n" : "\n");
}

void cmd_hex(char text[CMD_HEX_MAX], const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size && i < SHA384_DIGEST_SIZE; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

/* ---- Lines ---- */

static void print_unknown(struct cmd_session *s, const char *word)
{
	cmd_print(s, "%.40s: unknown command, expected one of:", word);
	for (unsigned i = 0; i < CMD_COUNT; i++)
		cmd_print(s, " %s", cmd_table[i].name);
	cmd_print(s, "\n");
}

static void print_usage(struct cmd_session *s, const struct cmd *c)
{
	cmd_print(s, "%s%s%s%s", c->name, (c->flags & CMD_JSON) != 0 ? " [-j]" : "",
		  c->usage[0] != '\0' ? " " : "", c->usage);
}

/* Words of a usage line, those in brackets counted or not. */
static unsigned count_arguments(const char *usage, bool with_optional)
{
	unsigned n = 0;

	for (const char *c = usage; *c != '\0'; c++)
		if (*c != ' ' && (c == usage || c[-1] == ' '))
			n += *c != '[' || with_optional;
	return n;
}

void cmd_execute(struct cmd_session *s, char *line)
{
	const struct cmd *c;
	const char *word = string_next_word(&line, " \t");
	unsigned count = 0;

	if (word == NULL)
		return;
	c = find(word);
	if (c == NULL) {
		print_unknown(s, word);
		return;
	}
	s->word = c->name;
	s->json = false;
	s->arg[0] = s->arg[1] = NULL;
	while ((word = string_next_word(&line, " \t")) != NULL) {
		if ((c->flags & CMD_JSON) != 0 && strcmp(word, "-j") == 0)
			s->json = true;
		else if (count++ < 2)
			s->arg[count - 1] = word;
	}
	if (count > count_arguments(c->usage, true) ||
	    count < count_arguments(c->usage, false)) {
		cmd_print(s, "%s: expected '", c->name);
		print_usage(s, c);
		cmd_print(s, "', found %u argument%s\n", count, count == 1 ? "" : "s");
		return;
	}
	if ((c->flags & CMD_TD) == 0 || cmd_find_td(s))
		c->run(s);
}

bool cmd_continue(struct cmd_session *s)
{
	if (s->rest != NULL && !s->rest(s))
		s->rest = NULL;
	return s->rest != NULL;
}

static void cmd_help(struct cmd_session *s)
{
	const struct cmd *c;

	if (s->arg[0] != NULL) {
		c = find(s->arg[0]);
		if (c == NULL) {
			print_unknown(s, s->arg[0]);
			return;
		}
		print_usage(s, c);
		cmd_print(s, ": %s\n", c->help);
		if ((c->flags & CMD_JSON) != 0)
			cmd_print(s, "-j: answers with one JSON object a line\n");
		return;
	}
	for (unsigned i = 0; i < CMD_COUNT; i++)
		cmd_print(s, "%-10s %-10s %s\n", cmd_table[i].name, cmd_table[i].usage,
			  cmd_table[i].help);
}
