/* SPDX-License-Identifier: MIT */
/* redoubt.efi: loads the kernel and the files, leaves boot services, starts the kernel. */
#include <efi.h>
#include <efilib.h>

#include "boot/efi/loader.h"
#include "boot/efi/memory_map.h"
#include "core/addr.h"
#include "core/string.h"

/* The map may grow with each of its own allocations. */
#define MAP_SLACK    4096U
#define EXIT_RETRIES 4

struct memory_map {
	void *at;
	UINTN capacity, size, key, stride;
};

typedef void (*kernel_entry_fn)(uint64_t boot_info) __attribute__((noreturn));

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static hpa_t find_rsdp(void)
{
	EFI_GUID acpi2 = ACPI_20_TABLE_GUID;
	EFI_GUID acpi1 = ACPI_TABLE_GUID;
	void *rsdp = NULL;

	if (EFI_ERROR(LibGetSystemConfigurationTable(&acpi2, &rsdp)) &&
	    EFI_ERROR(LibGetSystemConfigurationTable(&acpi1, &rsdp)))
		return hpa(0);
	return hpa((uint64_t)rsdp);
}

static struct boot_info *create_boot_info(void)
{
	UINTN pages = EFI_SIZE_TO_PAGES(sizeof(struct boot_info));
	struct boot_info *bi = (void *)loader_pages(EfiLoaderData, pages);

	if (bi == NULL)
		return NULL;
	memset(bi, 0, sizeof(*bi));
	bi->magic = BOOT_INFO_MAGIC;
	(void)string_copy(bi->boot_path, sizeof(bi->boot_path), "uefi");
	bi->rsdp = find_rsdp();
	return bi;
}

static EFI_STATUS read_memory_map(struct memory_map *m)
{
	UINT32 version;

	m->size = m->capacity;
	return BS->GetMemoryMap(&m->size, m->at, &m->key, &m->stride, &version);
}

static EFI_STATUS create_memory_map(struct memory_map *m)
{
	EFI_STATUS s;

	*m = (struct memory_map){NULL, 0, 0, 0, 0};
	s = read_memory_map(m);
	if (s != EFI_BUFFER_TOO_SMALL)
		return EFI_LOAD_ERROR;
	m->capacity = m->size + MAP_SLACK;
	m->at = AllocatePool(m->capacity);
	return m->at == NULL ? EFI_OUT_OF_RESOURCES : EFI_SUCCESS;
}

/* A first ExitBootServices may change the map by its own notifications and fail once. */
static EFI_STATUS exit_boot_services(EFI_HANDLE image, struct memory_map *m)
{
	EFI_STATUS s = EFI_LOAD_ERROR;

	for (int i = 0; i < EXIT_RETRIES; i++) {
		s = read_memory_map(m);
		if (!EFI_ERROR(s))
			s = BS->ExitBootServices(image, m->key);
		if (!EFI_ERROR(s))
			return s;
	}
	return s;
}

/* After ExitBootServices nothing can be printed; an error leaves a map the kernel refuses. */
static void describe_memory(struct boot_info *bi, const struct memory_map *m,
			    const struct loaded_kernel *kernel)
{
	enum status s = memory_map_convert(m->at, m->size, m->stride, bi);

	if (s == STATUS_OK)
		s = boot_range_set(bi, hpa(kernel->base), kernel->size, BOOT_MEM_KERNEL);
	if (s == STATUS_OK)
		s = boot_range_set(bi, hpa((uint64_t)bi), align_up(sizeof(*bi), PAGE_SIZE),
				   BOOT_MEM_KERNEL);
	if (s == STATUS_OK)
		s = boot_modules_keep(bi);
	if (s != STATUS_OK)
		bi->magic = 0;
}

static EFI_STATUS fail(const CHAR16 *what, EFI_STATUS s)
{
	Print(L"redoubt: %s: %r\n", what, s);
	return s;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	struct loaded_kernel kernel;
	struct memory_map map;
	struct boot_info *bi;
	EFI_STATUS s;

	InitializeLib(image, table);
	Print(L"redoubt: loading\n");
	bi = create_boot_info();
	if (bi == NULL)
		return fail(L"no memory below 4 GiB", EFI_OUT_OF_RESOURCES);
	if (!loader_load_kernel(&kernel))
		return EFI_LOAD_ERROR;
	bi->kernel_base = hpa(kernel.base);
	loader_load_files(image, bi);
	s = create_memory_map(&map);
	if (EFI_ERROR(s))
		return fail(L"memory map", s);
	s = exit_boot_services(image, &map);
	if (EFI_ERROR(s))
		return fail(L"ExitBootServices", s);
	describe_memory(bi, &map, &kernel);
	((kernel_entry_fn)kernel.entry)((uint64_t)bi);
}
