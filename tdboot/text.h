/* SPDX-License-Identifier: MIT */
/* Words for ReportFatalError: short, fixed buffers, no format strings. */
#pragma once

#include <stdint.h>

#define FATAL_TEXT_MAX   64
#define FATAL_WORD_COUNT 8

/* A text under construction; what does not fit is cut. Start from all zero. */
struct text {
	char chars[FATAL_TEXT_MAX + 1];
	unsigned length;
};

void text_add(struct text *t, const char *s);
void text_add_hex(struct text *t, uint64_t value);
void text_add_decimal(struct text *t, uint64_t value);

/* Packs at most 64 characters into the registers that GHCI 3.4 names, in its order, zero
 * padded. */
void text_pack(const char *s, uint64_t words[FATAL_WORD_COUNT]);

/* What an exception left behind; ve_* count only for vector 20. */
struct exception {
	uint64_t vector, error, rip;
	uint64_t address; /* CR2, or the GPA of a #VE */
	uint64_t ve_reason;
};

#define VECTOR_PAGE_FAULT     14
#define VECTOR_VIRTUALIZATION 20

void text_exception(struct text *t, const struct exception *e);
