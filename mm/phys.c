/* SPDX-License-Identifier: MIT */
#include "mm/phys.h"

uintptr_t direct_map_base = 0xffff800000000000;
