/* SPDX-License-Identifier: MIT */
/*
 * The UEFI form: gathers what the resident core needs, copies it to reserved
 * memory, lets it put this very context into a guest, and then, as L1, starts
 * \redoubt.efi from the same volume.
 */
#include <efi.h>
#include <efilib.h>

#include "core/string.h"
#include "tests/emu/boot_args.h"
#include "tests/emu/l1.h"
#include "tests/emu/relocate.h"

#define PAGES(bytes) (((bytes) + 4095) / 4096)
#define CARVE_LIMIT  0xffffffffULL
#define LOW_LIMIT    0x9ffffULL

typedef void (*core_start_fn)(const struct boot_args *args, const struct l1_start *start);

void efi_enter_core(core_start_fn enter, const struct boot_args *args, struct l1_start *start)
	__attribute__((visibility("hidden")));

enum {
	DT_NULL = 0,
	DT_RELA = 7,
	DT_RELASZ = 8,
};

struct elf_dyn {
	uint64_t tag, value;
};

extern const struct elf_dyn _DYNAMIC[] __attribute__((visibility("hidden")));
extern char ImageBase[] __attribute__((visibility("hidden")));

static struct boot_args args;
static struct l1_start start;

static BOOLEAN is_dram(UINT32 type)
{
	switch (type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiRuntimeServicesCode:
	case EfiRuntimeServicesData:
	case EfiConventionalMemory:
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return TRUE;
	default:
		return FALSE;
	}
}

/* Adds a range in ascending order, joined with its neighbours. */
static void add_ram(uint64_t base, uint64_t size)
{
	unsigned at = args.ram_count;

	if (at > 0 && args.ram[at - 1].base + args.ram[at - 1].size == base) {
		args.ram[at - 1].size += size;
		return;
	}
	if (at < EMU_MAX_RAM) {
		args.ram[at] = (struct tdx_range){.base = base, .size = size};
		args.ram_count++;
	}
}

/* The map comes in any order: the lowest descriptor above `from` next. */
static const EFI_MEMORY_DESCRIPTOR *next_above(const UINT8 *map, UINTN count, UINTN size,
					       UINT64 from)
{
	const EFI_MEMORY_DESCRIPTOR *best = NULL;

	for (UINTN i = 0; i < count; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = (const void *)(map + i * size);

		if (d->PhysicalStart < from || d->NumberOfPages == 0)
			continue;
		if (best == NULL || d->PhysicalStart < best->PhysicalStart)
			best = d;
	}
	return best;
}

/* Call before anything is reserved for us: reserved memory does not count as RAM. */
static void read_memory_map(void)
{
	UINTN count, key, size;
	UINT32 version;
	UINT8 *map = (UINT8 *)LibMemoryMap(&count, &key, &size, &version);
	const EFI_MEMORY_DESCRIPTOR *d = next_above(map, count, size, 0);

	while (d != NULL) {
		UINT64 end = d->PhysicalStart + d->NumberOfPages * 4096;

		if (is_dram(d->Type))
			add_ram(d->PhysicalStart, end - d->PhysicalStart);
		d = next_above(map, count, size, end);
	}
	FreePool(map);
}

static UINT64 reserve(UINT64 limit, UINTN pages, EFI_MEMORY_TYPE type)
{
	EFI_PHYSICAL_ADDRESS at = limit;

	if (EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, type, pages, &at)))
		return 0;
	return at;
}

/* 32 MiB aligned to 32 MiB: take twice as much and give the ends back. */
static UINT64 reserve_carve(void)
{
	UINT64 at = reserve(CARVE_LIMIT, PAGES(2 * EMU_CARVE_SIZE), EfiReservedMemoryType);
	UINT64 base = (at + EMU_CARVE_SIZE - 1) & ~(EMU_CARVE_SIZE - 1);
	UINT64 end = base + EMU_CARVE_SIZE;

	if (at == 0)
		return 0;
	if (base > at)
		BS->FreePages(at, PAGES(base - at));
	if (at + 2 * EMU_CARVE_SIZE > end)
		BS->FreePages(end, PAGES(at + 2 * EMU_CARVE_SIZE - end));
	return base;
}

static uint64_t find_rsdp(EFI_SYSTEM_TABLE *st)
{
	static EFI_GUID acpi20 = ACPI_20_TABLE_GUID;

	for (UINTN i = 0; i < st->NumberOfTableEntries; i++) {
		if (CompareGuid(&st->ConfigurationTable[i].VendorGuid, &acpi20) == 0)
			return (uint64_t)st->ConfigurationTable[i].VendorTable;
	}
	return 0;
}

/* The linker's own table; the image is linked at 0. */
static void find_relocations(struct image *image)
{
	for (const struct elf_dyn *d = _DYNAMIC; d->tag != DT_NULL; d++) {
		if (d->tag == DT_RELA)
			image->rela = (const void *)(image->at + d->value);
		if (d->tag == DT_RELASZ)
			image->rela_size = d->value;
	}
}

static void read_options(EFI_FILE_HANDLE root)
{
	static CHAR16 name[] = L"\\EFI\\BOOT\\tdxemu.cfg";
	static CHAR16 name_at_root[] = L"\\tdxemu.cfg";
	UINTN size = EMU_OPTIONS_MAX - 1;
	EFI_FILE_HANDLE file;

	if (EFI_ERROR(root->Open(root, &file, name, EFI_FILE_MODE_READ, 0)) &&
	    EFI_ERROR(root->Open(root, &file, name_at_root, EFI_FILE_MODE_READ, 0)))
		return;
	file->Read(file, &size, args.options);
	file->Close(file);
}

static EFI_STATUS start_l1(EFI_HANDLE image, EFI_HANDLE device)
{
	static CHAR16 name[] = L"\\redoubt.efi";
	EFI_HANDLE child;
	EFI_STATUS status =
		BS->LoadImage(FALSE, image, FileDevicePath(device, name), NULL, 0, &child);

	if (EFI_ERROR(status)) {
		Print(L"tdxemu: cannot load %s: %r\r\n", name, status);
		return status;
	}
	return BS->StartImage(child, NULL, NULL);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	EFI_LOADED_IMAGE *self;
	EFI_FILE_HANDLE root;
	struct image self_image;
	uint64_t original = (uint64_t)ImageBase;
	uint64_t core;

	InitializeLib(image, st);
	BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&self);
	root = LibOpenRoot(self->DeviceHandle);
	if (root != NULL)
		read_options(root);
	read_memory_map();
	args.rsdp = find_rsdp(st);
	args.image_size = (self->ImageSize + 4095) & ~4095ULL;
	self_image = (struct image){.at = original, .size = args.image_size};
	find_relocations(&self_image);
	args.trampoline = reserve(LOW_LIMIT, 1, EfiBootServicesData);
	args.carve_base = reserve_carve();
	if (args.carve_base == 0 || args.trampoline == 0) {
		Print(L"tdxemu: no 32 MiB of memory below 4 GiB\r\n");
		return EFI_OUT_OF_RESOURCES;
	}
	relocate_image(&self_image, args.carve_base);
	core = (uint64_t)core_start - original + args.carve_base;
	efi_enter_core((core_start_fn)core, &args, &start);
	return start_l1(image, self->DeviceHandle);
}
