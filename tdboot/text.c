/* SPDX-License-Identifier: MIT */
#include "tdboot/text.h"

#include "core/format.h"

void text_pack(const char *s, uint64_t words[FATAL_WORD_COUNT])
{
	for (unsigned i = 0; i < FATAL_WORD_COUNT; i++)
		words[i] = 0;
	for (unsigned i = 0; i < FATAL_TEXT_MAX && s[i] != '\0'; i++)
		words[i / 8] |= (uint64_t)(uint8_t)s[i] << (8 * (i % 8));
}

void text_exception(char text[FATAL_TEXT_SIZE], const struct exception_frame *frame,
		    uint64_t address, uint64_t ve_reason)
{
	char at[32] = "";

	if (frame->vector == VECTOR_VIRTUALIZATION || frame->vector == VECTOR_PAGE_FAULT)
		format(at, sizeof(at), " at 0x%lx", address);
	if (frame->vector == VECTOR_VIRTUALIZATION)
		format(text, FATAL_TEXT_SIZE, "tdboot: #VE reason %lu rip 0x%lx%s", ve_reason,
		       frame->rip, at);
	else
		format(text, FATAL_TEXT_SIZE, "tdboot: exception %lu err 0x%lx rip 0x%lx%s",
		       frame->vector, frame->error, frame->rip, at);
}
