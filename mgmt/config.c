/* SPDX-License-Identifier: MIT */
#include "mgmt/config.h"

#include <stdbool.h>

#include "core/addr.h"
#include "core/string.h"

#define MAX_VCPUS  64
#define MIN_MEMORY (UINT64_C(128) << 20)
#define MAX_MEMORY (UINT64_C(16) << 40)
#define MAX_BAUD   115200
#define MAX_PORT   0xfff8 /* a 16550 has eight registers */

/* A file of the wrong kind is wrong on every line; this many messages will do. */
#define MAX_MESSAGES 32
#define MESSAGE_MAX  256
#define FOUND_MAX    40

/* Part of the text, not terminated. */
struct span {
	const char *at;
	size_t length;
};

enum section { SECTION_NONE, SECTION_REDOUBT, SECTION_TD, SECTION_SKIP };

struct parser {
	struct span rest;
	unsigned line;
	struct config *out;
	config_error_fn on_error;
	void *ctx;
	enum section section;
	struct td_config *td; /* of SECTION_TD */
	unsigned seen;        /* keys of this section, bits by index */
	bool had_redoubt;
	struct span autostart; /* its names are looked up when all sections are known */
	unsigned autostart_line;
};

/* ---- Text ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_name_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	       c == '_' || c == '.';
}

static struct span span_of(const char *s) { return (struct span){s, strlen(s)}; }

static struct span skip(struct span s, size_t n)
{
	return (struct span){s.at + n, s.length - n};
}

static struct span trim(struct span s)
{
	while (s.length > 0 && is_blank(s.at[0]))
		s = skip(s, 1);
	while (s.length > 0 && is_blank(s.at[s.length - 1]))
		s.length--;
	return s;
}

static bool span_equal(struct span a, struct span b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static bool span_is(struct span s, const char *text) { return span_equal(s, span_of(text)); }

/* Up to the first `separator` (all of it if there is none); *rest is what follows. */
static struct span cut(struct span s, char separator, struct span *rest)
{
	size_t n = 0;

	while (n < s.length && s.at[n] != separator)
		n++;
	*rest = skip(s, n < s.length ? n + 1 : n);
	return (struct span){s.at, n};
}

/* The next word of a list separated by blanks and commas; empty at its end. */
static struct span next_word(struct span *list)
{
	struct span word;

	while (list->length > 0 && (is_blank(list->at[0]) || list->at[0] == ','))
		*list = skip(*list, 1);
	word = (struct span){list->at, 0};
	while (word.length < list->length && !is_blank(list->at[word.length]) &&
	       list->at[word.length] != ',')
		word.length++;
	*list = skip(*list, word.length);
	return word;
}

static bool span_copy(struct span s, char *dst, size_t size)
{
	if (s.length >= size)
		return false;
	memcpy(dst, s.at, s.length);
	dst[s.length] = '\0';
	return true;
}

static bool number_of(struct span s, unsigned base, uint64_t max, uint64_t *out)
{
	return string_to_number(s.at, s.length, base, max, out);
}

/* ---- Messages ---- */

/* The text for a message: printable, and cut when long. */
static void quote(char text[FOUND_MAX + 4], struct span s)
{
	size_t n = s.length < FOUND_MAX ? s.length : FOUND_MAX;

	for (size_t i = 0; i < n; i++)
		text[i] = s.at[i] >= ' ' && s.at[i] <= '~' ? s.at[i] : '?';
	(void)string_copy(text + n, 4, s.length > FOUND_MAX ? "..." : "");
}

/* "redoubt.cfg:LINE: WHAT: expected EXPECTED, found 'FOUND'" */
static void mistake(struct parser *p, unsigned line, struct span what, const char *expected,
		    struct span found)
{
	char message[MESSAGE_MAX], what_text[FOUND_MAX + 4], found_text[FOUND_MAX + 4];

	p->out->error_count++;
	if (p->on_error == NULL || p->out->error_count > MAX_MESSAGES)
		return;
	quote(what_text, what);
	quote(found_text, found);
	(void)format(message, sizeof(message), "redoubt.cfg:%u: %s: expected %s%s, found '%s'",
		     line, what_text, expected,
		     p->out->error_count == MAX_MESSAGES ? " (further mistakes are not shown)"
							 : "",
		     found_text);
	p->on_error(p->ctx, message);
}

