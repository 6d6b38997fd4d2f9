/* SPDX-License-Identifier: MIT */
#include "mgmt/line_editor.h"

#include "core/format.h"
#include "core/string.h"

#define CTRL(letter) ((letter)&0x1f)
#define ESC          0x1b
#define DEL          0x7f
#define BELL         "\a"
#define ERASE_LINE   "\r\x1b[K"

static void emit(struct line_editor *ed, const char *text) { ed->emit(text, strlen(text)); }

static void emit_left(struct line_editor *ed, size_t columns)
{
	char text[16];

	if (columns == 0)
		return;
	(void)format(text, sizeof(text), "\x1b[%zuD", columns);
	emit(ed, text);
}

void line_editor_redraw(struct line_editor *ed)
{
	emit(ed, ERASE_LINE);
	emit(ed, ed->prompt);
	ed->emit(ed->line, ed->length);
	emit_left(ed, ed->length - ed->cursor);
}

/* ---- Changes ---- */

static void insert(struct line_editor *ed, char c)
{
	char *at = ed->line + ed->cursor;

	if (ed->length == LINE_EDITOR_MAX - 1) {
		emit(ed, BELL);
		return;
	}
	memmove(at + 1, at, ed->length - ed->cursor);
	*at = c;
	ed->length++;
	ed->cursor++;
	/* At the end, where people and scripts type, the echo is the byte alone. */
	if (ed->cursor == ed->length)
		ed->emit(&c, 1);
	else
		line_editor_redraw(ed);
}

/* Removes [from, to); the cursor ends at `from`. */
static void erase(struct line_editor *ed, size_t from, size_t to)
{
	if (from == to)
		return;
	memmove(ed->line + from, ed->line + to, ed->length - to);
	ed->length -= to - from;
	ed->cursor = from;
	line_editor_redraw(ed);
}

static void set_line(struct line_editor *ed, const char *text)
{
	(void)string_copy(ed->line, sizeof(ed->line), text);
	ed->length = ed->cursor = strlen(ed->line);
	line_editor_redraw(ed);
}

static void move_to(struct line_editor *ed, size_t cursor)
{
	if (cursor < ed->cursor)
		emit_left(ed, ed->cursor - cursor);
	else
		ed->emit(ed->line + ed->cursor, cursor - ed->cursor);
	ed->cursor = cursor;
}

static void move_home(struct line_editor *ed) { move_to(ed, 0); }
static void move_end(struct line_editor *ed) { move_to(ed, ed->length); }

/* The places beside the cursor; at an end its own. */
static size_t left_of(const struct line_editor *ed)
{
	return ed->cursor > 0 ? ed->cursor - 1 : 0;
}

static size_t right_of(const struct line_editor *ed)
{
	return ed->cursor < ed->length ? ed->cursor + 1 : ed->length;
}

static void move_left(struct line_editor *ed) { move_to(ed, left_of(ed)); }
static void move_right(struct line_editor *ed) { move_to(ed, right_of(ed)); }
static void erase_left(struct line_editor *ed) { erase(ed, left_of(ed), ed->cursor); }
static void erase_right(struct line_editor *ed) { erase(ed, ed->cursor, right_of(ed)); }
static void erase_to_start(struct line_editor *ed) { erase(ed, 0, ed->cursor); }
static void erase_to_end(struct line_editor *ed) { erase(ed, ed->cursor, ed->length); }

static void erase_word(struct line_editor *ed)
{
	size_t from = ed->cursor;

	while (from > 0 && ed->line[from - 1] == ' ')
		from--;
	while (from > 0 && ed->line[from - 1] != ' ')
		from--;
	erase(ed, from, ed->cursor);
}

/* ---- History ---- */

static void remember(struct line_editor *ed)
{
	if (ed->length == 0 || (ed->history_count > 0 && strcmp(ed->history[0], ed->line) == 0))
		return;
	memmove(ed->history[1], ed->history[0], sizeof(ed->history) - sizeof(ed->history[0]));
	memcpy(ed->history[0], ed->line, sizeof(ed->line));
	if (ed->history_count < LINE_EDITOR_HISTORY)
		ed->history_count++;
}

