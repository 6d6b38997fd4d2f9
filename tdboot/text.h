/* SPDX-License-Identifier: MIT */
/* Words for ReportFatalError. */
#pragma once

#include <stdint.h>

#include "tdboot/exception.h"

#define FATAL_TEXT_MAX   64
#define FATAL_TEXT_SIZE  (FATAL_TEXT_MAX + 1)
#define FATAL_WORD_COUNT 8

/* Packs at most 64 characters into the registers that GHCI 3.4 names, in its order, zero
 * padded. */
void text_pack(const char *s, uint64_t words[FATAL_WORD_COUNT]);

#define VECTOR_PAGE_FAULT     14
#define VECTOR_VIRTUALIZATION 20

/* `address` is CR2, or the GPA of a #VE; `ve_reason` counts only for that. */
void text_exception(char text[FATAL_TEXT_SIZE], const struct exception_frame *frame,
		    uint64_t address, uint64_t ve_reason);
