/* SPDX-License-Identifier: MIT */
/* No CPU of the fuzzed machine holds translations. */
#include "vmx/ept.h"

void vmx_invept_all(void) {}
