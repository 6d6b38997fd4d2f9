/* SPDX-License-Identifier: MIT */
#include "mgmt/line_editor.h"

#include "core/log.h"
#include "core/string.h"

#define CTRL(letter) ((letter)&0x1f)
#define ESC          0x1b
#define DEL          0x7f
#define BELL         "\a"
#define ERASE_LINE   "\r\x1b[K"

static void emit(struct line_editor *ed, const char *text)
{
	ed->emit(ed->ctx, text, strlen(text));
}

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
	ed->emit(ed->ctx, ed->line, ed->length);
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
		ed->emit(ed->ctx, &c, 1);
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
		ed->emit(ed->ctx, ed->line + ed->cursor, cursor - ed->cursor);
	ed->cursor = cursor;
}

static void move_left(struct line_editor *ed)
{
	if (ed->cursor > 0)
		move_to(ed, ed->cursor - 1);
}

static void move_right(struct line_editor *ed)
{
	if (ed->cursor < ed->length)
		move_to(ed, ed->cursor + 1);
}

static void erase_left(struct line_editor *ed)
{
	if (ed->cursor > 0)
		erase(ed, ed->cursor - 1, ed->cursor);
}

static void erase_right(struct line_editor *ed)
{
	size_t at = ed->cursor;

	if (at < ed->length)
		erase(ed, at, at + 1);
}

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

/* Home, Delete and End of terminals that send ESC [ NUMBER ~. */
static char key_of_number(unsigned number)
{
	switch (number) {
	case 1:
	case 7:
		return 'H';
	case 4:
	case 8:
		return 'F';
	case 3:
		return '~';
	default:
		return '\0';
	}
}

/* The last byte of ESC [ ... or ESC O .... */
static void escape_key(struct line_editor *ed, char byte)
{
	if (byte == '~')
		byte = key_of_number(ed->number);
	switch (byte) {
	case 'A':
		show_older(ed);
		break;
	case 'B':
		show_newer(ed);
		break;
	case 'C':
		move_right(ed);
		break;
	case 'D':
		move_left(ed);
		break;
	case 'H':
		move_to(ed, 0);
		break;
	case 'F':
		move_to(ed, ed->length);
		break;
	case '~':
		erase_right(ed);
		break;
	default:
		break;
	}
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
			ed->number = (ed->number * 10 + (unsigned)(byte - '0')) % 1000;
		else
			ed->number = 0;
		return;
	}
	ed->escape = ESCAPE_NONE;
	escape_key(ed, byte);
}

// NOLINTNEXTLINE(readability-function-size): a flat table of keys.
static void control_key(struct line_editor *ed, char byte)
{
	switch (byte) {
	case ESC:
		ed->escape = ESCAPE_START;
		break;
	case CTRL('A'):
		move_to(ed, 0);
		break;
	case CTRL('B'):
		move_left(ed);
		break;
	case CTRL('C'):
		drop_line(ed);
		break;
	case CTRL('D'):
		erase_right(ed);
		break;
	case CTRL('E'):
		move_to(ed, ed->length);
		break;
	case CTRL('F'):
		move_right(ed);
		break;
	case CTRL('H'):
	case DEL:
		erase_left(ed);
		break;
	case CTRL('K'):
		erase(ed, ed->cursor, ed->length);
		break;
	case CTRL('L'):
		emit(ed, "\x1b[H\x1b[2J");
		line_editor_redraw(ed);
		break;
	case CTRL('N'):
		show_newer(ed);
		break;
	case CTRL('P'):
		show_older(ed);
		break;
	case CTRL('U'):
		erase(ed, 0, ed->cursor);
		break;
	case CTRL('W'):
		erase_word(ed);
		break;
	default:
		break;
	}
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
		control_key(ed, byte);
	return NULL;
}
