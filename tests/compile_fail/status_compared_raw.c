/* SPDX-License-Identifier: MIT */
#include "tdx/tdx_abi.h"
// reject: invalid operands
int f(tdx_status_t s);
int f(tdx_status_t s) { return s == TDX_SUCCESS; }
