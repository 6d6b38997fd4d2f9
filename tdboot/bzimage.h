/* SPDX-License-Identifier: MIT */
/*
 * What a bzImage file says about itself. The file is the operator's and parsed
 * only after its digest matched, yet nothing in it is taken on trust.
 */
#pragma once

#include <stdint.h>

#include "tdboot/layout.h"

struct bzimage {
	uint64_t setup_size;   /* the protected-mode part starts here in the file */
	uint64_t payload_size; /* its length */
	uint64_t load;         /* GPA it goes to: what the kernel prefers */
	uint64_t room;         /* bytes of RAM it uses from there on while it starts */
	uint64_t header_end;   /* the setup header is [LINUX_SETUP_HEADER, header_end) */
	uint64_t cmdline_max;  /* bytes without the NUL */
	uint64_t initrd_max;   /* the highest address of an initrd's last byte */
};

/* NULL and *image, or what is wrong with the file, in at most 64 characters. */
const char *bzimage_parse(const uint8_t *file, uint64_t size, struct bzimage *image);

/* NULL if kernel, initrd and command line fit the memory and each other, or what does not. */
const char *bzimage_fit_problem(const struct bzimage *image, const struct tdboot_params *params,
				const struct layout *layout);
