/* SPDX-License-Identifier: MIT */
/* TDCALLs and TDVMCALLs by name, as GHCI defines them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest-abi/tdcall_insn.h"

/* What a TDVMCALL brought back. */
struct vmcall_result {
	uint64_t status; /* R10 */
	uint64_t r11, r12, r13, r14, r15;
};

struct vmcall_result td_vmcall(uint64_t function, uint64_t r12, uint64_t r13, uint64_t r14,
			       uint64_t r15);

void td_io_out(uint16_t port, unsigned size, uint32_t value);
uint32_t td_io_in(uint16_t port, unsigned size);
uint64_t td_rdmsr(uint32_t msr);
void td_wrmsr(uint32_t msr, uint64_t value);

/* Repeats after RETRY; returns R10 of the last call. */
uint64_t td_map_gpa(uint64_t gpa, uint64_t size);

/* TDG.MEM.PAGE.ACCEPT of one page; RAX. Levels 0 (4K) and 1 (2M). */
uint64_t td_accept(uint64_t gpa, unsigned level);

/* Accepts [gpa, gpa + 2M), page by page if the host backs it so; false if a page refuses. */
bool td_accept_2m(uint64_t gpa);

/* ReportFatalError; does not return. */
_Noreturn void td_fatal(const char *text);
