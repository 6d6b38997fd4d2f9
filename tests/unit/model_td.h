/* SPDX-License-Identifier: MIT */
/* A small TD in the hosted machine, for tests of what the module makes of its guest. */
#pragma once

#include "tdx/td.h"
#include "tests/model/tdx_model.h"

#define MODEL_TD_RAM   UINT64_C(0x10000000)
#define MODEL_TD_VCPUS 2u
#define MODEL_TD_FILL  UINT64_C(0x5a5a) /* the host's registers around a TDCALL */

extern struct td model_td;
extern struct td_vcpu model_vcpu[MODEL_TD_VCPUS];

/* Four frames of the host's: the root of the shared EPT first, the others free. */
extern hpa_t model_shared;

/* Builds the machine and a finalised TD with these attributes; nothing else is mapped. */
void model_td_start(uint64_t attributes);

/* TDH.VP.ENTER with all registers `fill`, on this CPU: RAX, and the rest in *regs. */
uint64_t model_td_enter(unsigned vcpu, uint64_t fill, struct seamcall_regs *regs);

/* One exit of the guest, which must end in a TD exit. */
uint64_t model_td_exit(unsigned vcpu, const struct tdx_exit *exit, struct seamcall_regs *regs);

/* One TDCALL, after which the guest takes an interrupt if it still runs. */
struct model_tdcall {
	uint64_t rax, rcx, rdx, r8, r9;
};

struct model_outcome {
	uint64_t status;           /* of TDH.VP.ENTER: 1 if the guest was resumed */
	struct seamcall_regs host; /* then the interrupt's */
	uint32_t event;            /* injected after the TDCALL */
	uint64_t rax, rcx, rdx, r8, rip_moved;
};

struct model_outcome model_td_call(unsigned vcpu, struct model_tdcall call);
