/* SPDX-License-Identifier: MIT */
/* Between the files that handle what a guest does. */
#pragma once

#include "tests/model/model.h"

/* Basic exit reasons (SDM vol. 3, appendix C). */
enum {
	EXIT_EXCEPTION = 0,
	EXIT_INTERRUPT = 1,
	EXIT_TRIPLE_FAULT = 2,
	EXIT_INIT = 3,
	EXIT_SMI = 6,
	EXIT_NMI_WINDOW = 8,
	EXIT_TASK_SWITCH = 9,
	EXIT_CPUID = 10,
	EXIT_GETSEC = 11,
	EXIT_HLT = 12,
	EXIT_INVD = 13,
	EXIT_RDPMC = 15,
	EXIT_RSM = 17,
	EXIT_VMCALL = 18,
	EXIT_VMCLEAR = 19,
	EXIT_VMXON = 27,
	EXIT_CR_ACCESS = 28,
	EXIT_IO = 30,
	EXIT_RDMSR = 31,
	EXIT_WRMSR = 32,
	EXIT_MWAIT = 36,
	EXIT_MONITOR_TRAP = 37,
	EXIT_MONITOR = 39,
	EXIT_C_STATE_SMI = 42,
	EXIT_EPT_VIOLATION = 48,
	EXIT_EPT_MISCONFIG = 49,
	EXIT_INVEPT = 50,
	EXIT_INVVPID = 53,
	EXIT_WBINVD = 54,
	EXIT_XSETBV = 55,
	EXIT_APIC_WRITE = 56,
	EXIT_VMFUNC = 59,
	EXIT_ENCLS = 60,
	EXIT_PCONFIG = 65,
	EXIT_ENCLV = 70,
	EXIT_ENQCMD = 72,
	EXIT_ENQCMDS = 73,
	EXIT_BUS_LOCK = 74,
	EXIT_NOTIFY = 75,
	EXIT_SEAMCALL = 76,
	EXIT_TDCALL = 77,
};

/* Extended exit qualification types (RDX bits 3:0 of a TD exit). */
enum {
	EEQ_NONE = 0,
	EEQ_ACCEPT = 1,
	EEQ_ATTR_WR = 5,
	EEQ_PENDING = 6,
};

enum guest_result guest_cr_access(struct guest *guest);
enum guest_result guest_xsetbv(struct guest *guest);
/*
 * An exit that this module never asked the CPU for. The host of a debuggable TD may have;
 * otherwise the TD is dead.
 */
enum guest_result guest_unexpected_exit(struct guest *guest);
/* TDG.VP.VMCALL: the guest has left; false: its mask is invalid. */
bool guest_vmcall(struct guest *guest);
/* RCX, RDX, R8 and R9 of a TD exit; all others but RBP are zero. */
void guest_set_exit_registers(struct call *call, uint64_t rcx, uint64_t rdx, uint64_t r8,
			      uint64_t r9);

/* ---- against hosts that step a guest --------------------------------------- */

enum guest_filter {
	FILTER_CONTINUE,
	FILTER_RESUME, /* the host must not see this exit yet */
	FILTER_WRONG_APIC_MODE,
};

enum guest_filter guest_filter_exit(struct guest *guest);
/* An EPT violation on a private GPA goes to the host. */
void guest_log_fault(struct guest *guest);
/* Before an entry; *refused: it is over, with this status. */
uint64_t guest_filter_entry(struct guest *guest, bool *refused);
void guest_notify_of_faults(struct guest *guest);

/* ---- memory named by TDCALL operands -------------------------------------- */

#define ACCESS_READ UINT64_C(1)
#define ACCESS_RMW  UINT64_C(3)

/*
 * Pointer to byte `gpa`, which is valid, up to the end of its page. NULL: the access faults;
 * *result then says whether the guest goes on (with #VE, at the same instruction) or exits.
 */
void *guest_memory(struct guest *guest, uint64_t gpa, uint64_t access,
		   enum guest_result *result);

unsigned guest_cpl(const struct guest *guest);

/* The guest/host masks with which a vCPU begins. */
uint64_t guest_cr0_mask(const struct tdx_model *model);
uint64_t guest_cr4_mask(const struct tdx_model *model, const struct tdcs *cs);
