/* SPDX-License-Identifier: MIT */
#include "core/addr.h"
// reject: invalid operands
bool f(hpa_t a, gpa_t b);
bool f(hpa_t a, gpa_t b) { return a == b; }
