/* SPDX-License-Identifier: MIT */
/* Symbols of linker.ld and of the assembly in boot/. */
#pragma once

#include <stdint.h>

#include "core/boot_info.h"

extern const char image_start[], image_end[];
extern const char image_text_start[], image_text_end[];
extern const char image_rodata_start[], image_rodata_end[];
extern const char image_data_start[], image_data_end[];

/* Where Multiboot2 puts the image, and the first page tables expect it. */
#define IMAGE_LOAD_ADDRESS UINT64_C(0x200000)

/* The place of what the image has at `symbol`. */
static inline hpa_t image_phys(const struct boot_info *bi, const char *symbol)
{
	return hpa_add(bi->kernel_base, (uint64_t)(symbol - image_start));
}

/* Where application processors leave the trampoline, and the GDT for that. */
extern const char boot_enter32[], boot_gdt[];

/* Continues with go(arg) on another stack; `go` does not return. */
_Noreturn void boot_switch_stack(uint64_t top, void (*go)(void *arg), void *arg);

/* From boot/entry.asm, on the boot stack. */
_Noreturn void multiboot2_main(uint32_t magic, uint32_t info);
_Noreturn void uefi_main(struct boot_info *bi);
_Noreturn void ap_main(uint32_t arrival);

/* Where both boot paths meet: the bring-up list. `bi` is in the direct map or the image. */
_Noreturn void hv_main(struct boot_info *bi);
