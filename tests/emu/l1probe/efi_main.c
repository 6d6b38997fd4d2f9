/* SPDX-License-Identifier: MIT */
/* Takes memory from the firmware, sends it away, and starts the tests. */
#include <efi.h>
#include <efilib.h>

#include "tests/emu/l1probe/probe.h"
#include "tests/emu/svm_insn.h"

#define LOW_LIMIT      0x9ffffULL
#define ARENA_PAGES    (ARENA_SIZE / PAGE_SIZE)
#define LEAVE_ATTEMPTS 3

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

static EFI_STATUS take_memory(void)
{
	EFI_PHYSICAL_ADDRESS arena = ARENA_BASE;
	EFI_PHYSICAL_ADDRESS low = LOW_LIMIT;
	EFI_STATUS status =
		BS->AllocatePages(AllocateAddress, EfiLoaderData, ARENA_PAGES, &arena);

	if (EFI_ERROR(status))
		return status;
	status = BS->AllocatePages(AllocateMaxAddress, EfiLoaderData, 1, &low);
	probe_low_page = low;
	return status;
}

/* The map changes under those who look at it: its key may be old at once. */
static EFI_STATUS leave_firmware(EFI_HANDLE image)
{
	EFI_STATUS status = EFI_ABORTED;

	for (unsigned i = 0; i < LEAVE_ATTEMPTS && EFI_ERROR(status); i++) {
		UINTN count, key, size;
		UINT32 version;

		(void)LibMemoryMap(&count, &key, &size, &version);
		status = BS->ExitBootServices(image, key);
	}
	return status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	EFI_STATUS status;

	InitializeLib(image, st);
	status = take_memory();
	if (EFI_ERROR(status)) {
		Print(L"l1probe: no memory where it is wanted: %r\r\n", status);
		return status;
	}
	status = leave_firmware(image);
	if (EFI_ERROR(status)) {
		Print(L"l1probe: the firmware does not go: %r\r\n", status);
		return status;
	}
	probe_main();
}
