/* SPDX-License-Identifier: MIT */
/* VMX operation of this CPU: the precondition of SEAMCALL and of plain VMX guests. */
#pragma once

#include <stdint.h>

#include "core/addr.h"
#include "core/status.h"

#define FEATURE_CONTROL_LOCK       (UINT64_C(1) << 0)
#define FEATURE_CONTROL_VMX_NO_SMX (UINT64_C(1) << 2)
#define MSR_VMX_BASIC              0x480U

/*
 * Enters VMX operation with `region`, a 4K frame that stays this CPU's until
 * vmx_off_this_cpu(). Locks FEATURE_CONTROL with VMX enabled if the firmware left it
 * open. STATUS_UNSUPPORTED: no VMX, or locked without it. STATUS_HW_FAULT: VMXON failed.
 * In VMX operation already: STATUS_OK, nothing changes.
 */
MUST_CHECK enum status vmx_on_this_cpu(hpa_t region);

/* Leaves VMX operation if this CPU is in it. Never while a TDX module is in use. */
void vmx_off_this_cpu(void);
