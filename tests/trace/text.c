/* SPDX-License-Identifier: MIT */
#include "tests/trace/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/tdx_model.h"

static void split_lines(struct text *text, size_t size)
{
	size_t capacity = 1;

	for (size_t i = 0; i < size; i++)
		capacity += text->data[i] == '\n';
	text->line = calloc(capacity, sizeof(text->line[0]));
	for (char *at = text->data; *at != '\0' && text->line;) {
		char *end = strchr(at, '\n');

		text->line[text->count++] = at;
		if (!end)
			break;
		*end = '\0';
		at = end + 1;
	}
}

bool text_read(struct text *text, const char *path)
{
	FILE *file = fopen(path, "rb");
	long size = -1;

	*text = (struct text){0};
	if (!file)
		return false;
	if (fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	rewind(file);
	text->data = size >= 0 ? calloc((size_t)size + 1, 1) : NULL;
	if (text->data && fread(text->data, 1, (size_t)size, file) == (size_t)size)
		split_lines(text, (size_t)size);
	fclose(file);
	if (!text->line) {
		free(text->data);
		return false;
	}
	return true;
}

void text_free(struct text *text)
{
	free(text->line);
	free(text->data);
	*text = (struct text){0};
}

void line_parse(struct line *line, const char *source)
{
	const char *comment = strstr(source, " # ");
	char *save = NULL;

	*line = (struct line){.comment = comment ? comment + 3 : ""};
	line->buffer = comment ? strndup(source, (size_t)(comment - source)) : strdup(source);
	line->arrow = LINE_WORDS;
	for (char *word = strtok_r(line->buffer, " ", &save); word && line->count < LINE_WORDS;
	     word = strtok_r(NULL, " ", &save)) {
		if (strcmp(word, "->") == 0)
			line->arrow = line->count;
		else
			line->word[line->count++] = word;
	}
	if (line->arrow > line->count)
		line->arrow = line->count;
}

void line_free(struct line *line)
{
	free(line->buffer);
	*line = (struct line){0};
}

bool line_is(const struct line *line, const char *first_word)
{
	return line->count > 0 && strcmp(line->word[0], first_word) == 0;
}

const char *line_text(const struct line *line, enum side side, const char *key)
{
	unsigned from = side == INPUT ? 0 : line->arrow;
	unsigned to = side == INPUT ? line->arrow : line->count;
	size_t length = strlen(key);

	for (unsigned i = from; i < to; i++)
		if (strncmp(line->word[i], key, length) == 0 && line->word[i][length] == '=')
			return line->word[i] + length + 1;
	return NULL;
}

uint64_t line_number(const struct line *line, const char *key, uint64_t missing)
{
	const char *text = line_text(line, INPUT, key);

	return text ? parse_number(text) : missing;
}

uint64_t parse_number(const char *text)
{
	if (text[0] == '-')
		return -strtoull(text + 1, NULL, 10);
	if (text[0] == '0' && text[1] == 'x')
		return strtoull(text + 2, NULL, 16);
	return strtoull(text, NULL, 10);
}

int parse_register(const char *word)
{
	static const char name[TDX_GPR_COUNT][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						    "rsi", "rdi", "r8",  "r9",  "r10", "r11",
						    "r12", "r13", "r14", "r15"};

	for (int i = 0; i < TDX_GPR_COUNT; i++) {
		size_t length = strlen(name[i]);

		if (strncmp(word, name[i], length) == 0 && word[length] == '=')
			return i;
	}
	return -1;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int parse_byte(const char *hex)
{
	int high = digit(hex[0]);
	int low = high < 0 ? -1 : digit(hex[1]);

	return low < 0 ? -1 : high * 16 + low;
}
