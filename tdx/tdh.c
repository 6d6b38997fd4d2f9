/* SPDX-License-Identifier: MIT */
#include "tdx/tdh.h"

/* "GPA and level" operand: page frame in 51:12, level in 2:0. */
static uint64_t gpa_and_level(gpa_t at, enum page_level level)
{
	return align_down(at.raw, level_size(level)) | (uint64_t)level;
}

static tdx_status_t call1(uint64_t leaf, uint64_t rcx)
{
	struct seamcall_regs regs = {.rcx = rcx};

	return seamcall(leaf, &regs);
}

static tdx_status_t call2(uint64_t leaf, uint64_t rcx, uint64_t rdx)
{
	struct seamcall_regs regs = {.rcx = rcx, .rdx = rdx};

	return seamcall(leaf, &regs);
}

static tdx_status_t mem_call(uint64_t leaf, tdr_t tdr, gpa_t at, enum page_level level,
			     hpa_t r8)
{
	struct seamcall_regs regs = {
		.rcx = gpa_and_level(at, level), .rdx = tdr.pa.raw, .r8 = r8.raw};

	return seamcall(leaf, &regs);
}

tdx_status_t tdh_sys_init(void) { return call1(TDH_SYS_INIT, 0); }

tdx_status_t tdh_sys_lp_init(void) { return call1(TDH_SYS_LP_INIT, 0); }

tdx_status_t tdh_sys_info(hpa_t info, hpa_t cmrs, uint64_t cmr_count)
{
	struct seamcall_regs regs = {.rcx = info.raw,
				     .rdx = sizeof(struct tdx_sysinfo),
				     .r8 = cmrs.raw,
				     .r9 = cmr_count};

	return seamcall(TDH_SYS_INFO, &regs);
}

tdx_status_t tdh_sys_rd(uint64_t field, uint64_t *value, uint64_t *next)
{
	struct seamcall_regs regs = {.rdx = field};
	tdx_status_t s = seamcall(TDH_SYS_RD, &regs);

	*value = regs.r8;
	if (next)
		*next = regs.rdx;
	return s;
}

tdx_status_t tdh_sys_config(hpa_t tdmr_infos, uint64_t count, uint16_t hkid)
{
	struct seamcall_regs regs = {.rcx = tdmr_infos.raw, .rdx = count, .r8 = hkid};

	return seamcall(TDH_SYS_CONFIG, &regs);
}

tdx_status_t tdh_sys_key_config(void) { return call1(TDH_SYS_KEY_CONFIG, 0); }

tdx_status_t tdh_sys_tdmr_init(hpa_t tdmr, uint64_t *next)
{
	struct seamcall_regs regs = {.rcx = tdmr.raw};
	tdx_status_t s = seamcall(TDH_SYS_TDMR_INIT, &regs);

	*next = regs.rdx;
	return s;
}

tdx_status_t tdh_mng_create(tdr_t tdr, uint16_t hkid)
{
	return call2(TDH_MNG_CREATE, tdr.pa.raw, hkid);
}

tdx_status_t tdh_mng_key_config(tdr_t tdr) { return call1(TDH_MNG_KEY_CONFIG, tdr.pa.raw); }

tdx_status_t tdh_mng_addcx(tdr_t tdr, hpa_t page)
{
	return call2(TDH_MNG_ADDCX, page.raw, tdr.pa.raw);
}

tdx_status_t tdh_mng_init(tdr_t tdr, hpa_t params, uint64_t *extended)
{
	struct seamcall_regs regs = {.rcx = tdr.pa.raw, .rdx = params.raw};
	tdx_status_t s = seamcall(TDH_MNG_INIT, &regs);

	*extended = regs.rcx;
	return s;
}

tdx_status_t tdh_mng_rd(tdr_t tdr, uint64_t field, uint64_t *value)
{
	struct seamcall_regs regs = {.rcx = tdr.pa.raw, .rdx = field};
	tdx_status_t s = seamcall(TDH_MNG_RD, &regs);

	*value = regs.r8;
	return s;
}

tdx_status_t tdh_mng_vpflushdone(tdr_t tdr) { return call1(TDH_MNG_VPFLUSHDONE, tdr.pa.raw); }

tdx_status_t tdh_mng_key_freeid(tdr_t tdr) { return call1(TDH_MNG_KEY_FREEID, tdr.pa.raw); }

tdx_status_t tdh_mr_extend(tdr_t tdr, gpa_t chunk)
{
	return call2(TDH_MR_EXTEND, chunk.raw, tdr.pa.raw);
}

tdx_status_t tdh_mr_finalize(tdr_t tdr) { return call1(TDH_MR_FINALIZE, tdr.pa.raw); }

tdx_status_t tdh_vp_create(tdr_t tdr, tdvpr_t tdvpr)
{
	return call2(TDH_VP_CREATE, tdvpr.pa.raw, tdr.pa.raw);
}

tdx_status_t tdh_vp_addcx(tdvpr_t tdvpr, hpa_t page)
{
	return call2(TDH_VP_ADDCX, page.raw, tdvpr.pa.raw);
}

tdx_status_t tdh_vp_init(tdvpr_t tdvpr, uint64_t rcx)
{
	return call2(TDH_VP_INIT, tdvpr.pa.raw, rcx);
}

