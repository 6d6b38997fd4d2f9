/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

struct image {
	uint64_t at, size;
	uint64_t linked_at;
	const void *rela; /* its relative relocations, as linked */
	uint64_t rela_size;
};

/*
 * Copies the image to `to` and adapts its absolute addresses: the copy must work
 * where it is, the original goes away. `to` may be image->at.
 */
void relocate_image(const struct image *image, uint64_t to);
