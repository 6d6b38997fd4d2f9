/* SPDX-License-Identifier: MIT */
/*
 * AMD SVM as QEMU's TCG implements it: the VMCB, intercept bits, exit codes.
 * Layout by AMD64 APM volume 2, appendices B and C.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct vmcb_seg {
	uint16_t selector;
	uint16_t attrib; /* descriptor bits 55:52 and 47:40 packed into 12 bits */
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	uint16_t cr_read, cr_write;
	uint16_t dr_read, dr_write;
	uint32_t exceptions;
	uint32_t intercept1, intercept2, intercept3;
	uint8_t reserved_018[0x28];
	uint64_t iopm, msrpm;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint32_t int_ctl, int_vector, int_state;
	uint32_t reserved_06c;
	uint64_t exit_code, exit_info1, exit_info2;
	uint32_t exit_int_info, exit_int_error;
	uint64_t nested_ctl;
	uint8_t reserved_098[0x10];
	uint32_t event_inj, event_inj_error;
	uint64_t nested_cr3;
	uint8_t reserved_0b8[0x348];

	struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x2b];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x70];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x58];
	uint64_t rsp;
	uint8_t reserved_5e0[0x18];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_648[0x20];
	uint64_t pat;
	uint8_t reserved_670[0x990];
};

