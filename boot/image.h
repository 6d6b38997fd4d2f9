/* SPDX-License-Identifier: MIT */
/* Symbols of linker.ld and of the assembly in boot/. */
#pragma once

#include <stdint.h>

#include "core/boot_info.h"

extern const char image_start[], image_end[];
extern const char image_text_start[], image_text_end[];
extern const char image_rodata_start[], image_rodata_end[];
extern const char image_data_start[], image_data_end[];

/* The first page tables; application processors start in them. */
extern uint64_t boot_pml4[512];

/* Continues with go(arg) on another stack; `go` does not return. */
_Noreturn void boot_switch_stack(uint64_t top, void (*go)(void *arg), void *arg);

/* From boot/entry.asm, on the boot stack. */
_Noreturn void multiboot2_main(uint32_t magic, uint32_t info);
_Noreturn void uefi_main(struct boot_info *bi);
_Noreturn void ap_main(uint32_t index);

/* Where both boot paths meet: the bring-up list. `bi` is in the direct map or the image. */
_Noreturn void hv_main(struct boot_info *bi);
