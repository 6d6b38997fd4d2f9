/* SPDX-License-Identifier: MIT */
#include "tdx/tdx_abi.h"
// reject: incompatible type
void use(tdvpr_t v);
void f(tdr_t t);
void f(tdr_t t) { use(t); }
