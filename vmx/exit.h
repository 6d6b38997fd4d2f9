/* SPDX-License-Identifier: MIT */
/* VMX basic exit reasons (SDM vol. 3, appendix C); TDX reuses them for TD exits and TDVMCALLs.
 */
#pragma once

enum vmx_exit_reason {
	EXIT_EXCEPTION_NMI = 0,
	EXIT_EXTERNAL_INTERRUPT = 1,
	EXIT_TRIPLE_FAULT = 2,
	EXIT_INIT = 3,
	EXIT_OTHER_SMI = 6,
	EXIT_TASK_SWITCH = 9,
	EXIT_CPUID = 10,
	EXIT_HLT = 12,
	EXIT_VMCALL = 18,
	EXIT_IO = 30,
	EXIT_RDMSR = 31,
	EXIT_WRMSR = 32,
	EXIT_EPT_VIOLATION = 48,
	EXIT_EPT_MISCONFIG = 49,
	EXIT_WBINVD = 54,
	EXIT_BUS_LOCK = 74,
	EXIT_NOTIFY = 75,
	EXIT_TDCALL = 77,
};
