/* SPDX-License-Identifier: MIT */
#include "boot/efi/loader.h"

#include <efi.h>
#include <efilib.h>

#include "core/addr.h"
#include "core/string.h"
#include "mgmt/config.h"

#define CONFIG_NAME "redoubt.cfg"
#define READ_CHUNK  (8U << 20) /* some firmware fails on larger reads */

struct files {
	EFI_FILE_PROTOCOL *volume;
	struct boot_info *bi;
};

/* A name of redoubt.cfg as a path from the volume's root: slashes turned, one in front. */
static void path_of(const char *name, CHAR16 *path)
{
	UINTN n = 0;

	path[n++] = L'\\';
	for (; *name != '\0' && n < BOOT_NAME_MAX; name++)
		path[n++] = *name == '/' ? L'\\' : (CHAR16)(unsigned char)*name;
	path[n] = 0;
}

static EFI_STATUS file_size(EFI_FILE_PROTOCOL *file, UINTN *size)
{
	EFI_FILE_INFO *info = LibFileInfo(file);

	if (info == NULL)
		return EFI_OUT_OF_RESOURCES;
	*size = info->FileSize;
	FreePool(info);
	return EFI_SUCCESS;
}

static EFI_STATUS read_all(EFI_FILE_PROTOCOL *file, char *to, UINTN size)
{
	while (size > 0) {
		UINTN n = size < READ_CHUNK ? size : READ_CHUNK;
		EFI_STATUS s = file->Read(file, &n, to);

		if (EFI_ERROR(s))
			return s;
		if (n == 0)
			return EFI_END_OF_FILE;
		to += n;
		size -= n;
	}
	return EFI_SUCCESS;
}

/* Anywhere in memory: only the kernel's final page tables need to reach it. */
static EFI_STATUS read_module(struct files *f, EFI_FILE_PROTOCOL *file, const char *name)
{
	EFI_PHYSICAL_ADDRESS at = 0;
	UINTN size = 0;
	UINTN pages;
	EFI_STATUS s = file_size(file, &size);

	if (EFI_ERROR(s))
		return s;
	pages = size == 0 ? 1 : EFI_SIZE_TO_PAGES(size);
	s = BS->AllocatePages(AllocateAnyPages, EfiLoaderData, pages, &at);
	if (EFI_ERROR(s))
		return s;
	s = read_all(file, (char *)at, size);
	if (EFI_ERROR(s)) {
		BS->FreePages(at, pages);
		return s;
	}
	memset((char *)at + size, 0, pages * PAGE_SIZE - size);
	if (boot_module_add(f->bi, name, hpa(at), size) != STATUS_OK)
		return EFI_OUT_OF_RESOURCES;
	return EFI_SUCCESS;
}

static void load_file(struct files *f, const char *name)
{
	EFI_FILE_PROTOCOL *file;
	CHAR16 path[BOOT_NAME_MAX + 1];
	EFI_STATUS s;

	if (name[0] == '\0' || boot_module_find(f->bi, name) != NULL)
		return;
	path_of(name, path);
	s = f->volume->Open(f->volume, &file, path, EFI_FILE_MODE_READ, 0);
	if (!EFI_ERROR(s)) {
		s = read_module(f, file, name);
		file->Close(file);
	}
	if (EFI_ERROR(s))
		Print(L"redoubt: file %s: %r\n", path, s);
}

/* Mistakes are for the kernel to report, which reads the file again. */
static void load_files_of(struct files *f, const struct boot_module *file)
{
	static struct config config;

	config_parse((const char *)file->base.raw, file->size, &config, NULL, NULL);
	for (unsigned i = 0; i < config.td_count; i++) {
		load_file(f, config.tds[i].kernel);
		load_file(f, config.tds[i].initrd);
	}
}

static EFI_FILE_PROTOCOL *open_volume(EFI_HANDLE image)
{
	EFI_GUID id = LOADED_IMAGE_PROTOCOL;
	EFI_LOADED_IMAGE *loaded = NULL;

	if (EFI_ERROR(BS->HandleProtocol(image, &id, (void **)&loaded)))
		return NULL;
	return LibOpenRoot(loaded->DeviceHandle);
}

void loader_load_files(void *image, struct boot_info *bi)
{
	struct files f = {open_volume(image), bi};
	const struct boot_module *config;

	if (f.volume == NULL) {
		Print(L"redoubt: the loader's own volume cannot be read: no files\n");
		return;
	}
	load_file(&f, CONFIG_NAME);
	config = boot_module_find(bi, CONFIG_NAME);
	if (config != NULL)
		load_files_of(&f, config);
	f.volume->Close(f.volume);
}