/* ---- Values: each setter takes all or nothing ---- */

/* Place of `v` in a list that NULL ends, or -1. */
static int index_of(struct span v, const char *const words[])
{
	for (int i = 0; words[i] != NULL; i++)
		if (span_is(v, words[i]))
			return i;
	return -1;
}

static bool port_of(struct span v, uint64_t *port)
{
	static const char *const names[] = {"com1", "com2", NULL};
	static const uint16_t ports[] = {0x3f8, 0x2f8};
	int i = index_of(v, names);

	if (i >= 0) {
		*port = ports[i];
		return true;
	}
	if (v.length < 3 || memcmp(v.at, "0x", 2) != 0)
		return false;
	return number_of(skip(v, 2), 16, MAX_PORT, port) && *port != 0;
}

/* `field` is the whole struct config. */
static bool set_console(void *field, struct span v)
{
	struct config *config = field;
	struct span baud_text;
	struct span port_text = trim(cut(v, ',', &baud_text));
	bool has_baud = baud_text.at != port_text.at + port_text.length;
	uint64_t port, baud = config->console_baud;

	if (!port_of(port_text, &port))
		return false;
	if (has_baud &&
	    (!number_of(trim(baud_text), 10, MAX_BAUD, &baud) || baud == 0 || MAX_BAUD % baud))
		return false;
	config->console_port = (uint16_t)port;
	config->console_baud = (uint32_t)baud;
	return true;
}

static bool set_log(void *field, struct span v)
{
	static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
	int i = index_of(v, levels);

	if (i >= 0)
		*(enum log_level *)field = (enum log_level)i;
	return i >= 0;
}

static bool set_power_action(void *field, struct span v)
{
	static const char *const actions[] = {"poweroff", "reboot", "port 0xf4", "halt", NULL};
	int i = index_of(v, actions);

	if (i >= 0)
		*(enum power_action *)field = (enum power_action)i;
	return i >= 0;
}

static bool set_file(void *field, struct span v)
{
	for (size_t i = 0; i < v.length; i++)
		if (is_blank(v.at[i]))
			return false;
	return span_copy(v, field, BOOT_NAME_MAX);
}

static bool set_cmdline(void *field, struct span v)
{
	return span_copy(v, field, TD_CMDLINE_MAX);
}

static bool set_vcpus(void *field, struct span v)
{
	uint64_t n;

	if (!number_of(v, 10, MAX_VCPUS, &n) || n == 0)
		return false;
	*(uint32_t *)field = (uint32_t)n;
	return true;
}

static bool set_memory(void *field, struct span v)
{
	static const char units[] = "KMG";
	const char *unit = strchr(units, v.at[v.length - 1]);
	unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
	uint64_t n;

	v.length -= unit != NULL;
	if (!number_of(v, 10, MAX_MEMORY >> shift, &n))
		return false;
	n <<= shift;
	if (n < MIN_MEMORY || n % SIZE_2M != 0)
		return false;
	*(uint64_t *)field = n;
	return true;
}

static bool set_attributes(void *field, struct span v)
{
	static const char *const words[] = {"none", "sept-ve-disable", "debug",
					    "pks",  "perfmon",         NULL};
	static const uint64_t bits[] = {0, TD_ATTR_SEPT_VE_DISABLE, TD_ATTR_DEBUG, TD_ATTR_PKS,
					TD_ATTR_PERFMON};
	struct span word = next_word(&v);
	uint64_t attributes = 0;
	int i;

	do {
		i = index_of(word, words);
		/* `none` stands alone. */
		if (i < 0 || (i == 0 && (attributes != 0 || v.length > 0)))
			return false;
		attributes |= bits[i];
		word = next_word(&v);
	} while (word.length > 0);
	*(uint64_t *)field = attributes;
	return true;
}

/* ---- Keys ---- */

#define POWER_WORDS "poweroff, reboot, port 0xf4 or halt"
#define FILE_WORDS  "one file name of at most 63 characters"

#define CONFIG(field) offsetof(struct config, field)
#define TD(field)     offsetof(struct td_config, field)

