/* SPDX-License-Identifier: MIT */
/*
 * One edited line on a serial terminal: bytes in, echo out. Pure: it knows neither
 * UART nor commands. Keys: arrows, Home, End, Delete, Backspace, Ctrl-A B D E F K L N P U W,
 * and Ctrl-C, which drops the line. Enter is CR, LF or CR LF.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LINE_EDITOR_MAX     256 /* bytes of a line with its NUL; more is refused with a bell */
#define LINE_EDITOR_HISTORY 16

enum line_escape { ESCAPE_NONE, ESCAPE_START, ESCAPE_CSI };

struct line_editor {
	/* Set by the owner; the rest starts as zero. */
	const char *prompt;
	void (*emit)(const char *text, size_t length);

	char line[LINE_EDITOR_MAX];
	size_t length, cursor;
	char history[LINE_EDITOR_HISTORY][LINE_EDITOR_MAX]; /* newest first */
	unsigned history_count;
	unsigned browsed;           /* 0: the new line, n: history[n-1] */
	char kept[LINE_EDITOR_MAX]; /* the new line while history is browsed */
	enum line_escape escape;
	unsigned number; /* of the escape sequence */
	bool had_cr;
};

/*
 * Takes one byte. At Enter it returns the line, which stays valid until the next call and
 * may be written to by the caller; otherwise NULL. The line is in the history unless empty.
 */
char *line_editor_feed(struct line_editor *ed, char byte);

/* Prints prompt and line and places the cursor: at a new prompt, or after somebody else wrote.
 */
void line_editor_redraw(struct line_editor *ed);
