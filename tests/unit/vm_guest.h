/* SPDX-License-Identifier: MIT */
/* A TD in the hosted machine whose guest is a list of TDVMCALLs, for tests of vm/. */
#pragma once

#include <stdint.h>

#include "guest-abi/ghci.h"
#include "vm/vm.h"
#include "vmx/exit.h"

/* One thing the guest does; after it, the host's answer. */
struct guest_step {
	uint64_t r10, r11, r12, r13, r14, r15; /* a TDVMCALL, if exit is 0 */
	uint32_t exit;                         /* or this VM exit */
	uint64_t gpa;                          /* of an EPT violation */
	uint64_t answer[6];                    /* R10..R15 as the guest got them back */
};

#define GUEST_CPUS   2U
#define GUEST_MEMORY (UINT64_C(64) << 20)

/* The machine, ready, with a kernel and an initrd as boot modules; vm_init() was called. */
void guest_machine(void);

/* The same, but of the memory for TDs only the first GiB is initialised. */
void guest_machine_just_ready(void);

/* What a user would write for that TD. */
const struct td_config *guest_config(void);

/* Creates the TD; vCPU 0 will take `steps`, then external interrupts; others only these. */
void guest_create(struct guest_step *steps, unsigned count);

/* guest_create() and vm_start(). */
void guest_start(struct guest_step *steps, unsigned count);

/* Steps taken so far, the last one's answer included once the guest was entered again. */
unsigned guest_steps_done(void);

/* Lets every CPU's loop go round `times` times. */
void guest_rounds(unsigned times);

/* Bytes free right now. */
uint64_t guest_free_bytes(void);
