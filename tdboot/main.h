/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* vCPU 0, on the image's stack, from entry.S. */
_Noreturn void tdboot_main(uint32_t gpaw);
