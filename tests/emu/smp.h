/* SPDX-License-Identifier: MIT */
/* Starting CPUs into the emulator, and interrupting them there. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "tests/emu/lp.h"

/* Makes the table of LPs from the MADT; the calling CPU is the BSP. */
void smp_init(uint64_t rsdp);

/* Copies the trampoline to `page`; `pml5` and `pml4` are our tables for it. */
void smp_prepare_trampoline(uint64_t page, uint64_t pml5);

/* Starts every AP; each waits in the emulator for L1's SIPI when this returns. */
void smp_start_aps(void);

/* The calling CPU enters 5-level paging and its LP's stack, and runs `entry`. */
void smp_enter_self(uint64_t pml4, void (*entry)(void *)) __attribute__((noreturn));

/* Makes `to` leave whatever guest it runs and handle `reason`. */
void smp_kick(struct lp *to, unsigned reason);

/* The emulator's own per-CPU set-up, on that CPU and its stack. */
void smp_setup_lp(struct lp *lp);

/* The calling LP sleeps until L1 sends it a SIPI; returns the vector. */
unsigned smp_wait_sipi(struct lp *lp);

/* entry.S */
void lp_wait(atomic_int *value) __attribute__((visibility("hidden")));
extern const char lp_wait_end[] __attribute__((visibility("hidden")));
void stack_jump(uint64_t stack, void (*to)(void *), void *arg)
	__attribute__((visibility("hidden"), noreturn));
void svm_run(struct vmcb *v, uint64_t *gpr, struct vmcb *host)
	__attribute__((visibility("hidden")));