/* clang-format off */
static const struct key {
	const char *name;
	const char *expected;
	bool (*set)(void *field, struct span v); /* NULL: check_autostart() does it */
	size_t field;
	bool may_be_empty;
} keys[] = {
	{"console",   "com1, com2 or 0xPORT, and perhaps ,BAUD dividing 115200",
						   set_console,      0,                false},
	{"log",       "error, warn, info or debug", set_log,          CONFIG(log),      false},
	{"autostart", "names of [td NAME] sections", NULL,            0,                false},
	{"on-exit",   POWER_WORDS,                 set_power_action, CONFIG(on_exit),  false},
	{"panic",     POWER_WORDS,                 set_power_action, CONFIG(on_panic), false},
	/* of [td NAME], from FIRST_TD_KEY on */
	{"kernel",     FILE_WORDS,                 set_file,         TD(kernel),       false},
	{"initrd",     FILE_WORDS,                 set_file,         TD(initrd),       false},
	{"cmdline",    "at most 2047 characters",  set_cmdline,      TD(cmdline),      true},
	{"vcpus",      "a number from 1 to 64",    set_vcpus,        TD(vcpus),        false},
	{"memory",     "SIZE like 512M (K, M or G), a multiple of 2M from 128M to 16384G",
						   set_memory,       TD(memory),       false},
	{"attributes", "none, or some of sept-ve-disable, debug, pks, perfmon",
						   set_attributes,   TD(attributes),   false},
};
/* clang-format on */

#define KEY_COUNT    ((unsigned)(sizeof(keys) / sizeof(keys[0])))
#define FIRST_TD_KEY 5U

static bool set_value(struct parser *p, const struct key *key, struct span value)
{
	char *section = p->section == SECTION_TD ? (void *)p->td : (void *)p->out;

	if (value.length == 0 && !key->may_be_empty)
		return false;
	if (key->set != NULL)
		return key->set(section + key->field, value);
	p->autostart = value;
	p->autostart_line = p->line;
	return true;
}

static void set_key(struct parser *p, struct span name, struct span value)
{
	bool in_td = p->section == SECTION_TD;
	unsigned end = in_td ? KEY_COUNT : FIRST_TD_KEY;
	unsigned i = in_td ? FIRST_TD_KEY : 0;

	while (i < end && !span_is(name, keys[i].name))
		i++;
	if (i == end)
		mistake(p, p->line, span_of(in_td ? "key of [td]" : "key of [redoubt]"),
			in_td ? "kernel, initrd, cmdline, vcpus, memory or attributes"
			      : "console, log, autostart, on-exit or panic",
			name);
	else if (p->seen & 1U << i)
		mistake(p, p->line, name, "the key once in its section", value);
	else if (!set_value(p, &keys[i], value))
		mistake(p, p->line, name, keys[i].expected, value);
	p->seen |= i < end ? 1U << i : 0;
}

/* ---- Sections ---- */

static struct td_config *find_td(struct config *c, struct span name)
{
	for (unsigned i = 0; i < c->td_count; i++)
		if (span_is(name, c->tds[i].name))
			return &c->tds[i];
	return NULL;
}

static void end_section(struct parser *p)
{
	if (p->section == SECTION_TD && p->td->kernel[0] == '\0' &&
	    !(p->seen & 1U << FIRST_TD_KEY))
		mistake(p, p->td->line, span_of(p->td->name),
			"a line kernel = FILE in this [td] section", span_of("none"));
	p->section = SECTION_SKIP;
	p->td = NULL;
}

static bool is_td_name(struct span name)
{
	for (size_t i = 0; i < name.length; i++)
		if (!is_name_char(name.at[i]))
			return false;
	return name.length > 0 && name.length < TD_NAME_MAX;
}

static void begin_td(struct parser *p, struct span name)
{
	const char *expected = NULL;
	struct td_config *td;

	if (!is_td_name(name))
		expected = "a name of 1 to 31 letters, digits, '-', '_' and '.'";
	else if (find_td(p->out, name) != NULL)
		expected = "a name that no section before has";
	else if (p->out->td_count == CONFIG_MAX_TDS)
		expected = "at most 16 TDs";
	if (expected != NULL) {
		mistake(p, p->line, span_of("[td NAME]"), expected, name);
		return;
	}
	td = &p->out->tds[p->out->td_count++];
	*td = (struct td_config){
		.vcpus = 1,
		.memory = UINT64_C(512) << 20,
		.attributes = TD_ATTR_SEPT_VE_DISABLE,
		.line = p->line,
	};
	(void)span_copy(name, td->name, sizeof(td->name));
	p->td = td;
	p->seen &= (1U << FIRST_TD_KEY) - 1;
	p->section = SECTION_TD;
}

