/* SPDX-License-Identifier: MIT */
#include "boot/efi/loader.h"

#include <efi.h>
#include <efilib.h>

#include "core/addr.h"
#include "core/string.h"

/* At the start of the image, see boot/entry.asm; link addresses. */
struct image_header {
	char magic[8];
	uint64_t start, end, entry64;
};

extern const char kernel_image[], kernel_image_end[];

uint64_t loader_pages(EFI_MEMORY_TYPE type, uint64_t page_count)
{
	EFI_PHYSICAL_ADDRESS at = 0xffffffff;

	if (EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, type, page_count, &at)))
		return 0;
	return at;
}

/* Code pages: firmware may map data no-execute. Up to 2 MiB in front of the image are not used.
 */
bool loader_load_kernel(struct loaded_kernel *out)
{
	const struct image_header *h = (const void *)kernel_image;
	uint64_t file_size = (uint64_t)(kernel_image_end - kernel_image);
	uint64_t pages;

	out->size = align_up(h->end - h->start, SIZE_4K);
	if (memcmp(h->magic, "Redoubt", 8) != 0 || file_size > out->size) {
		Print(L"redoubt: the embedded kernel is broken\n");
		return false;
	}
	pages = loader_pages(EfiLoaderCode, EFI_SIZE_TO_PAGES(out->size + SIZE_2M));
	if (pages == 0) {
		Print(L"redoubt: no %lu bytes of memory below 4 GiB\n", out->size + SIZE_2M);
		return false;
	}
	out->base = align_up(pages, SIZE_2M);
	out->entry = out->base + (h->entry64 - h->start);
	memcpy((char *)out->base, kernel_image, file_size);
	memset((char *)out->base + file_size, 0, out->size - file_size);
	return true;
}
