/* SPDX-License-Identifier: MIT */
/*
 * MRTD, predicted (TDX module ABI: TDH.MEM.PAGE.ADD, TDH.MR.EXTEND), and the measured image of
 * a direct-boot TD. Pure: the hypervisor, the host tool and the tests compile the same file.
 */
#pragma once

#include <stdint.h>

#include "core/addr.h"
#include "guest-abi/tdboot.h"
#include "sha384/sha384.h"

/* A file as the parameter page binds it; length 0 = there is none. */
struct launch_file {
	uint64_t length;
	uint8_t sha384[SHA384_DIGEST_SIZE];
};

/*
 * The parameter page of a TD of `memory` bytes RAM (2M multiple) with these files, placed
 * from TD_FILE_WINDOW_GPA up in the order of enum tdboot_file_index.
 */
void launch_params_build(struct tdboot_params *out, uint32_t vcpus, uint64_t memory,
			 const struct launch_file files[TDBOOT_FILE_COUNT]);

/* Measured pages in their order: the parameter page, then the image ascending. */
#define LAUNCH_PAGE_COUNT (1U + (unsigned)(TDBOOT_IMAGE_SIZE / PAGE_SIZE))

/* Page `i` of them: where it goes and its 4096 bytes. `image` is TDBOOT_IMAGE_SIZE bytes. */
gpa_t launch_page(const struct tdboot_params *params, const uint8_t *image, unsigned i,
		  const void **content);

/* MRTD of the whole. */
void launch_mrtd(const struct tdboot_params *params, const uint8_t *image,
		 uint8_t digest[SHA384_DIGEST_SIZE]);
