/* SPDX-License-Identifier: MIT */
#include "boot/efi/loader.h"

#include <efi.h>
#include <efilib.h>

#include "core/addr.h"
#include "core/string.h"

/* What is needed of ELF64; the image is our own build's, checks guard against a broken build.
 */
struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* At the start of the image; see boot/entry.asm. */
struct image_header {
	char magic[8];
	uint64_t entry64; /* link address */
};

#define SEGMENT_LOAD 1U

extern const uint8_t kernel_file[], kernel_file_end[];

static const struct elf_segment *segment(unsigned i)
{
	const struct elf_header *h = (const void *)kernel_file;

	return (const void *)(kernel_file + h->phoff + (uint64_t)i * h->phentsize);
}

/* Link addresses [*low, *high) of all that is loaded. */
static bool image_span(uint64_t *low, uint64_t *high)
{
	const struct elf_header *h = (const void *)kernel_file;
	uint64_t file_size = (uint64_t)(kernel_file_end - kernel_file);

	*low = UINT64_MAX;
	*high = 0;
	if (memcmp(h->ident, "\177ELF\2\1", 6) != 0)
		return false;
	for (unsigned i = 0; i < h->phnum; i++) {
		const struct elf_segment *s = segment(i);

		if (s->type != SEGMENT_LOAD)
			continue;
		if (s->offset > file_size || file_size - s->offset < s->filesz)
			return false;
		if (s->vaddr < *low)
			*low = s->vaddr;
		if (s->vaddr + s->memsz > *high)
			*high = s->vaddr + s->memsz;
	}
	return *low < *high && *low % SIZE_2M == 0;
}

static void copy_segments(uint64_t base, uint64_t low)
{
	const struct elf_header *h = (const void *)kernel_file;

	for (unsigned i = 0; i < h->phnum; i++) {
		const struct elf_segment *s = segment(i);
		char *to = (char *)(base + (s->vaddr - low));

		if (s->type != SEGMENT_LOAD)
			continue;
		memcpy(to, kernel_file + s->offset, s->filesz);
		memset(to + s->filesz, 0, s->memsz - s->filesz);
	}
}

uint64_t loader_pages(enum loader_use use, uint64_t page_count)
{
	EFI_MEMORY_TYPE type = use == LOADER_CODE ? EfiLoaderCode : EfiLoaderData;
	EFI_PHYSICAL_ADDRESS at = 0xffffffff;

	if (EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, type, page_count, &at)))
		return 0;
	return at;
}

/* Code pages: firmware may map data no-execute. Up to 2 MiB in front of the image are not used.
 */
bool loader_load_kernel(struct loaded_kernel *out)
{
	const struct image_header *header;
	uint64_t pages;
	uint64_t low;
	uint64_t high;

	if (!image_span(&low, &high)) {
		Print(L"redoubt: the embedded kernel is broken\n");
		return false;
	}
	out->size = align_up(high - low, SIZE_4K);
	pages = loader_pages(LOADER_CODE, EFI_SIZE_TO_PAGES(out->size + SIZE_2M));
	if (pages == 0) {
		Print(L"redoubt: no %lu bytes of memory below 4 GiB\n", out->size + SIZE_2M);
		return false;
	}
	out->base = align_up(pages, SIZE_2M);
	copy_segments(out->base, low);
	header = (const void *)out->base;
	if (memcmp(header->magic, "Redoubt", 8) != 0) {
		Print(L"redoubt: the embedded kernel lacks its header\n");
		return false;
	}
	out->entry = out->base + (header->entry64 - low);
	return true;
}
