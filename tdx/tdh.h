/* SPDX-License-Identifier: MIT */
/*
 * The host leaves of the module, one function each, bearing the leaf's name. They load
 * the registers, call, and hand out what comes back; they never retry (tdx/retry.h) and
 * never interpret. Private to tdx/.
 */
#pragma once

#include <stdint.h>

#include "core/addr.h"
#include "core/compiler.h"
#include "tdx/seamcall.h"
#include "tdx/tdx_abi.h"

/* The module as a whole. */
MUST_CHECK tdx_status_t tdh_sys_init(void);
MUST_CHECK tdx_status_t tdh_sys_lp_init(void);
MUST_CHECK tdx_status_t tdh_sys_info(hpa_t info, hpa_t cmrs, uint64_t cmr_count);
/* *value is 0 on errors; *next may be NULL. */
MUST_CHECK tdx_status_t tdh_sys_rd(uint64_t field, uint64_t *value, uint64_t *next);
MUST_CHECK tdx_status_t tdh_sys_config(hpa_t tdmr_infos, uint64_t count, uint16_t hkid);
MUST_CHECK tdx_status_t tdh_sys_key_config(void);
MUST_CHECK tdx_status_t tdh_sys_tdmr_init(hpa_t tdmr, uint64_t *next);

/* A TD. */
MUST_CHECK tdx_status_t tdh_mng_create(tdr_t tdr, uint16_t hkid);
MUST_CHECK tdx_status_t tdh_mng_key_config(tdr_t tdr);
MUST_CHECK tdx_status_t tdh_mng_addcx(tdr_t tdr, hpa_t page);
/* *extended: leaf 31:0 and subleaf 63:32 of a refused CPUID configuration. */
MUST_CHECK tdx_status_t tdh_mng_init(tdr_t tdr, hpa_t params, uint64_t *extended);
MUST_CHECK tdx_status_t tdh_mng_rd(tdr_t tdr, uint64_t field, uint64_t *value);
MUST_CHECK tdx_status_t tdh_mng_vpflushdone(tdr_t tdr);
MUST_CHECK tdx_status_t tdh_mng_key_freeid(tdr_t tdr);
MUST_CHECK tdx_status_t tdh_mr_extend(tdr_t tdr, gpa_t chunk);
MUST_CHECK tdx_status_t tdh_mr_finalize(tdr_t tdr);

/* A vCPU. */
MUST_CHECK tdx_status_t tdh_vp_create(tdr_t tdr, tdvpr_t tdvpr);
MUST_CHECK tdx_status_t tdh_vp_addcx(tdvpr_t tdvpr, hpa_t page);
MUST_CHECK tdx_status_t tdh_vp_init(tdvpr_t tdvpr, uint64_t rcx);
MUST_CHECK tdx_status_t tdh_vp_rd(tdvpr_t tdvpr, uint64_t field, uint64_t *value);
MUST_CHECK tdx_status_t tdh_vp_wr(tdvpr_t tdvpr, uint64_t field, uint64_t value, uint64_t mask);
MUST_CHECK tdx_status_t tdh_vp_flush(tdvpr_t tdvpr);
/* regs->rcx is replaced by the TDVPR; all registers go in and come out. */
tdx_status_t tdh_vp_enter(tdvpr_t tdvpr, struct seamcall_regs *regs);

/* A TD's private memory. `entry` of the caller may be NULL. */
struct sept_details {
	uint64_t entry;       /* RCX: architectural entry, or the freed page's HPA */
	uint64_t level_state; /* RDX */
};
MUST_CHECK tdx_status_t tdh_mem_sept_add(tdr_t tdr, gpa_t at, enum page_level level,
					 hpa_t page);
MUST_CHECK tdx_status_t tdh_mem_sept_remove(tdr_t tdr, gpa_t at, enum page_level level);
MUST_CHECK tdx_status_t tdh_mem_sept_rd(tdr_t tdr, gpa_t at, enum page_level level,
					struct sept_details *out);
MUST_CHECK tdx_status_t tdh_mem_page_add(tdr_t tdr, gpa_t at, hpa_t page, hpa_t source);
MUST_CHECK tdx_status_t tdh_mem_page_aug(tdr_t tdr, gpa_t at, enum page_level level,
					 hpa_t page);
MUST_CHECK tdx_status_t tdh_mem_page_remove(tdr_t tdr, gpa_t at, enum page_level level);
MUST_CHECK tdx_status_t tdh_mem_page_demote(tdr_t tdr, gpa_t at, enum page_level level,
					    hpa_t sept_page);
MUST_CHECK tdx_status_t tdh_mem_page_promote(tdr_t tdr, gpa_t at, enum page_level level,
					     hpa_t *sept_page);
MUST_CHECK tdx_status_t tdh_mem_range_block(tdr_t tdr, gpa_t at, enum page_level level);
MUST_CHECK tdx_status_t tdh_mem_range_unblock(tdr_t tdr, gpa_t at, enum page_level level);
MUST_CHECK tdx_status_t tdh_mem_track(tdr_t tdr);

/* Physical pages. */
MUST_CHECK tdx_status_t tdh_phymem_page_rdmd(hpa_t page, uint64_t *type, uint64_t *size_level);
MUST_CHECK tdx_status_t tdh_phymem_page_reclaim(hpa_t page, uint64_t *size_level);
/* `keyed` carries the KeyID in its upper bits. */
MUST_CHECK tdx_status_t tdh_phymem_page_wbinvd(uint64_t keyed);
MUST_CHECK tdx_status_t tdh_phymem_cache_wb(uint64_t start_or_resume);
