/* SPDX-License-Identifier: MIT */
/*
 * The host leaves of the module, one function each, bearing the leaf's name. They load
 * the registers, call, call again what passes by itself, and hand out what comes
 * back; they never interpret. What they call for a TD is counted in td->seamcalls. Private to
 * tdx/.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/compiler.h"
#include "tdx/seamcall.h"
#include "tdx/td.h"
#include "tdx/tdx_abi.h"

/*
 * Does the status pass by itself, so that the same call may succeed later? The module's locks
 * are try-locks: BUSY means that another CPU is inside for a moment. Not those that need an
 * action first: PREVIOUS_TLB_EPOCH_BUSY, VCPU_ASSOCIATED, FLUSHVP_NOT_DONE,
 * WBCACHE_NOT_COMPLETE, INTERRUPTED_RESUMABLE.
 */
bool tdx_is_transient(tdx_status_t s);

/* Shall a leaf that returned it be called again? Waits a little before. Bounded. */
bool tdx_retry(unsigned *tries, tdx_status_t s);

/* The module as a whole. */
MUST_CHECK tdx_status_t tdh_sys_init(void);
MUST_CHECK tdx_status_t tdh_sys_lp_init(void);
/* Space for TDX_MAX_CMRS at `cmrs`. */
MUST_CHECK tdx_status_t tdh_sys_info(hpa_t info, hpa_t cmrs);
/* *value is 0 on errors. */
MUST_CHECK tdx_status_t tdh_sys_rd(uint64_t field, uint64_t *value);
MUST_CHECK tdx_status_t tdh_sys_config(hpa_t tdmr_infos, uint64_t count, uint16_t hkid);
MUST_CHECK tdx_status_t tdh_sys_key_config(void);
MUST_CHECK tdx_status_t tdh_sys_tdmr_init(hpa_t tdmr, uint64_t *next);

/* A TD. */
MUST_CHECK tdx_status_t tdh_mng_create(struct td *td, uint16_t hkid);
MUST_CHECK tdx_status_t tdh_mng_key_config(struct td *td);
MUST_CHECK tdx_status_t tdh_mng_addcx(struct td *td, hpa_t page);
/* *extended: leaf 31:0 and subleaf 63:32 of a refused CPUID configuration. */
MUST_CHECK tdx_status_t tdh_mng_init(struct td *td, hpa_t params, uint64_t *extended);
MUST_CHECK tdx_status_t tdh_mng_rd(struct td *td, uint64_t field, uint64_t *value);
MUST_CHECK tdx_status_t tdh_mng_vpflushdone(struct td *td);
MUST_CHECK tdx_status_t tdh_mng_key_freeid(struct td *td);
MUST_CHECK tdx_status_t tdh_mr_extend(struct td *td, gpa_t chunk);
MUST_CHECK tdx_status_t tdh_mr_finalize(struct td *td);

/* A vCPU. */
MUST_CHECK tdx_status_t tdh_vp_create(struct td_vcpu *vcpu);
MUST_CHECK tdx_status_t tdh_vp_addcx(struct td_vcpu *vcpu, hpa_t page);
MUST_CHECK tdx_status_t tdh_vp_init(struct td_vcpu *vcpu, uint64_t rcx);
MUST_CHECK tdx_status_t tdh_vp_rd(struct td_vcpu *vcpu, uint64_t field, uint64_t *value);
MUST_CHECK tdx_status_t tdh_vp_wr(struct td_vcpu *vcpu, uint64_t field, uint64_t value,
				  uint64_t mask);
MUST_CHECK tdx_status_t tdh_vp_flush(struct td_vcpu *vcpu);
/*
 * regs->rcx is replaced by the TDVPR; all registers go in and come out. The one leaf that is
 * called once, whatever it says, and not counted.
 */
tdx_status_t tdh_vp_enter(struct td_vcpu *vcpu, struct seamcall_regs *regs);

/* A TD's private memory. DEMOTE and PROMOTE run with interrupts off. */
MUST_CHECK tdx_status_t tdh_mem_sept_add(struct td *td, gpa_t at, enum page_level level,
					 hpa_t page);
MUST_CHECK tdx_status_t tdh_mem_sept_remove(struct td *td, gpa_t at, enum page_level level);
/* Out: the architectural entry in RCX, its level and state in RDX (sept_rdx_state()). */
MUST_CHECK tdx_status_t tdh_mem_sept_rd(struct td *td, gpa_t at, enum page_level level,
					struct seamcall_regs *out);
MUST_CHECK tdx_status_t tdh_mem_page_add(struct td *td, gpa_t at, hpa_t page, hpa_t source);
MUST_CHECK tdx_status_t tdh_mem_page_aug(struct td *td, gpa_t at, enum page_level level,
					 hpa_t page);
MUST_CHECK tdx_status_t tdh_mem_page_remove(struct td *td, gpa_t at, enum page_level level);
MUST_CHECK tdx_status_t tdh_mem_page_demote(struct td *td, gpa_t at, enum page_level level,
					    hpa_t sept_page);
MUST_CHECK tdx_status_t tdh_mem_page_promote(struct td *td, gpa_t at, enum page_level level);
MUST_CHECK tdx_status_t tdh_mem_range_block(struct td *td, gpa_t at, enum page_level level);
MUST_CHECK tdx_status_t tdh_mem_range_unblock(struct td *td, gpa_t at, enum page_level level);
MUST_CHECK tdx_status_t tdh_mem_track(struct td *td);

/* Physical pages; `td`: on whose behalf. */
MUST_CHECK tdx_status_t tdh_phymem_page_reclaim(struct td *td, hpa_t page);
/* `keyed` carries the KeyID in its upper bits. */
MUST_CHECK tdx_status_t tdh_phymem_page_wbinvd(struct td *td, uint64_t keyed);
MUST_CHECK tdx_status_t tdh_phymem_cache_wb(struct td *td, uint64_t start_or_resume);
