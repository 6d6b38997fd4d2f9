/* SPDX-License-Identifier: MIT */
/*
 * Contract between the host and tdboot, the measured boot shim.
 *
 * The image is TDBOOT_IMAGE_SIZE bytes at TDBOOT_IMAGE_GPA (it ends at 4 GiB, the
 * reset vector in its last 16 bytes); the parameter page lies directly below it.
 * Both are TDH.MEM.PAGE.ADDed and TDH.MR.EXTENDed in ascending GPA order: parameter page
 * first. All other private memory is pending when the TD starts. Files lie in
 * shared memory, read-only for the TD, at the GPAs of the parameter page.
 *
 * tdboot extends RTMR[1] with the kernel's digest, then RTMR[2] with the initrd's and the
 * command line's, in this order; a file of length 0 is not extended.
 */
#pragma once

#include <stdint.h>

#define TDBOOT_IMAGE_SIZE UINT64_C(0x10000)
#define TDBOOT_IMAGE_GPA  UINT64_C(0xffff0000)
#define TDBOOT_PARAMS_GPA UINT64_C(0xfffef000)

#define TDBOOT_MAGIC   UINT64_C(0x31746f6f62647452) /* "Rtdboot1", little endian */
#define TDBOOT_VERSION 1U

/* RAM: [0, low_size) and, if any is left, [4 GiB, 4 GiB + high_size). */
#define TD_LOW_RAM_MAX   UINT64_C(0x80000000)
#define TD_HIGH_RAM_BASE UINT64_C(0x100000000)

/* Where PCI lives in every TD; shared MMIO, answered by the host. */
#define TD_PCI_MMIO_BASE UINT64_C(0xc0000000)
#define TD_PCI_MMIO_SIZE UINT64_C(0x10000000)
#define TD_PCI_ECAM_BASE UINT64_C(0xe0000000) /* bus 0 only: 1 MiB */
#define TD_PCI_ECAM_SIZE UINT64_C(0x00100000)

/* First file at this GPA (shared bit not included), each next on the following 2 MiB boundary:
 * 32 TiB, above all RAM that a TD can have. */
#define TD_FILE_WINDOW_GPA UINT64_C(0x200000000000)

enum tdboot_file_index { TDBOOT_KERNEL, TDBOOT_INITRD, TDBOOT_CMDLINE, TDBOOT_FILE_COUNT };

struct tdboot_file {
	uint64_t gpa;    /* without the shared bit; 0 if length is 0 */
	uint64_t length; /* bytes; 0 = there is no such file */
	uint8_t sha384[48];
};

struct tdboot_params {
	uint64_t magic;
	uint32_t version;
	uint32_t vcpu_count;
	uint64_t low_size;
	uint64_t high_size;
	struct tdboot_file file[TDBOOT_FILE_COUNT];
	uint8_t reserved[4096 - 32 - 3 * 64]; /* zero */
};

_Static_assert(sizeof(struct tdboot_params) == 4096, "the parameter page is one page");

/* R12 of ReportFatalError by tdboot; the text registers say the same in words. */
enum tdboot_error {
	TDBOOT_ERROR_PARAMS = 0x52440001, /* parameter page malformed */
	TDBOOT_ERROR_ACCEPT,              /* memory could not be accepted */
	TDBOOT_ERROR_LAYOUT,              /* a file does not fit the memory */
	TDBOOT_ERROR_KERNEL_DIGEST,
	TDBOOT_ERROR_INITRD_DIGEST,
	TDBOOT_ERROR_CMDLINE_DIGEST,
	TDBOOT_ERROR_KERNEL_FORMAT, /* not a bzImage with a 64-bit entry */
	TDBOOT_ERROR_RTMR,
	TDBOOT_ERROR_EXCEPTION, /* an exception in tdboot or a kernel's first steps */
};