_Static_assert(offsetof(struct vmcb, iopm) == 0x40, "VMCB layout");
_Static_assert(offsetof(struct vmcb, int_ctl) == 0x60, "VMCB layout");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "VMCB layout");
_Static_assert(offsetof(struct vmcb, event_inj) == 0xa8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB layout");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "VMCB layout");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "VMCB layout");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "VMCB layout");
_Static_assert(sizeof(struct vmcb) == 4096, "VMCB layout");

/* intercept1 */
#define ICPT_INTR       (UINT32_C(1) << 0)
#define ICPT_NMI        (UINT32_C(1) << 1)
#define ICPT_VINTR      (UINT32_C(1) << 4)
#define ICPT_RDPMC      (UINT32_C(1) << 15)
#define ICPT_CPUID      (UINT32_C(1) << 18)
#define ICPT_IRET       (UINT32_C(1) << 20)
#define ICPT_INVD       (UINT32_C(1) << 22)
#define ICPT_HLT        (UINT32_C(1) << 24)
#define ICPT_INVLPGA    (UINT32_C(1) << 26)
#define ICPT_IOIO       (UINT32_C(1) << 27)
#define ICPT_MSR        (UINT32_C(1) << 28)
#define ICPT_TASKSWITCH (UINT32_C(1) << 29)
#define ICPT_SHUTDOWN   (UINT32_C(1) << 31)

/* intercept2 */
#define ICPT_VMRUN   (UINT32_C(1) << 0)
#define ICPT_VMMCALL (UINT32_C(1) << 1)
#define ICPT_VMLOAD  (UINT32_C(1) << 2)
#define ICPT_VMSAVE  (UINT32_C(1) << 3)
#define ICPT_STGI    (UINT32_C(1) << 4)
#define ICPT_CLGI    (UINT32_C(1) << 5)
#define ICPT_SKINIT  (UINT32_C(1) << 6)
#define ICPT_WBINVD  (UINT32_C(1) << 9)
#define ICPT_MONITOR (UINT32_C(1) << 10)
#define ICPT_MWAIT   (UINT32_C(1) << 11)
#define ICPT_XSETBV  (UINT32_C(1) << 13)

/* AMD's own instructions: no Intel machine has them, both L1 and TDs get #UD. */
#define ICPT2_AMD_ONLY                                                                         \
	(ICPT_VMRUN | ICPT_VMMCALL | ICPT_VMLOAD | ICPT_VMSAVE | ICPT_STGI | ICPT_CLGI |       \
	 ICPT_SKINIT)

/* int_ctl */
#define V_TPR_MASK     UINT32_C(0xf)
#define V_IRQ          (UINT32_C(1) << 8)
#define V_PRIO_SHIFT   16
#define V_PRIO_MASK    (UINT32_C(0xf) << V_PRIO_SHIFT)
#define V_IGN_TPR      (UINT32_C(1) << 20)
#define V_INTR_MASKING (UINT32_C(1) << 24)

#define INT_STATE_SHADOW UINT32_C(1)

/* event_inj and exit_int_info */
#define EVENT_VALID      (UINT32_C(1) << 31)
#define EVENT_ERROR      (UINT32_C(1) << 11)
#define EVENT_TYPE_MASK  (UINT32_C(7) << 8)
#define EVENT_TYPE_INTR  (UINT32_C(0) << 8)
#define EVENT_TYPE_NMI   (UINT32_C(2) << 8)
#define EVENT_TYPE_EXC   (UINT32_C(3) << 8)
#define EVENT_TYPE_SOFT  (UINT32_C(4) << 8)
#define EVENT_VECTOR(ev) ((ev)&UINT32_C(0xff))

enum svm_exit {
	SVM_EXIT_CR0_READ = 0x00,
	SVM_EXIT_CR3_READ = 0x03,
	SVM_EXIT_CR4_READ = 0x04,
	SVM_EXIT_CR0_WRITE = 0x10,
	SVM_EXIT_CR3_WRITE = 0x13,
	SVM_EXIT_CR4_WRITE = 0x14,
	SVM_EXIT_UD = 0x46,
	SVM_EXIT_INTR = 0x60,
	SVM_EXIT_NMI = 0x61,
	SVM_EXIT_VINTR = 0x64,
	SVM_EXIT_RDPMC = 0x6f,
	SVM_EXIT_CPUID = 0x72,
	SVM_EXIT_IRET = 0x74,
	SVM_EXIT_INVD = 0x76,
	SVM_EXIT_HLT = 0x78,
	SVM_EXIT_INVLPGA = 0x7a,
	SVM_EXIT_IOIO = 0x7b,
	SVM_EXIT_MSR = 0x7c,
	SVM_EXIT_TASK_SWITCH = 0x7d,
	SVM_EXIT_SHUTDOWN = 0x7f,
	SVM_EXIT_VMRUN = 0x80,
	SVM_EXIT_VMMCALL = 0x81,
	SVM_EXIT_VMLOAD = 0x82,
	SVM_EXIT_VMSAVE = 0x83,
	SVM_EXIT_STGI = 0x84,
	SVM_EXIT_CLGI = 0x85,
	SVM_EXIT_SKINIT = 0x86,
	SVM_EXIT_WBINVD = 0x89, /* INVD too on QEMU 7.2 */
	SVM_EXIT_MONITOR = 0x8a,
	SVM_EXIT_MWAIT = 0x8b,
	SVM_EXIT_MWAIT_ARMED = 0x8c,
	SVM_EXIT_XSETBV = 0x8d,
	SVM_EXIT_NPF = 0x400,
};

/* exit_info1 of a nested page fault */
#define NPF_WRITE (UINT64_C(1) << 1)
#define NPF_FETCH (UINT64_C(1) << 4)
#define NPF_FINAL (UINT64_C(1) << 32) /* the access itself, not the guest's page walk */

#define EFER_SCE  (UINT64_C(1) << 0)
#define EFER_LME  (UINT64_C(1) << 8)
#define EFER_LMA  (UINT64_C(1) << 10)
#define EFER_NXE  (UINT64_C(1) << 11)
#define EFER_SVME (UINT64_C(1) << 12)

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_PG (UINT64_C(1) << 31)

#define CR4_PSE     (UINT64_C(1) << 4)
#define CR4_PAE     (UINT64_C(1) << 5)
#define CR4_MCE     (UINT64_C(1) << 6)
#define CR4_LA57    (UINT64_C(1) << 12)
#define CR4_VMXE    (UINT64_C(1) << 13)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define CR4_PKE     (UINT64_C(1) << 22)

#define RFLAGS_FIXED UINT64_C(2)
#define RFLAGS_CF    (UINT64_C(1) << 0)
#define RFLAGS_ZF    (UINT64_C(1) << 6)
#define RFLAGS_IF    (UINT64_C(1) << 9)
#define RFLAGS_ARITH UINT64_C(0x8d5) /* OF SF ZF AF PF CF */

#define SEG_ATTR_P    UINT16_C(0x080)
#define SEG_ATTR_L    UINT16_C(0x200)
#define SEG_ATTR_DB   UINT16_C(0x400)
#define SEG_ATTR_CODE UINT16_C(0x09b)
#define SEG_ATTR_DATA UINT16_C(0x093)
#define SEG_ATTR_LDT  UINT16_C(0x082)
#define SEG_ATTR_TSS  UINT16_C(0x08b)
#define SEG_ATTR_FLAT UINT16_C(0xc00) /* G and D/B */

/*
 * TCG reports every event as an exception in exit_int_info; give hardware
 * interrupts and NMIs their own type so that they can be injected again.
 */
static inline uint32_t vmcb_fix_event(uint32_t event)
{
	if ((event & EVENT_TYPE_MASK) != EVENT_TYPE_EXC)
		return event;
	if (EVENT_VECTOR(event) >= 32)
		return event & ~(EVENT_TYPE_MASK | EVENT_ERROR);
	if (EVENT_VECTOR(event) == 2)
		return (event & ~EVENT_TYPE_MASK) | EVENT_TYPE_NMI;
	return event;
}
