/* SPDX-License-Identifier: MIT */
/* Guest-Host Communication Interface: TDG.VP.VMCALL numbers and results. */
#pragma once

#include <stdint.h>

/* TDCALL leaves that guest code of this project uses (RAX). */
#define TDG_VP_VMCALL       0
#define TDG_VP_INFO         1
#define TDG_MR_RTMR_EXTEND  2
#define TDG_VP_VEINFO_GET   3
#define TDG_MR_REPORT       4
#define TDG_MEM_PAGE_ACCEPT 6
#define TDG_VM_RD           7
#define TDG_VM_WR           8

/* R11 when R10 = 0: a VMX exit reason (vmx/exit.h) or one of these. */
#define TDVMCALL_GET_TD_VM_CALL_INFO UINT64_C(0x10000)
#define TDVMCALL_MAP_GPA             UINT64_C(0x10001)
#define TDVMCALL_GET_QUOTE           UINT64_C(0x10002)
#define TDVMCALL_REPORT_FATAL_ERROR  UINT64_C(0x10003)
#define TDVMCALL_SETUP_EVENT_NOTIFY  UINT64_C(0x10004)
#define TDVMCALL_SERVICE             UINT64_C(0x10005)

/* R10 on return. */
#define TDVMCALL_SUCCESS             UINT64_C(0)
#define TDVMCALL_RETRY               UINT64_C(1)
#define TDVMCALL_INVALID_OPERAND     UINT64_C(0x8000000000000000)
#define TDVMCALL_ALIGN_ERROR         UINT64_C(0x8000000000000002)
#define TDVMCALL_SUBFUNC_UNSUPPORTED UINT64_C(0x8000000000000003)

/* GPA width of every TD of this project: 48, so the shared bit is bit 47. */
#define TD_GPAW       48
#define TD_SHARED_BIT (UINT64_C(1) << (TD_GPAW - 1))

/* GetQuote: what the shared buffer starts with; TDREPORT in, quote out follow. */
struct ghci_quote_header {
	uint64_t version;
	uint64_t status;
	uint32_t in_length;
	uint32_t out_length;
};

#define GHCI_QUOTE_VERSION     UINT64_C(1)
#define GHCI_QUOTE_UNAVAILABLE UINT64_C(0x8000000000000001)
