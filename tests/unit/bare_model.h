/* SPDX-License-Identifier: MIT */
/*
 * The software TDX module with no hypervisor around it: raw SEAMCALLs, on the machine that
 * recorded conversations are replayed on. For what a host can ask that Redoubt never asks.
 */
#pragma once

#include <stdint.h>

#include "tests/model/leaves.h"
#include "tests/model/status.h"
#include "tests/model/tdx_model.h"
#include "tests/trace/machine.h"

#define BARE_LPS    4u           /* LPs 0 and 1 are in package 0, 2 and 3 in package 1 */
#define BARE_KEYID  UINT64_C(32) /* the first private one, which becomes the global one */
#define BARE_KEYIDS 32u
#define BARE_TDMR   UINT64_C(0x100000000)
#define BARE_GIB    UINT64_C(0x40000000)
#define BARE_PAMT   UINT64_C(0x1000000) /* 5 MiB from here */
#define BARE_HOST   UINT64_C(0x2000000) /* below the TDMR: the host's own pages */
#define BARE_INFO   UINT64_C(0x2001000) /* TDMR_INFO i at + 512 i */
#define BARE_PARAMS UINT64_C(0x2004000) /* TD_PARAMS */
#define BARE_SEAMRR UINT64_C(0x7c000000)

/* TDMR_INFO as TDH.SYS.CONFIG reads it. */
struct bare_tdmr {
	uint64_t base, size;
	struct tdx_range pamt[3]; /* 1G, 2M, 4K */
	struct tdx_range reserved[16];
};

extern struct machine bare_machine;
extern struct tdx_model *bare_model;
extern struct tdx_regs bare_regs; /* after the last call */

/* A freshly loaded module on an empty machine. */
void bare_power_on(void);
/* One SEAMCALL on `lp`; the registers not given are 0. RAX; all of them in bare_regs. */
uint64_t bare_call(unsigned lp, unsigned leaf, uint64_t rcx, uint64_t rdx, uint64_t r8);
/* The same with all registers: `regs` goes to bare_regs and RAX is the whole input. */
uint64_t bare_call_regs(unsigned lp, const struct tdx_regs *regs);
/* TDH.SYS.INIT, and TDH.SYS.LP.INIT on each LP. */
void bare_init(void);
/* A valid description of the GiB at BARE_TDMR. */
struct bare_tdmr bare_tdmr(void);
/* Writes descriptions 0 to count - 1 where TDH.SYS.CONFIG finds them, and calls it. */
uint64_t bare_config(const struct bare_tdmr *tdmr, unsigned count);
/* From power-on to the TDMR's last entry. */
void bare_start(void);
/* The same without the power-on. */
void bare_finish_start(void);
/* Page i of the TDMR. */
static inline uint64_t bare_page(unsigned i) { return BARE_TDMR + 0x1000 * (uint64_t)i; }
/* Host memory, to read and write. */
static inline uint8_t *bare_memory(uint64_t hpa) { return machine_memory(&bare_machine, hpa); }
/* TDR in page i, TDCX pages after it, TD_PARAMS of a plain TD in memory; not yet initialised.
 */
void bare_create_td(unsigned i, uint64_t keyid);
/* Takes back what bare_create_td() gave, of a TD that has got no more. */
void bare_destroy_td(unsigned i);
