/* SPDX-License-Identifier: MIT */
/*
 * Fuzz targets: each file fuzz_NAME.c defines the entry point of libFuzzer and checks
 * with FUZZ_CHECK what must hold for any input. Built twice (fuzz.mk): with libFuzzer
 * for `make soak`, and with replay.c, which runs the corpus, for `make check`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Always 0: no input is uninteresting. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(x)                                                                          \
	do {                                                                                   \
		if (!(x)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                               \
		}                                                                              \
	} while (0)

/* The input as a stream of numbers; after its end they are 0. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes && in->left > 0; i++, in->left--)
		v |= (uint64_t)*in->at++ << (8 * i);
	return v;
}

/* A copy of exactly this size, so that the sanitiser sees every byte read beyond it. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + !size);

	FUZZ_CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

/* Is there a NUL in the `size` bytes at `text`? */
static inline bool fuzz_is_string(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}
