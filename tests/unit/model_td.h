/* SPDX-License-Identifier: MIT */
/* A small TD in the hosted machine, for tests of what the module makes of its guest. */
#pragma once

#include "tdx/td.h"
#include "tests/model/tdx_model.h"

#define MODEL_TD_RAM   UINT64_C(0x10000000)
#define MODEL_TD_VCPUS 2u

extern struct td model_td;
extern struct td_vcpu model_vcpu[MODEL_TD_VCPUS];

/* Builds the machine and a finalised TD with these attributes; its page 0x200000.. is free. */
void model_td_start(uint64_t attributes);

/* TDH.VP.ENTER with all registers `fill`, on this CPU: RAX, and the rest in *regs. */
uint64_t model_td_enter(unsigned vcpu, uint64_t fill, struct vp_regs *regs);

/* One exit of the guest, which must end in a TD exit. */
uint64_t model_td_exit(unsigned vcpu, const struct tdx_exit *exit, struct vp_regs *regs);
