/* SPDX-License-Identifier: MIT */
/* The line editor: any keys keep cursor and line within the buffer, output is bounded. */
#include "mgmt/line_editor.h"
#include "tests/fuzz/fuzz.h"

static size_t emitted;

static void count(const char *text, size_t length)
{
	FUZZ_CHECK(memchr(text, '\0', length) == NULL);
	emitted += length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line_editor ed;

	memset(&ed, 0, sizeof(ed));
	ed.prompt = "> ";
	ed.emit = count;
	for (size_t i = 0; i < size; i++) {
		const char *line;

		emitted = 0;
		line = line_editor_feed(&ed, (char)data[i]);
		FUZZ_CHECK(emitted <= LINE_EDITOR_MAX + 32);
		FUZZ_CHECK(ed.cursor <= ed.length && ed.length < LINE_EDITOR_MAX);
		FUZZ_CHECK(ed.history_count <= LINE_EDITOR_HISTORY);
		FUZZ_CHECK(line == NULL || fuzz_is_string(line, LINE_EDITOR_MAX));
	}
	return 0;
}
