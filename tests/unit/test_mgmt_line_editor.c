/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "mgmt/line_editor.h"
#include "tests/unit/test.h"

#define LEFT    "\x1b[D"
#define RIGHT   "\x1b[C"
#define UP      "\x1b[A"
#define DOWN    "\x1b[B"
#define COLUMNS 400

/* A terminal of one line: what a person would see, and where the cursor is. */
static char screen[COLUMNS];
static size_t column;
static unsigned bells, rows, clears;
static char escape[16];
static size_t escape_length;

static void escape_sequence(void)
{
	switch (escape[escape_length - 1]) {
	case 'K':
		memset(screen + column, 0, sizeof(screen) - column);
		break;
	case 'D':
		column -= strtoul(escape + 2, NULL, 10);
		break;
	case 'J':
		memset(screen, 0, sizeof(screen));
		clears++;
		break;
	case 'H':
		column = 0;
		break;
	default:
		test_fail(__FILE__, __LINE__, "unknown escape sequence %s", escape + 1);
	}
	escape_length = 0;
}

static void show(char c)
{
	if (escape_length > 0 || c == 0x1b) {
		escape[escape_length++] = c;
		if (escape_length > 2 && c >= '@')
			escape_sequence();
	} else if (c == '\a') {
		bells++;
	} else if (c == '\n') {
		memset(screen, 0, sizeof(screen));
		column = 0;
		rows++;
	} else if (c == '\r') {
		column = 0;
	} else {
		screen[column++] = c;
	}
}

static void show_all(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		show(text[i]);
}

static struct line_editor ed = {.prompt = "> ", .emit = show_all};

/* Types `keys`; the last line that was entered, or NULL. */
static const char *type(const char *keys)
{
	static char line[LINE_EDITOR_MAX];
	const char *entered = NULL;

	for (; *keys != '\0'; keys++) {
		const char *done = line_editor_feed(&ed, *keys);

		if (done != NULL)
			entered = strcpy(line, done);
	}
	return entered;
}

static void expect_screen(const char *text, size_t at)
{
	EXPECT_STR_EQ(screen, text);
	EXPECT_EQ(column, at);
}

TEST(line_editor_returns_the_line_at_enter)
{
	line_editor_redraw(&ed);
	EXPECT_STR_EQ(type("lis"), NULL);
	expect_screen("> lis", 5);
	EXPECT_STR_EQ(type("t\r"), "list");
	EXPECT_EQ(rows, 1);
}

TEST(line_editor_takes_cr_lf_and_crlf_for_one_enter)
{
	EXPECT_STR_EQ(type("a\r\n"), "a");
	EXPECT_EQ(rows, 1);
	EXPECT_STR_EQ(type("b\n"), "b");
	EXPECT_EQ(rows, 2);
	EXPECT_STR_EQ(type("\r"), "");
	EXPECT_STR_EQ(type("\r"), "");
	EXPECT_EQ(rows, 4);
}

TEST(line_editor_echoes_text_at_the_end_byte_by_byte)
{
	struct line_editor plain = {.prompt = "> ", .emit = show_all};

	(void)line_editor_feed(&plain, 'a');
	expect_screen("a", 1);
}

TEST(line_editor_inserts_and_deletes_in_the_middle)
{
	line_editor_redraw(&ed);
	type("strt" LEFT LEFT "a");
	expect_screen("> start", 5);
	type("\x7f");
	expect_screen("> strt", 4);
	type("\x1b[3~");
	expect_screen("> stt", 4);
	type(RIGHT RIGHT RIGHT "!");
	expect_screen("> stt!", 6);
	EXPECT_STR_EQ(type("\r"), "stt!");
}

TEST(line_editor_knows_home_and_end_of_several_terminals)
{
	static const char *const homes[] = {"\x01", "\x1b[H", "\x1b[1~", "\x1b[7~", "\x1bOH"};
	static const char *const ends[] = {"\x05", "\x1b[F", "\x1b[4~", "\x1b[8~", "\x1bOF"};

	line_editor_redraw(&ed);
	type("abc");
	for (unsigned i = 0; i < 5; i++) {
		type(homes[i]);
		expect_screen("> abc", 2);
		type(ends[i]);
		expect_screen("> abc", 5);
	}
}

TEST(line_editor_cuts_to_either_end_and_by_word)
{
	line_editor_redraw(&ed);
	type("create web  one\x17");
	expect_screen("> create web  ", 14);
	type("\x17");
	expect_screen("> create ", 9);
	type(LEFT LEFT LEFT "\x0b");
	expect_screen("> crea", 6);
	type("\x15");
	expect_screen("> ", 2);
}

TEST(line_editor_clears_the_screen_and_keeps_the_line)
{
	line_editor_redraw(&ed);
	type("ab" LEFT "\x0c");
	EXPECT_EQ(clears, 1);
	expect_screen("> ab", 3);
}

TEST(line_editor_drops_the_line_at_control_c)
{
	type("destroy\x03");
	expect_screen("> ", 2);
	EXPECT_STR_EQ(type("\r"), "");
	type(UP);
	expect_screen("", 0);
}

TEST(line_editor_walks_through_history_and_back_to_the_new_line)
{
	type("one\rtwo\r\rtwo\rne");
	type(UP);
	expect_screen("> two", 5);
	type(UP);
	expect_screen("> one", 5);
	type(UP);
	expect_screen("> one", 5);
	type(DOWN DOWN);
	expect_screen("> ne", 4);
	type(DOWN);
	expect_screen("> ne", 4);
	EXPECT_STR_EQ(type(UP UP "!\r"), "one!");
	type(UP UP UP);
	expect_screen("> one", 5);
}

TEST(line_editor_keeps_the_last_sixteen_lines)
{
	char line[16];

	for (int i = 0; i < 40; i++) {
		snprintf(line, sizeof(line), "l%d\r", i);
		type(line);
	}
	for (int i = 0; i < 50; i++)
		type(UP);
	expect_screen("> l24", 5);
}

TEST(line_editor_refuses_more_than_fits_with_a_bell)
{
	for (int i = 0; i < LINE_EDITOR_MAX + 5; i++)
		type("x");
	EXPECT_EQ(bells, 6);
	EXPECT_EQ(strlen(type("\r")), LINE_EDITOR_MAX - 1);
}

TEST(line_editor_ignores_keys_it_does_not_know)
{
	line_editor_redraw(&ed);
	type("ab\x1b[5~\x1b[15;2~\x1bx\x1bOP\x02\x1b[Z\xc3\xa9\x1b[200~");
	expect_screen("> ab", 3);
	EXPECT_STR_EQ(type("\x06"
			   "c\x1b\r"),
		      "abc");
}

TEST(line_editor_left_of_the_beginning_is_the_beginning)
{
	line_editor_redraw(&ed);
	type(LEFT "\x7f\x17\x15\x04\x0b" RIGHT);
	expect_screen("> ", 2);
}
