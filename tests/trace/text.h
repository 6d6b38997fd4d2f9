/* SPDX-License-Identifier: MIT */
/* The text of a trace: a file as lines, a line as words with an arrow in between. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data;
	char **line;
	size_t count;
};

#define LINE_WORDS 80

/* One line, taken apart. Words after " -> " are results. */
struct line {
	char *buffer;
	char *word[LINE_WORDS];
	unsigned count;
	unsigned arrow; /* index of the first word after "->"; count if there is none */
	const char *comment;
};

enum side {
	INPUT,
	RESULT,
};

/* Reads a whole file; false (and nothing to free) when it cannot be read. */
bool text_read(struct text *text, const char *path);
void text_free(struct text *text);

void line_parse(struct line *line, const char *source);
void line_free(struct line *line);
bool line_is(const struct line *line, const char *first_word);
/* Value text of `key=` on one side, or NULL. */
const char *line_text(const struct line *line, enum side side, const char *key);
/* Its number; `missing` if the key is absent. */
uint64_t line_number(const struct line *line, const char *key, uint64_t missing);
/* Decimal, or hexadecimal with 0x; -1 is all ones. */
uint64_t parse_number(const char *text);
/* General register of a `reg=` word, or -1. RSP has none in a trace. */
int parse_register(const char *word);
/* Two hex digits at `hex`; -1 for "..". */
int parse_byte(const char *hex);