static void show_older(struct line_editor *ed)
{
	if (ed->browsed == ed->history_count)
		return;
	if (ed->browsed == 0) {
		ed->line[ed->length] = '\0';
		memcpy(ed->kept, ed->line, sizeof(ed->kept));
	}
	set_line(ed, ed->history[ed->browsed++]);
}

static void show_newer(struct line_editor *ed)
{
	if (ed->browsed == 0)
		return;
	ed->browsed--;
	set_line(ed, ed->browsed == 0 ? ed->kept : ed->history[ed->browsed - 1]);
}

/* ---- Keys ---- */

static void drop_line(struct line_editor *ed)
{
	emit(ed, "^C\n");
	ed->browsed = 0;
	set_line(ed, "");
}

static char *finish_line(struct line_editor *ed)
{
	ed->line[ed->length] = '\0';
	emit(ed, "\n");
	remember(ed);
	ed->length = ed->cursor = 0;
	ed->browsed = 0;
	return ed->line;
}

static void clear_screen(struct line_editor *ed)
{
	emit(ed, "\x1b[H\x1b[2J");
	line_editor_redraw(ed);
}

static void begin_escape(struct line_editor *ed) { ed->escape = ESCAPE_START; }

struct key {
	char byte;
	void (*act)(struct line_editor *ed);
};

static const struct key control_keys[] = {
	{ESC, begin_escape},       {CTRL('A'), move_home},
	{CTRL('B'), move_left},    {CTRL('C'), drop_line},
	{CTRL('D'), erase_right},  {CTRL('E'), move_end},
	{CTRL('F'), move_right},   {CTRL('H'), erase_left},
	{DEL, erase_left},         {CTRL('K'), erase_to_end},
	{CTRL('L'), clear_screen}, {CTRL('N'), show_newer},
	{CTRL('P'), show_older},   {CTRL('U'), erase_to_start},
	{CTRL('W'), erase_word},   {0, NULL},
};

/* The last byte of ESC [ ... or ESC O .... */
static const struct key escape_keys[] = {
	{'A', show_older}, {'B', show_newer}, {'C', move_right}, {'D', move_left},
	{'H', move_home},  {'F', move_end},   {0, NULL},
};

/* The number in ESC [ NUMBER ~. */
static const struct key numbered_keys[] = {
	{1, move_home}, {3, erase_right}, {4, move_end},
	{7, move_home}, {8, move_end},    {0, NULL},
};

static void act(struct line_editor *ed, const struct key *key, char byte)
{
	while (key->act != NULL && key->byte != byte)
		key++;
	if (key->act != NULL)
		key->act(ed);
}

static void feed_escape(struct line_editor *ed, char byte)
{
	if (ed->escape == ESCAPE_START) {
		ed->escape = byte == '[' || byte == 'O' ? ESCAPE_CSI : ESCAPE_NONE;
		ed->number = 0;
		return;
	}
	/* Parameters and intermediate bytes; of several numbers the last one stays. */
	if (byte >= ' ' && byte <= '?') {
		if (byte >= '0' && byte <= '9')
			ed->number = (ed->number * 10 + (unsigned)(byte - '0')) % 100;
		else
			ed->number = 0;
		return;
	}
	ed->escape = ESCAPE_NONE;
	if (byte == '~')
		act(ed, numbered_keys, (char)ed->number);
	else
		act(ed, escape_keys, byte);
}

char *line_editor_feed(struct line_editor *ed, char byte)
{
	bool after_cr = ed->had_cr;

	ed->had_cr = byte == '\r';
	if (ed->escape != ESCAPE_NONE && byte >= ' ') {
		feed_escape(ed, byte);
		return NULL;
	}
	ed->escape = ESCAPE_NONE;
	if (byte == '\n' && after_cr)
		return NULL;
	if (byte == '\r' || byte == '\n')
		return finish_line(ed);
	if (byte >= ' ' && byte <= '~')
		insert(ed, byte);
	else
		act(ed, control_keys, byte);
	return NULL;
}
