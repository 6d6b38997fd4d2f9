/* SPDX-License-Identifier: MIT */
#include "tests/emu/options.h"

#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/emu.h"

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

static const char *parse_number(const char *s, uint64_t *value)
{
	unsigned base = 10;

	*value = 0;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	for (; digit_of(*s) < base; s++)
		*value = *value * base + digit_of(*s);
	return s;
}

static bool parse_flip(const char *s)
{
	uint64_t bit;

	s = parse_number(s, &emu.flip_gpa);
	if (*s != ':')
		return false;
	s = parse_number(s + 1, &bit);
	emu.has_flip = true;
	emu.flip_bit = (unsigned)bit;
	return *s == '\0' && bit < 8 * 4096UL;
}

static bool parse_keyids(const char *s)
{
	uint64_t count;

	s = parse_number(s, &count);
	emu.private_keyids = (unsigned)count;
	return *s == '\0' && count >= 1 && count <= EMU_PRIVATE_KEYIDS;
}

static bool parse_word(const char *word)
{
	static const char flip[] = "flip-shared=";
	static const char keyids[] = "keyids=";

	if (strncmp(word, flip, sizeof(flip) - 1) == 0)
		return parse_flip(word + sizeof(flip) - 1);
	if (strncmp(word, keyids, sizeof(keyids) - 1) == 0)
		return parse_keyids(word + sizeof(keyids) - 1);
	if (strcmp(word, "seamrr=off") == 0) {
		emu.seamrr_disabled = true;
		return true;
	}
	if (strcmp(word, "module=none") == 0) {
		emu.has_no_module = true;
		return true;
	}
	return false;
}

static char *skip_separator(char *s)
{
	while (*s == '#' || is_blank(*s)) {
		if (*s == '#') {
			while (*s != '\0' && *s != '\n')
				s++;
		} else {
			s++;
		}
	}
	return s;
}

void options_parse(void)
{
	char *s = skip_separator(emu.args.options);

	emu.private_keyids = EMU_PRIVATE_KEYIDS;
	while (*s != '\0') {
		char *word = s;

		while (*s != '\0' && !is_blank(*s))
			s++;
		if (*s != '\0')
			*s++ = '\0';
		if (!parse_word(word))
			emu_die(EMU_EXIT_REFUSED,
				"option '%s' is not known, or its value is not possible", word);
		s = skip_separator(s);
	}
}
