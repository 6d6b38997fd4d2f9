/* SPDX-License-Identifier: MIT */
#include "mgmt/config.h"

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

/* A line with its NUL. */
#define LINE_SIZE 4096

#define UNPRINTABLE     '\x7f' /* in place of NUL */
#define LIST_SEPARATORS " \t,"

enum section { SECTION_NONE, SECTION_REDOUBT, SECTION_TD, SECTION_SKIP };

struct parser {
	const char *rest, *end; /* of the text */
	char text[LINE_SIZE];   /* of this line */
	unsigned line;
	struct config *out;
	config_error_fn on_error;
	void *ctx;
	enum section section;
	struct td_config *td; /* of SECTION_TD */
	unsigned seen;        /* keys of this section, bits by index */
	bool had_redoubt;
	char autostart[LINE_SIZE]; /* its names are looked up when all sections are known */
	unsigned autostart_line;
};

/* ---- Text ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && is_blank(end[-1]))
		*--end = '\0';
	while (is_blank(*s))
		s++;
	return s;
}

/* Ends `s` at the separator; what follows it, or NULL without one. */
static char *cut(char *s, char separator)
{
	char *at = strchr(s, separator);

	if (at != NULL)
		*at++ = '\0';
	return at;
}

/* All of `s` or nothing. */
static bool copy_text(char *dst, size_t size, const char *s)
{
	return strlen(s) < size && string_copy(dst, size, s);
}

/* ---- Messages ---- */

/* The text for a message: printable, and cut when long. A text that was quoted stays as it is.
 */
static void quote(char text[FOUND_MAX + 4], const char *s)
{
	size_t n = 0;

	for (; n < FOUND_MAX && s[n] != '\0'; n++)
		text[n] = s[n] >= ' ' && s[n] <= '~' ? s[n] : '?';
	(void)string_copy(text + n, 4, s[n] != '\0' ? "..." : "");
}

/* "redoubt.cfg:LINE: WHAT: expected EXPECTED, found 'FOUND'" */
static void mistake(struct parser *p, unsigned line, const char *what, const char *expected,
		    const char *found)
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
static int index_of(const char *v, const char *const words[])
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(v, words[i]) == 0)
			return i;
	return -1;
}

static bool port_of(const char *v, uint64_t *port)
{
	static const char *const names[] = {"com1", "com2", NULL};
	static const uint16_t ports[] = {0x3f8, 0x2f8};
	int i = index_of(v, names);

	if (i >= 0)
		*port = ports[i];
	return i >= 0 || (strncmp(v, "0x", 2) == 0 &&
			  string_to_number(v + 2, 16, MAX_PORT, port) && *port != 0);
}

/* `field` is the whole struct config. */
static bool set_console(void *field, char *v)
{
	struct config *config = field;
	char *baud_text = cut(v, ',');
	uint64_t port, baud = config->console_baud;

	if (!port_of(trim(v), &port))
		return false;
	if (baud_text != NULL && (!string_to_number(trim(baud_text), 10, MAX_BAUD, &baud) ||
				  baud == 0 || MAX_BAUD % baud != 0))
		return false;
	config->console_port = (uint16_t)port;
	config->console_baud = (uint32_t)baud;
	return true;
}

bool config_log_level(const char *v, enum log_level *level)
{
	static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
	int i = index_of(v, levels);

	if (i >= 0)
		*level = (enum log_level)i;
	return i >= 0;
}

static bool set_log(void *field, char *v) { return config_log_level(v, field); }

static bool set_power_action(void *field, char *v)
{
	static const char *const actions[] = {"poweroff", "reboot", "port 0xf4", "halt", NULL};
	int i = index_of(v, actions);

	if (i >= 0)
		*(enum power_action *)field = (enum power_action)i;
	return i >= 0;
}

static bool set_file(void *field, char *v)
{
	for (const char *c = v; *c != '\0'; c++)
		if (is_blank(*c))
			return false;
	return copy_text(field, BOOT_NAME_MAX, v);
}

static bool set_cmdline(void *field, char *v) { return copy_text(field, TD_CMDLINE_MAX, v); }

static bool set_vcpus(void *field, char *v)
{
	uint64_t n;

	if (!string_to_number(v, 10, MAX_VCPUS, &n) || n == 0)
		return false;
	*(uint32_t *)field = (uint32_t)n;
	return true;
}

