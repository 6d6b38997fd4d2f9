/* SPDX-License-Identifier: MIT */
#include "mgmt/cmd.h"

#include <stdarg.h>

#include "core/log.h"
#include "core/string.h"
#include "mgmt/cmd_table.h"

#define MAX_WORDS 8

static void cmd_help(struct cmd_session *s, unsigned argc, char *const argv[]);

/* clang-format off */
const struct cmd cmd_table[] = {
	{"help",       "[WORD]",  "lists the words, or explains one",           0, 1, false, cmd_help},
	{"version",    "",        "versions of Redoubt and of the TDX module",  0, 0, false, cmd_version},
	{"info",       "",        "the machine, the TDX module, the boot files", 0, 0, true, cmd_info},
	{"list",       "",        "the TDs and their states",                   0, 0, true,  cmd_list},
	{"create",     "NAME",    "builds a configured TD and measures it",     1, 1, false, cmd_create},
	{"start",      "NAME",    "runs a TD, creates it first if need be",     1, 1, false, cmd_start},
	{"destroy",    "NAME",    "ends a TD and takes its memory back",        1, 1, false, cmd_destroy},
	{"console",    "NAME",    "joins a TD's console; Ctrl-] leaves it",     1, 1, false, cmd_console},
	{"td-info",    "NAME",    "all about one TD",                           1, 1, true,  cmd_td_info},
	{"exits",      "NAME",    "a TD's exits by reason",                     1, 1, true,  cmd_exits},
	{"mem",        "",        "physical memory by owner, free KeyIDs",      0, 0, true,  cmd_mem},
	{"tdx-check",  "",        "what TDX needs against what is here",        0, 0, true,  cmd_tdx_check},
	{"log",        "[LEVEL]", "prints the log, or sets what the console shows: "
				  "error, warn, info or debug",                 0, 1, false, cmd_log},
	{"reboot",     "",        "ends all TDs and restarts the machine",      0, 0, false, cmd_reboot},
	{"poweroff",   "",        "ends all TDs and does what on-exit says",    0, 0, false, cmd_poweroff},
	{"panic-test", "",        "panics, to see what panic= does",            0, 0, false, cmd_panic_test},
};
/* clang-format on */

const unsigned cmd_count = sizeof(cmd_table) / sizeof(cmd_table[0]);

const struct cmd *cmd_find(const char *name)
{
	for (unsigned i = 0; i < cmd_count; i++)
		if (strcmp(cmd_table[i].name, name) == 0)
			return &cmd_table[i];
	return NULL;
}

/* ---- Answers ---- */

static void put(struct cmd_session *s, char c)
{
	s->out[s->out_length++] = c;
	if (c != '\n' && s->out_length < sizeof(s->out))
		return;
	s->emit(s->out, s->out_length);
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
	if (s->json)
		cmd_print(s, "{");
}

static void print_json_key(struct cmd_session *s, const char *key)
{
	cmd_print(s, "%s\"%s\":", s->has_fields ? "," : "", key);
	s->has_fields = true;
}

void cmd_record_text(struct cmd_session *s, const char *key, const char *value)
{
	if (!s->json) {
		cmd_print(s, "%-18s %s\n", key, value);
		return;
	}
	print_json_key(s, key);
	print_json_text(s, value);
}

void cmd_record_number(struct cmd_session *s, const char *key, uint64_t value)
{
	if (!s->json) {
		cmd_print(s, "%-18s %lu\n", key, value);
		return;
	}
	print_json_key(s, key);
	cmd_print(s, "%lu", value);
}

void cmd_record_hex(struct cmd_session *s, const char *key, const uint8_t *bytes, size_t size)
{
	char text[CMD_HEX_MAX];

	cmd_hex(text, bytes, size);
	cmd_record_text(s, key, text);
}

void cmd_record_end(struct cmd_session *s)
{
	if (s->json)
		cmd_print(s, "}\n");
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

/* Words of `line`, cut in place; more than `max` are counted, not stored. */
static unsigned split(char *line, char *words[], unsigned max)
{
	unsigned count = 0;

	while (*line != '\0') {
		if (*line == ' ' || *line == '\t') {
			*line++ = '\0';
			continue;
		}
		if (count < max)
			words[count] = line;
		count++;
		while (*line != '\0' && *line != ' ' && *line != '\t')
			line++;
	}
	return count;
}

/* Removes every -j; the number of words that are left. */
static unsigned take_json_option(struct cmd_session *s, unsigned count, char *words[])
{
	unsigned kept = 0;

	s->json = false;
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(words[i], "-j") == 0)
			s->json = true;
		else
			words[kept++] = words[i];
	}
	return kept;
}

static void print_unknown(struct cmd_session *s, const char *word)
{
	cmd_print(s, "%.40s: unknown command, expected one of:", word);
	for (unsigned i = 0; i < cmd_count; i++)
		cmd_print(s, " %s", cmd_table[i].name);
	cmd_print(s, "\n");
}

static void print_usage(struct cmd_session *s, const struct cmd *c)
{
	cmd_print(s, "%s%s%s%s", c->name, c->has_json ? " [-j]" : "",
		  c->arguments[0] != '\0' ? " " : "", c->arguments);
}

void cmd_execute(struct cmd_session *s, char *line)
{
	char *words[MAX_WORDS];
	unsigned count = split(line, words, MAX_WORDS);
	const struct cmd *c;

	if (count == 0)
		return;
	c = cmd_find(words[0]);
	if (c == NULL) {
		print_unknown(s, words[0]);
		return;
	}
	if (count <= MAX_WORDS && c->has_json)
		count = take_json_option(s, count, words);
	else
		s->json = false;
	if (count - 1 < c->min_args || count - 1 > c->max_args) {
		cmd_print(s, "%s: expected '", c->name);
		print_usage(s, c);
		cmd_print(s, "', found %u argument%s\n", count - 1, count == 2 ? "" : "s");
		return;
	}
	c->run(s, count, words);
}

bool cmd_continue(struct cmd_session *s)
{
	if (s->rest != NULL && !s->rest(s))
		s->rest = NULL;
	return s->rest != NULL;
}

static void cmd_help(struct cmd_session *s, unsigned argc, char *const argv[])
{
	const struct cmd *c;

	if (argc == 2) {
		c = cmd_find(argv[1]);
		if (c == NULL) {
			print_unknown(s, argv[1]);
			return;
		}
		print_usage(s, c);
		cmd_print(s, ": %s\n", c->help);
		if (c->has_json)
			cmd_print(s, "-j: answers with one JSON object a line\n");
		return;
	}
	for (unsigned i = 0; i < cmd_count; i++)
		cmd_print(s, "%-10s %-8s %s\n", cmd_table[i].name, cmd_table[i].arguments,
			  cmd_table[i].help);
}

bool cmd_next_name(const char **list, char *name, size_t size)
{
	size_t n = 0;

	while (**list == ' ' || **list == '\t' || **list == ',')
		++*list;
	for (; **list != '\0' && **list != ' ' && **list != '\t' && **list != ','; ++*list)
		if (n + 1 < size)
			name[n++] = **list;
	name[n] = '\0';
	return n > 0;
}
