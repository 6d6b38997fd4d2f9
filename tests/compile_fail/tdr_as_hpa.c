/* SPDX-License-Identifier: MIT */
#include "mm/phys.h"
#include "tdx/tdx_abi.h"
// reject: incompatible type
void *f(tdr_t t);
void *f(tdr_t t) { return phys_ptr(t); }
