/* SPDX-License-Identifier: MIT */
/* Results as TAP, on the console of whoever links this. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Not from tap.c: puts a character on the console. */
void tap_put_char(char c);

void tap_text(const char *s);

/* A diagnostic line: "# WHAT 0xVALUE". */
void tap_value(const char *what, uint64_t value);

/* The same for bytes. */
void tap_bytes(const char *what, const uint8_t *bytes, unsigned count);

void tap_result(const char *sentence, bool ok);

/* Prints the plan and a summary. */
void tap_end(void);

/* Is `value` what it should be? If not, a diagnostic says so. */
bool tap_equal(const char *what, uint64_t value, uint64_t wanted);