static bool set_memory(void *field, char *v)
{
	static const char units[] = "KMG";
	char *last = v + strlen(v) - 1;
	const char *unit = strchr(units, *last);
	unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
	uint64_t n;

	if (unit != NULL)
		*last = '\0';
	if (!string_to_number(v, 10, MAX_MEMORY >> shift, &n))
		return false;
	n <<= shift;
	if (n < MIN_MEMORY || n % SIZE_2M != 0)
		return false;
	*(uint64_t *)field = n;
	return true;
}

static bool set_attributes(void *field, char *v)
{
	static const char *const words[] = {"none", "sept-ve-disable", "debug",
					    "pks",  "perfmon",         NULL};
	static const uint64_t bits[] = {0, TD_ATTR_SEPT_VE_DISABLE, TD_ATTR_DEBUG, TD_ATTR_PKS,
					TD_ATTR_PERFMON};
	const char *word = string_next_word(&v, LIST_SEPARATORS);
	uint64_t attributes = 0;
	int i;

	do {
		i = word != NULL ? index_of(word, words) : -1;
		/* `none` stands alone. */
		if (i < 0 || (i == 0 && (attributes != 0 || *v != '\0')))
			return false;
		attributes |= bits[i];
		word = string_next_word(&v, LIST_SEPARATORS);
	} while (word != NULL);
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
	bool (*set)(void *field, char *v); /* NULL: check_autostart() does it */
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

static bool set_value(struct parser *p, const struct key *key, char *value)
{
	char *section = p->section == SECTION_TD ? (void *)p->td : (void *)p->out;

	if (*value == '\0' && !key->may_be_empty)
		return false;
	if (key->set != NULL)
		return key->set(section + key->field, value);
	p->autostart_line = p->line;
	return copy_text(p->autostart, sizeof(p->autostart), value);
}

static void set_key(struct parser *p, const char *name, char *value)
{
	bool in_td = p->section == SECTION_TD;
	unsigned end = in_td ? KEY_COUNT : FIRST_TD_KEY;
	unsigned i = in_td ? FIRST_TD_KEY : 0;
	char found[FOUND_MAX + 4];

	quote(found, value); /* before a setter cuts it in pieces */
	while (i < end && strcmp(name, keys[i].name) != 0)
		i++;
	if (i == end)
		mistake(p, p->line, in_td ? "key of [td]" : "key of [redoubt]",
			in_td ? "kernel, initrd, cmdline, vcpus, memory or attributes"
			      : "console, log, autostart, on-exit or panic",
			name);
	else if (p->seen & 1U << i)
		mistake(p, p->line, name, "the key once in its section", found);
	else if (!set_value(p, &keys[i], value))
		mistake(p, p->line, name, keys[i].expected, found);
	p->seen |= i < end ? 1U << i : 0;
}

/* ---- Sections ---- */

const struct td_config *config_find_td(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->td_count; i++)
		if (strcmp(name, c->tds[i].name) == 0)
			return &c->tds[i];
	return NULL;
}

static void end_section(struct parser *p)
{
	if (p->section == SECTION_TD && p->td->kernel[0] == '\0' &&
	    !(p->seen & 1U << FIRST_TD_KEY))
		mistake(p, p->td->line, p->td->name,
			"a line kernel = FILE in this [td] section", "none");
	p->section = SECTION_SKIP;
	p->td = NULL;
}

static bool is_name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '_' || c == '.';
}

static bool is_td_name(const char *name)
{
	size_t n = 0;

	while (is_name_char(name[n]))
		n++;
	return name[n] == '\0' && n > 0 && n < TD_NAME_MAX;
}

static void begin_td(struct parser *p, const char *name)
{
	const char *expected = NULL;
	struct td_config *td;

	if (!is_td_name(name))
		expected = "a name of 1 to 31 letters, digits, '-', '_' and '.'";
	else if (config_find_td(p->out, name) != NULL)
		expected = "a name that no section before has";
	else if (p->out->td_count == CONFIG_MAX_TDS)
		expected = "at most 16 TDs";
	if (expected != NULL) {
		mistake(p, p->line, "[td NAME]", expected, name);
		return;
	}
	td = &p->out->tds[p->out->td_count++];
	*td = (struct td_config){
		.vcpus = 1,
		.memory = UINT64_C(512) << 20,
		.attributes = TD_ATTR_SEPT_VE_DISABLE,
		.line = p->line,
	};
	(void)string_copy(td->name, sizeof(td->name), name);
	p->td = td;
	p->seen &= (1U << FIRST_TD_KEY) - 1;
	p->section = SECTION_TD;
}

