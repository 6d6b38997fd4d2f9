/* SPDX-License-Identifier: MIT */
#include "tdboot/text.h"

static void add_char(struct text *t, char c)
{
	if (t->length < FATAL_TEXT_MAX)
		t->chars[t->length++] = c;
}

void text_add(struct text *t, const char *s)
{
	while (*s != '\0')
		add_char(t, *s++);
}

static void add_number(struct text *t, uint64_t value, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (n > 0)
		add_char(t, digits[--n]);
}

void text_add_hex(struct text *t, uint64_t value)
{
	text_add(t, "0x");
	add_number(t, value, 16);
}

void text_add_decimal(struct text *t, uint64_t value) { add_number(t, value, 10); }

void text_pack(const char *s, uint64_t words[FATAL_WORD_COUNT])
{
	for (unsigned i = 0; i < FATAL_WORD_COUNT; i++)
		words[i] = 0;
	for (unsigned i = 0; i < FATAL_TEXT_MAX && s[i] != '\0'; i++)
		words[i / 8] |= (uint64_t)(uint8_t)s[i] << (8 * (i % 8));
}

void text_exception(struct text *t, const struct exception *e)
{
	if (e->vector == VECTOR_VIRTUALIZATION) {
		text_add(t, "tdboot: #VE reason ");
		text_add_decimal(t, e->ve_reason);
	} else {
		text_add(t, "tdboot: exception ");
		text_add_decimal(t, e->vector);
		text_add(t, " err ");
		text_add_hex(t, e->error);
	}
	text_add(t, " rip ");
	text_add_hex(t, e->rip);
	if (e->vector == VECTOR_VIRTUALIZATION || e->vector == VECTOR_PAGE_FAULT) {
		text_add(t, " at ");
		text_add_hex(t, e->address);
	}
}
