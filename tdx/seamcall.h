/* SPDX-License-Identifier: MIT */
/* Private to tdx/: nothing outside this folder issues a SEAMCALL. */
#pragma once

#include <stdint.h>

#include "core/log.h"
#include "tdx/tdx_abi.h"

/*
 * The one way to the module: seamcall.S, or a software module in hosted tests. Returns
 * RAX; *regs is what the registers hold afterwards. When the module did not run
 * (CF=1, #GP, #UD) the status is a TDX_SW_* code and *regs is unchanged.
 */
uint64_t seamcall_raw(uint64_t rax, struct seamcall_regs *regs);

/* seamcall_raw(), counted and recorded among the last calls of this CPU. */
tdx_status_t seamcall(uint64_t rax, struct seamcall_regs *regs);

/* Logs "<what>: <leaf>: <status>(<operand>) in ... out ..." of this CPU's last SEAMCALL. */
void seamcall_log_last(enum log_level level, const char *what);

/* Prints the last SEAMCALLs of each CPU, the one in flight included; for the panic screen. */
void seamcall_dump(void);