static void begin_section(struct parser *p, char *line)
{
	char *last = line + strlen(line) - 1;
	char *inner = last + 1;
	char found[FOUND_MAX + 4];

	quote(found, line);
	end_section(p);
	if (*last == ']') {
		*last = '\0';
		inner = trim(line + 1);
	}
	if (strcmp(inner, "redoubt") == 0) {
		if (p->had_redoubt)
			mistake(p, p->line, "section", "[redoubt] once", found);
		p->had_redoubt = true;
		p->section = SECTION_REDOUBT;
	} else if (strncmp(inner, "td", 2) == 0 && is_blank(inner[2])) {
		begin_td(p, trim(inner + 2));
	} else {
		mistake(p, p->line, "section", "[redoubt] or [td NAME]", found);
	}
}

/* ---- Lines ---- */

/* `;` or `#` at the start or after a blank, outside double quotes, begins a comment. */
static void strip_comment(char *line)
{
	bool quoted = false;

	for (char *c = line; *c != '\0'; c++) {
		if (*c == '"')
			quoted = !quoted;
		if ((*c == ';' || *c == '#') && !quoted && (c == line || is_blank(c[-1]))) {
			*c = '\0';
			return;
		}
	}
}

/* Copies the next line without its end; false at the end of the text. */
static bool next_line(struct parser *p)
{
	size_t n = 0;

	if (p->rest == p->end)
		return false;
	for (; p->rest < p->end && *p->rest != '\n'; p->rest++)
		if (n < LINE_SIZE - 1)
			p->text[n++] = *p->rest != '\0' ? *p->rest : UNPRINTABLE;
	p->rest += p->rest < p->end;
	n -= n > 0 && p->text[n - 1] == '\r';
	p->text[n] = '\0';
	p->line++;
	return true;
}

static bool is_plain_text(const char *s)
{
	while ((*s >= ' ' && *s <= '~') || *s == '\t')
		s++;
	return *s == '\0';
}

static bool quotes_match(const char *s)
{
	bool quoted = false;

	for (; *s != '\0'; s++)
		quoted ^= *s == '"';
	return !quoted;
}

static void parse_assignment(struct parser *p, char *line)
{
	char found[FOUND_MAX + 4];
	char *value;

	quote(found, line);
	if (*line == '=' || strchr(line, '=') == NULL) {
		mistake(p, p->line, "line", "KEY = VALUE or [SECTION]", line);
		return;
	}
	value = trim(cut(line, '='));
	line = trim(line);
	if (p->section == SECTION_NONE)
		mistake(p, p->line, line, "[redoubt] or [td NAME] before the first key", found);
	else if (!quotes_match(value))
		mistake(p, p->line, line, "a closing double quote", value);
	else
		set_key(p, line, value);
}

static void parse_line(struct parser *p)
{
	bool is_whole = strlen(p->text) < LINE_SIZE - 1;
	char *line;

	strip_comment(p->text);
	line = trim(p->text);
	if (!is_plain_text(line) || !is_whole)
		mistake(p, p->line, "line",
			is_whole ? "printable ASCII" : "at most 4094 characters", line);
	else if (*line == '[')
		begin_section(p, line);
	else if (*line != '\0' && p->section != SECTION_SKIP)
		parse_assignment(p, line);
}

static void check_autostart(struct parser *p)
{
	struct config *c = p->out;
	char *list = p->autostart;
	const char *name;

	while ((name = string_next_word(&list, LIST_SEPARATORS)) != NULL) {
		const struct td_config *td = config_find_td(c, name);

		if (td == NULL)
			mistake(p, p->autostart_line, "autostart",
				"the name of a [td NAME] section", name);
		else if (c->autostart_count < CONFIG_MAX_TDS)
			c->autostart[c->autostart_count++] = (unsigned)(td - c->tds);
	}
}

void config_parse(const char *text, size_t length, struct config *out, config_error_fn on_error,
		  void *ctx)
{
	static struct parser p; /* its lines are long for a stack */
	bool has_mark = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;

	memset(&p, 0, sizeof(p));
	p.rest = text + (has_mark ? 3 : 0);
	p.end = text + length;
	p.out = out;
	p.on_error = on_error;
	p.ctx = ctx;
	memset(out, 0, sizeof(*out));
	out->console_port = 0x3f8;
	out->console_baud = MAX_BAUD;
	out->log = LOG_INFO;
	out->on_exit = POWER_OFF;
	out->on_panic = POWER_HALT;
	while (next_line(&p))
		parse_line(&p);
	end_section(&p);
	check_autostart(&p);
}
