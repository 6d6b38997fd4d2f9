/* SPDX-License-Identifier: MIT */
#include "tests/emu/relocate.h"

#include "core/string.h"

enum {
	DT_NULL = 0,
	DT_RELA = 7,
	DT_RELASZ = 8,
	R_X86_64_RELATIVE = 8,
};

struct elf_dyn {
	uint64_t tag, value;
};

struct elf_rela {
	uint64_t offset, info;
	int64_t addend;
};

/* Linked at 0: what the linker wrote are offsets into the image. */
extern const struct elf_dyn _DYNAMIC[] __attribute__((visibility("hidden")));

void relocate_image(uint64_t from, uint64_t to, uint64_t size)
{
	const struct elf_rela *rela = NULL;
	uint64_t bytes = 0;

	for (const struct elf_dyn *d = _DYNAMIC; d->tag != DT_NULL; d++) {
		if (d->tag == DT_RELA)
			rela = (const struct elf_rela *)(from + d->value);
		if (d->tag == DT_RELASZ)
			bytes = d->value;
	}
	memcpy((void *)to, (const void *)from, size);
	for (uint64_t i = 0; i < bytes / sizeof(*rela); i++) {
		uint64_t *slot = (uint64_t *)(to + rela[i].offset);

		if ((uint32_t)rela[i].info == R_X86_64_RELATIVE)
			*slot = to + (uint64_t)rela[i].addend;
	}
}
