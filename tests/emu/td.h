/* SPDX-License-Identifier: MIT */
/*
 * TDs: the CPU's half of running them. The module model decides; this carries
 * its decisions out with SVM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/emu/decode.h"
#include "tests/emu/lock.h"
#include "tests/emu/lp.h"
#include "tests/emu/npt.h"

/* The emulator's side of one TD, keyed by its TDR page. */
struct td {
	uint64_t tdr_hpa; /* 0: free */
	struct npt npt;   /* shadow: private from the Secure EPT, shared from L1's EPT */
	struct emu_lock lock;
	uint64_t shared_root; /* of the last entry; tells INVEPT whose EPT it is */
	bool flipped;         /* option flip-shared was carried out */
};

/* The emulator's side of one vCPU, keyed by its TDVPR page. */
struct td_vcpu {
	uint64_t tdvpr_hpa; /* 0: free */
	struct td *td;
	struct vmcb *vmcb;
	void *xsave; /* extended state while the vCPU is out */
	uint64_t xfam;
	bool asked_cpuid; /* the last exit was CPUID: its answer is filtered at entry */
	uint32_t cpuid_leaf, cpuid_subleaf;
};

/* One run of a vCPU, from run_guest() to its exit. */
struct td_run {
	struct lp *lp;
	struct td_vcpu *vcpu;
	struct td *td;
	struct vmcb *vmcb;
	struct tdx_vcpu_view *view;
	struct tdx_guest_state *state;
	struct tdx_exit *exit;
	uint64_t *gpr; /* state->gpr */
};

/* td.c: tables */
void td_init(void);
struct td *td_find(uint64_t tdr_hpa);
/* All TDs, free entries too; NULL behind the last. */
struct td *td_nth(unsigned index);
struct td_vcpu *td_vcpu_get(const struct tdx_vcpu_view *view);
/* The module gave [hpa, hpa + size) back: what was keyed by a page in it is over. */
void td_forget_pages(uint64_t hpa, uint64_t size);

/* td_run.c: struct tdx_machine's run_guest() */
void td_run_guest(void *ctx, unsigned lp, struct tdx_vcpu_view *view, struct tdx_exit *exit);

/* td_state.c: guest state in and out of the VMCB */
void td_state_load(struct td_run *r);
void td_state_store(struct td_run *r);
/* The vCPU's FPU, SSE, ... and XCR0 become those of the CPU; they stay until td_leave(). */
void td_extended_state_enter(struct lp *lp, struct td_vcpu *vcpu, uint64_t xcr0);
/*
 * A SEAMCALL ends: if a vCPU ran in it, its extended state is saved and L1 finds
 * what the module leaves behind (registers in INIT state, MSRs cleared, ...).
 */
void td_leave(struct lp *lp);

/* td_exit.c: true = the exit goes to the model, r->exit is filled; false = go on. */
bool td_handle_exit(struct td_run *r);
struct gview td_view(struct td_run *r);

/* td_mem.c */
bool td_handle_npf(struct td_run *r);
/* Pointer to the byte at `gpa` as the TD would reach it, or NULL. */
void *td_memory(void *run, uint64_t gpa);
void td_sept_changed(void *ctx, uint64_t tdr_hpa, uint64_t gpa, unsigned level);
/* L1 executed INVEPT for this shared EPT root; 0 = for all. */
void td_forget_shared(uint64_t root);
void td_flip_shared(struct td_run *r);

/* td_paging.c */
void td_paging_init(void);
void td_paging_load(struct td_run *r);
void td_paging_store(struct td_run *r);
void td_paging_set_cr0(struct td_run *r, uint64_t value);
void td_paging_set_cr4(struct td_run *r, uint64_t value);
/* The byte of our tables at `gpa` if this vCPU runs on them now, or NULL. */
void *td_paging_table(const struct td_run *r, uint64_t gpa);
/* A nested fault on those tables: handled, or false. */
bool td_paging_fault(struct td_run *r, uint64_t gpa);

/* td_apic.c */
void td_apic_before_run(struct td_run *r);
void td_apic_after_run(struct td_run *r);
/* The notification vector arrived: descriptor into the virtual IRR. */
void td_apic_take_posted(struct td_run *r);
bool td_apic_has_pending(const struct td_run *r);
bool td_apic_msr_read(struct td_run *r, uint32_t msr, uint64_t *value);
bool td_apic_msr_write(struct td_run *r, uint32_t msr, uint64_t value);

/* td_msr.c: false = the model decides */
bool td_handle_msr(struct td_run *r);

/* td_cr.c */
bool td_handle_cr(struct td_run *r);

/* td_ud.c */
bool td_handle_ud(struct td_run *r);

/* td_cpuid.c */
void td_cpuid_print_tables(void);
/* The answer that the model gave this vCPU, without what TCG lacks. */
void td_cpuid_filter(struct td_run *r);
/* The host CPUID that the model is told. */
void td_cpuid_for_model(uint32_t leaf, uint32_t subleaf, uint32_t r[4]);

static inline void td_raise(struct td_run *r, unsigned vector)
{
	r->vmcb->event_inj = EVENT_VALID | EVENT_TYPE_EXC | vector;
	r->vmcb->event_inj_error = 0;
}

static inline void td_raise_error(struct td_run *r, unsigned vector, uint32_t error)
{
	r->vmcb->event_inj = EVENT_VALID | EVENT_TYPE_EXC | EVENT_ERROR | vector;
	r->vmcb->event_inj_error = error;
}

static inline void td_advance(struct td_run *r, unsigned length)
{
	r->vmcb->rip += length;
	r->vmcb->int_state &= ~INT_STATE_SHADOW;
}