static void begin_section(struct parser *p, struct span line)
{
	struct span inner = {line.at, 0};

	end_section(p);
	if (line.at[line.length - 1] == ']')
		inner = trim((struct span){line.at + 1, line.length - 2});
	if (span_is(inner, "redoubt")) {
		if (p->had_redoubt)
			mistake(p, p->line, span_of("section"), "[redoubt] once", line);
		p->had_redoubt = true;
		p->section = SECTION_REDOUBT;
	} else if (inner.length > 2 && memcmp(inner.at, "td", 2) == 0 &&
		   is_blank(inner.at[2])) {
		begin_td(p, trim(skip(inner, 2)));
	} else {
		mistake(p, p->line, span_of("section"), "[redoubt] or [td NAME]", line);
	}
}

/* ---- Lines ---- */

/* `;` or `#` at the start or after a blank, outside double quotes, begins a comment. */
static struct span strip_comment(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.length; i++) {
		if (s.at[i] == '"')
			quoted = !quoted;
		if ((s.at[i] == ';' || s.at[i] == '#') && !quoted &&
		    (i == 0 || is_blank(s.at[i - 1])))
			return (struct span){s.at, i};
	}
	return s;
}

/* The next line without its end, comment and blanks around; false at the end of the text. */
static bool next_line(struct span *rest, struct span *line)
{
	if (rest->length == 0)
		return false;
	*line = cut(*rest, '\n', rest);
	if (line->length > 0 && line->at[line->length - 1] == '\r')
		line->length--;
	*line = trim(strip_comment(*line));
	return true;
}

static struct span skip_byte_order_mark(struct span text)
{
	if (text.length >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
		return skip(text, 3);
	return text;
}

static bool is_plain_text(struct span s)
{
	for (size_t i = 0; i < s.length; i++)
		if ((s.at[i] < ' ' || s.at[i] > '~') && s.at[i] != '\t')
			return false;
	return true;
}

static bool quotes_match(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.length; i++)
		quoted ^= s.at[i] == '"';
	return !quoted;
}

static void parse_line(struct parser *p, struct span line)
{
	struct span key, value;

	if (line.length == 0)
		return;
	if (!is_plain_text(line)) {
		mistake(p, p->line, span_of("line"), "printable ASCII", line);
		return;
	}
	if (line.at[0] == '[') {
		begin_section(p, line);
		return;
	}
	if (p->section == SECTION_SKIP)
		return;
	key = trim(cut(line, '=', &value));
	value = trim(value);
	if (key.length == line.length || key.length == 0)
		mistake(p, p->line, span_of("line"), "KEY = VALUE or [SECTION]", line);
	else if (p->section == SECTION_NONE)
		mistake(p, p->line, key, "[redoubt] or [td NAME] before the first key", line);
	else if (!quotes_match(value))
		mistake(p, p->line, key, "a closing double quote", value);
	else
		set_key(p, key, value);
}

static void check_autostart(struct parser *p)
{
	struct config *c = p->out;

	for (;;) {
		struct span name = next_word(&p->autostart);
		const struct td_config *td = find_td(c, name);

		if (name.length == 0)
			return;
		if (td == NULL)
			mistake(p, p->autostart_line, span_of("autostart"),
				"the name of a [td NAME] section", name);
		else if (c->autostart_count < CONFIG_MAX_TDS)
			c->autostart[c->autostart_count++] = (unsigned)(td - c->tds);
	}
}

void config_parse(const char *text, size_t length, struct config *out, config_error_fn on_error,
		  void *ctx)
{
	struct parser p = {
		.rest = skip_byte_order_mark((struct span){text, length}),
		.out = out,
		.on_error = on_error,
		.ctx = ctx,
	};
	struct span line;

	memset(out, 0, sizeof(*out));
	out->console_port = 0x3f8;
	out->console_baud = MAX_BAUD;
	out->log = LOG_INFO;
	out->on_exit = POWER_OFF;
	out->on_panic = POWER_HALT;
	while (next_line(&p.rest, &line)) {
		p.line++;
		parse_line(&p, line);
	}
	end_section(&p);
	check_autostart(&p);
}
