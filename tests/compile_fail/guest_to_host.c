/* SPDX-License-Identifier: MIT */
#include "core/compiler.h"
// reject-clang: noderef
int *f(int GUEST_PTR *p);
int *f(int GUEST_PTR *p) { return p; }
