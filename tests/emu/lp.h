/* SPDX-License-Identifier: MIT */
/* One logical processor, and the global table of them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/emu/svm.h"
#include "tests/model/tdx_model.h"

#define EMU_MAX_LPS  16
#define EMU_MC_BANKS 8

/* Where L1's view of a CPU stands between INIT and SIPI. */
enum lp_start {
	LP_RUNNING,
	LP_INIT,      /* INIT was sent; the CPU has not seen it yet */
	LP_WAIT_SIPI, /* waits inside the emulator */
};

/* What an emulator-made NMI asks of the CPU that gets it. */
#define KICK_INIT      1U /* look at `start` */
#define KICK_L1_NMI    2U /* an NMI that L1 sent */
#define KICK_SHOOTDOWN 4U /* nested mappings changed: the exit alone is what counts */
#define KICK_MC        8U /* a broadcast machine check */

struct l1_mc {
	uint64_t mcg_status, mcg_ctl, mcg_ext_ctl;
	uint64_t ctl[EMU_MC_BANKS], status[EMU_MC_BANKS], addr[EMU_MC_BANKS],
		misc[EMU_MC_BANKS];
};

struct l1_apic {
	uint64_t base;     /* IA32_APIC_BASE as L1 wrote it */
	uint64_t deadline; /* IA32_TSC_DEADLINE, 0 = disarmed */
	uint32_t divide;   /* L1's divide configuration; ours is used in deadline mode */
	uint32_t lvt_timer;
};

struct l1_vmx {
	bool is_on;
	uint64_t vmxon_pointer;
	uint64_t current_vmcs; /* ~0: none */
};

struct lp {
	struct lp *self; /* must be first: read through GS */
	unsigned index;
	uint32_t apic_id;
	unsigned package;
	bool is_bsp;

	struct vmcb *l1, *host;
	uint64_t hsave, stack_top;
	uint64_t gpr[TDX_GPR_COUNT]; /* L1's, with RAX and RSP */

	uint64_t cr4; /* as L1 sees it */
	uint64_t tsc_adjust, misc_enable, xss, spec_ctrl, debugctl, tsx_ctrl;
	struct l1_mc mc;
	struct l1_apic apic;
	struct l1_vmx vmx;
	bool in_nmi; /* L1 has taken an NMI and not executed IRET */
	bool nmi_waits;
	uint8_t stolen_vector; /* acknowledged by the emulator for L1, still to be injected */
	uint64_t host_xcr0;

	struct td_vcpu *vcpu; /* running on this LP now */
	_Alignas(64) atomic_uint kicks;
	atomic_uint start; /* enum lp_start */
	atomic_int sipi_vector;
	atomic_bool is_up;
	volatile bool nmi_seen;         /* set by the emulator's own NMI handler */
	volatile uint32_t taken_vector; /* last interrupt taken through the emulator's IDT */
};

extern struct lp lps[EMU_MAX_LPS];
extern unsigned lp_count;

struct lp *lp_by_apic_id(uint32_t apic_id);
