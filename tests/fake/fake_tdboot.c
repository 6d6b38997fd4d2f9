/* SPDX-License-Identifier: MIT */
/* An image to measure, in place of the one that the kernel carries. */
#include <stdint.h>

#include "guest-abi/tdboot.h"

extern const uint8_t tdboot_image_start[TDBOOT_IMAGE_SIZE];
const uint8_t tdboot_image_start[TDBOOT_IMAGE_SIZE] = {0xf4};
