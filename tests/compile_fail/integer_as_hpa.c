/* SPDX-License-Identifier: MIT */
#include "core/addr.h"
// reject-gcc: incompatible types
// reject-clang: incompatible result type
hpa_t f(uint64_t raw);
hpa_t f(uint64_t raw) { return raw; }
