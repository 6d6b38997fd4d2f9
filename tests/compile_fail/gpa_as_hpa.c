/* SPDX-License-Identifier: MIT */
#include "core/addr.h"
// reject: incompatible type
hpa_t f(gpa_t g);
hpa_t f(gpa_t g) { return hpa_add(g, 8); }
