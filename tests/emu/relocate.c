/* SPDX-License-Identifier: MIT */
#include "tests/emu/relocate.h"

#include "core/string.h"

#define R_X86_64_RELATIVE 8U

struct elf_rela {
	uint64_t offset, info;
	int64_t addend;
};

void relocate_image(const struct image *image, uint64_t to)
{
	const struct elf_rela *rela = image->rela;
	uint64_t distance = to - image->linked_at;

	if (to != image->at)
		memcpy((void *)to, (const void *)image->at, image->size);
	for (uint64_t i = 0; i < image->rela_size / sizeof(*rela); i++) {
		uint64_t *slot = (uint64_t *)(rela[i].offset + distance);

		if ((uint32_t)rela[i].info == R_X86_64_RELATIVE)
			*slot = (uint64_t)rela[i].addend + distance;
	}
}
