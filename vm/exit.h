/* SPDX-License-Identifier: MIT */
/* What happens after TDH.VP.ENTER returned. On the vCPU's CPU, interrupts off. */
#pragma once

#include "vm/object.h"

enum exit_action {
	EXIT_RESUME, /* v->regs is ready for the next entry */
	EXIT_LEAVE,  /* go round the CPU's loop first */
};

/* v->regs as the module left them; `s` is RAX. */
enum exit_action vcpu_handle_exit(struct vcpu *v, tdx_status_t s);

/* TDG.VP.VMCALL. */
enum exit_action vcpu_handle_tdvmcall(struct vcpu *v);
