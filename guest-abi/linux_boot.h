/* SPDX-License-Identifier: MIT */
/*
 * The x86 Linux boot protocol: offsets in a bzImage file and, the same up to the
 * end of the setup header, in boot_params (Documentation/arch/x86/{boot,zero-page}.rst).
 * Little endian, unaligned.
 */
#pragma once

#define BOOT_PARAMS_SIZE 4096

/* The setup header, copied from the file to boot_params. */
#define LINUX_SETUP_HEADER       0x1f1
#define LINUX_SETUP_SECTS        0x1f1 /* u8; 0 means 4 */
#define LINUX_SYSSIZE            0x1f4 /* u32, 16-byte units of what follows the setup sectors */
#define LINUX_BOOT_FLAG          0x1fe /* u16 */
#define LINUX_JUMP               0x200 /* u8 opcode, u8 distance: the header ends there */
#define LINUX_MAGIC              0x202 /* u32 */
#define LINUX_VERSION            0x206 /* u16 */
#define LINUX_TYPE_OF_LOADER     0x210 /* u8 */
#define LINUX_LOADFLAGS          0x211 /* u8 */
#define LINUX_RAMDISK_IMAGE      0x218 /* u32 */
#define LINUX_RAMDISK_SIZE       0x21c /* u32 */
#define LINUX_CMD_LINE_PTR       0x228 /* u32 */
#define LINUX_INITRD_ADDR_MAX    0x22c /* u32, the highest address an initrd may touch */
#define LINUX_KERNEL_ALIGNMENT   0x230 /* u32 */
#define LINUX_RELOCATABLE        0x234 /* u8 */
#define LINUX_XLOADFLAGS         0x236 /* u16 */
#define LINUX_CMDLINE_SIZE       0x238 /* u32, without the terminator */
#define LINUX_PREF_ADDRESS       0x258 /* u64 */
#define LINUX_INIT_SIZE          0x260 /* u32 */
#define LINUX_SETUP_HEADER_LIMIT 0x290 /* boot_params has other fields from here */

#define LINUX_BOOT_FLAG_VALUE  0xaa55U
#define LINUX_MAGIC_VALUE      0x53726448U /* "HdrS" */
#define LINUX_VERSION_MIN      0x020cU     /* the first with xloadflags */
#define LINUX_XLF_KERNEL_64    0x0001U
#define LINUX_LOADED_HIGH      0x01U
#define LINUX_LOADER_UNDEFINED 0xffU

/* Where 64-bit code starts behind the load address. */
#define LINUX_ENTRY_64 0x200

/* boot_params only. */
#define BOOT_PARAMS_ACPI_RSDP    0x070 /* u64 */
#define BOOT_PARAMS_E820_ENTRIES 0x1e8 /* u8 */
#define BOOT_PARAMS_E820_TABLE   0x2d0 /* entries of u64 address, u64 size, u32 type */
#define E820_ENTRY_SIZE          20

enum e820_type { E820_RAM = 1, E820_RESERVED, E820_ACPI, E820_NVS };
