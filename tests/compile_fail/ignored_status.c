/* SPDX-License-Identifier: MIT */
#include "mm/frame.h"
// reject-gcc: warn_unused_result
// reject-clang: unused-result
void f(hpa_t *out);
void f(hpa_t *out) { frame_alloc(LEVEL_4K, FRAME_HOST, out); }
