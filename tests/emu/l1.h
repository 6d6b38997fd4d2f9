/* SPDX-License-Identifier: MIT */
/* L1: the hypervisor image above the emulator, and everything that it sees of the machine. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/emu/decode.h"
#include "tests/emu/lp.h"

#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MC 18

/* How L1's first CPU begins. */
struct l1_start {
	bool is_multiboot; /* 32-bit protected mode at rip; else: go on at rip, rsp as now */
	uint64_t rip, rsp;
	uint32_t eax, ebx;
};

/* l1.c */
/* Captures or makes the BSP's guest state; runs on the firmware's tables. */
void l1_prepare_bsp(struct lp *lp, const struct l1_start *start);
void l1_bsp_main(void *lp) __attribute__((noreturn));
void l1_ap_main(struct lp *lp) __attribute__((noreturn));

/* Queues an exception for L1's next entry; replaces one that was being delivered. */
void l1_raise(struct lp *lp, unsigned vector);
void l1_raise_error(struct lp *lp, unsigned vector, uint32_t error);

/* The instruction of `length` bytes is done. */
void l1_advance(struct lp *lp, unsigned length);

struct gview l1_view(const struct lp *lp);

/* One exit of L1 with its registers in lp->gpr. Each below handles one kind. */
void l1_handle_cpuid(struct lp *lp);
void l1_handle_msr(struct lp *lp);
void l1_handle_cr4(struct lp *lp, bool is_write);
void l1_handle_ud(struct lp *lp);
void l1_handle_npf(struct lp *lp);
void l1_handle_nmi(struct lp *lp);

/* NMIs taken by the emulator's own handler count as exits too. */
void l1_consume_kicks(struct lp *lp);

/* l1_cpuid.c */
void l1_cpuid(const struct lp *lp, uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
/* Leaf 0x15. */
void l1_cpuid_tsc(uint32_t r[4]);

/* l1_msr.c: false means #GP. */
bool l1_msr_read(struct lp *lp, uint32_t msr, uint64_t *value);
bool l1_msr_write(struct lp *lp, uint32_t msr, uint64_t value);
void l1_msr_reset(struct lp *lp);
void l1_msr_make_bitmap(void);

/* l1_apic.c */
bool l1_x2apic_read(struct lp *lp, uint32_t msr, uint64_t *value);
bool l1_x2apic_write(struct lp *lp, uint32_t msr, uint64_t value);
void l1_apic_mmio_write(struct lp *lp, unsigned reg, uint32_t value);
bool l1_apic_base_write(struct lp *lp, uint64_t value);
uint64_t l1_deadline_read(struct lp *lp);
void l1_deadline_write(struct lp *lp, uint64_t deadline);
void l1_apic_reset(struct lp *lp);

/* l1_vmx.c */
void l1_vmx_reset(struct lp *lp);
bool l1_vmx_instruction(struct lp *lp, const struct insn *in);

/* l1_mem.c */
void l1_mem_init(void);
/* Who owns `hpa` in L1's view: 0, NPT_MODULE or NPT_EMU. */
uint64_t l1_mem_owner(uint64_t hpa);
/* What an access to the byte at `linear` that the emulator cannot make for L1 ends in. */
void l1_mem_fault(struct lp *lp, uint64_t linear, bool is_write);
void l1_mem_set_owner(uint64_t hpa, uint64_t size, bool module_owns);

/* l1_mc.c */
bool l1_mc_msr_read(const struct lp *lp, uint32_t msr, uint64_t *value);
bool l1_mc_msr_write(struct lp *lp, uint32_t msr, uint64_t value);
void l1_mc_reset(struct lp *lp);
void l1_mc_raise(struct lp *lp, uint64_t hpa, bool is_fetch);
/* A machine check that another LP took is broadcast to this one. */
void l1_mc_join(struct lp *lp);