tdx_status_t tdh_vp_rd(tdvpr_t tdvpr, uint64_t field, uint64_t *value)
{
	struct seamcall_regs regs = {.rcx = tdvpr.pa.raw, .rdx = field};
	tdx_status_t s = seamcall(TDH_VP_RD, &regs);

	*value = regs.r8;
	return s;
}

tdx_status_t tdh_vp_wr(tdvpr_t tdvpr, uint64_t field, uint64_t value, uint64_t mask)
{
	struct seamcall_regs regs = {
		.rcx = tdvpr.pa.raw, .rdx = field, .r8 = value, .r9 = mask};

	return seamcall(TDH_VP_WR, &regs);
}

tdx_status_t tdh_vp_flush(tdvpr_t tdvpr) { return call1(TDH_VP_FLUSH, tdvpr.pa.raw); }

tdx_status_t tdh_vp_enter(tdvpr_t tdvpr, struct seamcall_regs *regs)
{
	regs->rcx = tdvpr.pa.raw;
	return seamcall(TDH_VP_ENTER, regs);
}

tdx_status_t tdh_mem_sept_add(tdr_t tdr, gpa_t at, enum page_level level, hpa_t page)
{
	return mem_call(TDH_MEM_SEPT_ADD, tdr, at, level, page);
}

tdx_status_t tdh_mem_sept_remove(tdr_t tdr, gpa_t at, enum page_level level)
{
	return mem_call(TDH_MEM_SEPT_REMOVE, tdr, at, level, hpa(0));
}

tdx_status_t tdh_mem_sept_rd(tdr_t tdr, gpa_t at, enum page_level level,
			     struct sept_details *out)
{
	struct seamcall_regs regs = {.rcx = gpa_and_level(at, level), .rdx = tdr.pa.raw};
	tdx_status_t s = seamcall(TDH_MEM_SEPT_RD, &regs);

	*out = (struct sept_details){.entry = regs.rcx, .level_state = regs.rdx};
	return s;
}

tdx_status_t tdh_mem_page_add(tdr_t tdr, gpa_t at, hpa_t page, hpa_t source)
{
	struct seamcall_regs regs = {.rcx = gpa_and_level(at, LEVEL_4K),
				     .rdx = tdr.pa.raw,
				     .r8 = page.raw,
				     .r9 = source.raw};

	return seamcall(TDH_MEM_PAGE_ADD, &regs);
}

tdx_status_t tdh_mem_page_aug(tdr_t tdr, gpa_t at, enum page_level level, hpa_t page)
{
	return mem_call(TDH_MEM_PAGE_AUG, tdr, at, level, page);
}

tdx_status_t tdh_mem_page_remove(tdr_t tdr, gpa_t at, enum page_level level)
{
	return mem_call(TDH_MEM_PAGE_REMOVE, tdr, at, level, hpa(0));
}

tdx_status_t tdh_mem_page_demote(tdr_t tdr, gpa_t at, enum page_level level, hpa_t sept_page)
{
	return mem_call(TDH_MEM_PAGE_DEMOTE, tdr, at, level, sept_page);
}

tdx_status_t tdh_mem_page_promote(tdr_t tdr, gpa_t at, enum page_level level, hpa_t *sept_page)
{
	struct seamcall_regs regs = {.rcx = gpa_and_level(at, level), .rdx = tdr.pa.raw};
	tdx_status_t s = seamcall(TDH_MEM_PAGE_PROMOTE, &regs);

	*sept_page = hpa(regs.rcx);
	return s;
}

tdx_status_t tdh_mem_range_block(tdr_t tdr, gpa_t at, enum page_level level)
{
	return mem_call(TDH_MEM_RANGE_BLOCK, tdr, at, level, hpa(0));
}

tdx_status_t tdh_mem_range_unblock(tdr_t tdr, gpa_t at, enum page_level level)
{
	return mem_call(TDH_MEM_RANGE_UNBLOCK, tdr, at, level, hpa(0));
}

tdx_status_t tdh_mem_track(tdr_t tdr) { return call1(TDH_MEM_TRACK, tdr.pa.raw); }

tdx_status_t tdh_phymem_page_rdmd(hpa_t page, uint64_t *type, uint64_t *size_level)
{
	struct seamcall_regs regs = {.rcx = page.raw};
	tdx_status_t s = seamcall(TDH_PHYMEM_PAGE_RDMD, &regs);

	*type = regs.rcx;
	*size_level = regs.r8;
	return s;
}

tdx_status_t tdh_phymem_page_reclaim(hpa_t page, uint64_t *size_level)
{
	struct seamcall_regs regs = {.rcx = page.raw};
	tdx_status_t s = seamcall(TDH_PHYMEM_PAGE_RECLAIM, &regs);

	*size_level = regs.r8;
	return s;
}

tdx_status_t tdh_phymem_page_wbinvd(uint64_t keyed)
{
	return call1(TDH_PHYMEM_PAGE_WBINVD, keyed);
}

tdx_status_t tdh_phymem_cache_wb(uint64_t start_or_resume)
{
	return call1(TDH_PHYMEM_CACHE_WB, start_or_resume);
}
