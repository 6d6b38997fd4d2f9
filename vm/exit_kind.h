/* SPDX-License-Identifier: MIT */
/* What exits are counted as: `exits` in the shell prints these names. */
#pragma once

/* clang-format off */
#define EXIT_KIND_LIST(X)                          \
	X(INTERRUPT, "interrupt")                  \
	X(NMI, "NMI")                              \
	X(EPT_PRIVATE, "private fault")            \
	X(EPT_SHARED, "shared fault")              \
	X(TRIPLE_FAULT, "triple fault")            \
	X(BUSY, "busy")                            \
	X(OTHER, "other")                          \
	X(CPUID, "CPUID")                          \
	X(HLT, "HLT")                              \
	X(IO, "IO")                                \
	X(RDMSR, "RDMSR")                          \
	X(WRMSR, "WRMSR")                          \
	X(MMIO, "MMIO")                            \
	X(WBINVD, "WBINVD")                        \
	X(GET_INFO, "GetTdVmCallInfo")             \
	X(MAP_GPA, "MapGPA")                       \
	X(GET_QUOTE, "GetQuote")                   \
	X(FATAL_ERROR, "ReportFatalError")         \
	X(EVENT_NOTIFY, "SetupEventNotify")        \
	X(SERVICE, "Service")                      \
	X(VENDOR, "vendor hypercall")              \
	X(UNKNOWN_CALL, "unknown TDVMCALL")
/* clang-format on */

enum exit_kind {
#define X(name, text) EXIT_KIND_##name,
	EXIT_KIND_LIST(X)
#undef X
		EXIT_KIND_COUNT,
};

const char *exit_kind_name(enum exit_kind k);
