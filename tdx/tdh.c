/* SPDX-License-Identifier: MIT */
#include "tdx/tdh.h"

#include "core/hw.h"

#define PAUSES_PER_TRY 32

/*
 * How often a status may come back before the caller gives up. A lock is held for one
 * leaf's length; entropy refills in microseconds; an interrupted leaf was started over.
 */
static unsigned max_tries(tdx_status_t s)
{
	switch (tdx_code(s)) {
	case TDX_OPERAND_BUSY:
	case TDX_OPERAND_BUSY_HOST_PRIORITY:
	case TDX_SYS_BUSY:
		return 200;
	case TDX_RND_NO_ENTROPY:
	case TDX_KEY_GENERATION_FAILED:
	case TDX_INTERRUPTED_RESTARTABLE:
		return 100;
	default:
		return 0;
	}
}

bool tdx_is_transient(tdx_status_t s) { return max_tries(s) > 0; }

bool tdx_retry(unsigned *tries, tdx_status_t s)
{
	if (*tries >= max_tries(s))
		return false;
	++*tries;
	for (unsigned i = 0; i < PAUSES_PER_TRY; i++)
		hw_pause();
	return true;
}

/* `td`: for whom, or NULL. No leaf takes more than RCX, RDX, R8 and R9, but VP.ENTER. */
static tdx_status_t call(struct td *td, uint64_t leaf, struct seamcall_regs *regs)
{
	uint64_t rcx = regs->rcx, rdx = regs->rdx, r8 = regs->r8, r9 = regs->r9;
	unsigned tries = 0;

	for (;;) {
		tdx_status_t s = seamcall(leaf, regs);

		if (td)
			atomic_fetch_add_explicit(&td->seamcalls, 1, memory_order_relaxed);
		if (!tdx_retry(&tries, s))
			return s;
		*regs = (struct seamcall_regs){.rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9};
	}
}

static tdx_status_t call1(struct td *td, uint64_t leaf, uint64_t rcx)
{
	struct seamcall_regs regs = {.rcx = rcx};

	return call(td, leaf, &regs);
}

static tdx_status_t call2(struct td *td, uint64_t leaf, uint64_t rcx, uint64_t rdx)
{
	struct seamcall_regs regs = {.rcx = rcx, .rdx = rdx};

	return call(td, leaf, &regs);
}

/* The RD leaves: field in RDX, its value in R8. */
static tdx_status_t rd_call(struct td *td, uint64_t leaf, uint64_t rcx, uint64_t field,
			    uint64_t *value)
{
	struct seamcall_regs regs = {.rcx = rcx, .rdx = field};
	tdx_status_t s = call(td, leaf, &regs);

	*value = regs.r8;
	return s;
}

/* "GPA and level" operand: page frame in 51:12, level in 2:0. */
static uint64_t gpa_and_level(gpa_t at, enum page_level level)
{
	return align_down(at.raw, level_size(level)) | (uint64_t)level;
}

static tdx_status_t mem_call(struct td *td, uint64_t leaf, gpa_t at, enum page_level level,
			     hpa_t r8)
{
	struct seamcall_regs regs = {
		.rcx = gpa_and_level(at, level), .rdx = td->tdr.pa.raw, .r8 = r8.raw};

	return call(td, leaf, &regs);
}

/* With interrupts on, one that stays pending would restart the leaf for ever. */
static tdx_status_t mem_call_irq_off(struct td *td, uint64_t leaf, gpa_t at,
				     enum page_level level, hpa_t r8)
{
	bool irq = hw_irq_save();
	tdx_status_t s = mem_call(td, leaf, at, level, r8);

	hw_irq_restore(irq);
	return s;
}

tdx_status_t tdh_sys_init(void) { return call1(NULL, TDH_SYS_INIT, 0); }

tdx_status_t tdh_sys_lp_init(void) { return call1(NULL, TDH_SYS_LP_INIT, 0); }

tdx_status_t tdh_sys_info(hpa_t info, hpa_t cmrs)
{
	struct seamcall_regs regs = {.rcx = info.raw,
				     .rdx = sizeof(struct tdx_sysinfo),
				     .r8 = cmrs.raw,
				     .r9 = TDX_MAX_CMRS};

	return call(NULL, TDH_SYS_INFO, &regs);
}

tdx_status_t tdh_sys_rd(uint64_t field, uint64_t *value)
{
	return rd_call(NULL, TDH_SYS_RD, 0, field, value);
}

tdx_status_t tdh_sys_config(hpa_t tdmr_infos, uint64_t count, uint16_t hkid)
{
	struct seamcall_regs regs = {.rcx = tdmr_infos.raw, .rdx = count, .r8 = hkid};

	return call(NULL, TDH_SYS_CONFIG, &regs);
}

tdx_status_t tdh_sys_key_config(void) { return call1(NULL, TDH_SYS_KEY_CONFIG, 0); }

tdx_status_t tdh_sys_tdmr_init(hpa_t tdmr, uint64_t *next)
{
	struct seamcall_regs regs = {.rcx = tdmr.raw};
	tdx_status_t s = call(NULL, TDH_SYS_TDMR_INIT, &regs);

	*next = regs.rdx;
	return s;
}

tdx_status_t tdh_mng_create(struct td *td, uint16_t hkid)
{
	return call2(td, TDH_MNG_CREATE, td->tdr.pa.raw, hkid);
}

tdx_status_t tdh_mng_key_config(struct td *td)
{
	return call1(td, TDH_MNG_KEY_CONFIG, td->tdr.pa.raw);
}

tdx_status_t tdh_mng_addcx(struct td *td, hpa_t page)
{
	return call2(td, TDH_MNG_ADDCX, page.raw, td->tdr.pa.raw);
}

tdx_status_t tdh_mng_init(struct td *td, hpa_t params, uint64_t *extended)
{
	struct seamcall_regs regs = {.rcx = td->tdr.pa.raw, .rdx = params.raw};
	tdx_status_t s = call(td, TDH_MNG_INIT, &regs);

	*extended = regs.rcx;
	return s;
}

tdx_status_t tdh_mng_rd(struct td *td, uint64_t field, uint64_t *value)
{
	return rd_call(td, TDH_MNG_RD, td->tdr.pa.raw, field, value);
}

tdx_status_t tdh_mng_vpflushdone(struct td *td)
{
	return call1(td, TDH_MNG_VPFLUSHDONE, td->tdr.pa.raw);
}

tdx_status_t tdh_mng_key_freeid(struct td *td)
{
	return call1(td, TDH_MNG_KEY_FREEID, td->tdr.pa.raw);
}

tdx_status_t tdh_mr_extend(struct td *td, gpa_t chunk)
{
	return call2(td, TDH_MR_EXTEND, chunk.raw, td->tdr.pa.raw);
}

tdx_status_t tdh_mr_finalize(struct td *td)
{
	return call1(td, TDH_MR_FINALIZE, td->tdr.pa.raw);
}

tdx_status_t tdh_vp_create(struct td_vcpu *vcpu)
{
	return call2(vcpu->td, TDH_VP_CREATE, vcpu->tdvpr.pa.raw, vcpu->td->tdr.pa.raw);
}

tdx_status_t tdh_vp_addcx(struct td_vcpu *vcpu, hpa_t page)
{
	return call2(vcpu->td, TDH_VP_ADDCX, page.raw, vcpu->tdvpr.pa.raw);
}

tdx_status_t tdh_vp_init(struct td_vcpu *vcpu, uint64_t rcx)
{
	return call2(vcpu->td, TDH_VP_INIT, vcpu->tdvpr.pa.raw, rcx);
}

tdx_status_t tdh_vp_rd(struct td_vcpu *vcpu, uint64_t field, uint64_t *value)
{
	return rd_call(vcpu->td, TDH_VP_RD, vcpu->tdvpr.pa.raw, field, value);
}

tdx_status_t tdh_vp_wr(struct td_vcpu *vcpu, uint64_t field, uint64_t value, uint64_t mask)
{
	struct seamcall_regs regs = {
		.rcx = vcpu->tdvpr.pa.raw, .rdx = field, .r8 = value, .r9 = mask};

	return call(vcpu->td, TDH_VP_WR, &regs);
}

tdx_status_t tdh_vp_flush(struct td_vcpu *vcpu)
{
	return call1(vcpu->td, TDH_VP_FLUSH, vcpu->tdvpr.pa.raw);
}

tdx_status_t tdh_vp_enter(struct td_vcpu *vcpu, struct seamcall_regs *regs)
{
	regs->rcx = vcpu->tdvpr.pa.raw;
	return seamcall(TDH_VP_ENTER, regs);
}

tdx_status_t tdh_mem_sept_add(struct td *td, gpa_t at, enum page_level level, hpa_t page)
{
	return mem_call(td, TDH_MEM_SEPT_ADD, at, level, page);
}

tdx_status_t tdh_mem_sept_remove(struct td *td, gpa_t at, enum page_level level)
{
	return mem_call(td, TDH_MEM_SEPT_REMOVE, at, level, hpa(0));
}

tdx_status_t tdh_mem_sept_rd(struct td *td, gpa_t at, enum page_level level,
			     struct seamcall_regs *out)
{
	*out = (struct seamcall_regs){.rcx = gpa_and_level(at, level), .rdx = td->tdr.pa.raw};
	return call(td, TDH_MEM_SEPT_RD, out);
}

tdx_status_t tdh_mem_page_add(struct td *td, gpa_t at, hpa_t page, hpa_t source)
{
	struct seamcall_regs regs = {.rcx = gpa_and_level(at, LEVEL_4K),
				     .rdx = td->tdr.pa.raw,
				     .r8 = page.raw,
				     .r9 = source.raw};

	return call(td, TDH_MEM_PAGE_ADD, &regs);
}

tdx_status_t tdh_mem_page_aug(struct td *td, gpa_t at, enum page_level level, hpa_t page)
{
	return mem_call(td, TDH_MEM_PAGE_AUG, at, level, page);
}

tdx_status_t tdh_mem_page_remove(struct td *td, gpa_t at, enum page_level level)
{
	return mem_call(td, TDH_MEM_PAGE_REMOVE, at, level, hpa(0));
}

tdx_status_t tdh_mem_page_demote(struct td *td, gpa_t at, enum page_level level,
				 hpa_t sept_page)
{
	return mem_call_irq_off(td, TDH_MEM_PAGE_DEMOTE, at, level, sept_page);
}

tdx_status_t tdh_mem_page_promote(struct td *td, gpa_t at, enum page_level level)
{
	return mem_call_irq_off(td, TDH_MEM_PAGE_PROMOTE, at, level, hpa(0));
}

tdx_status_t tdh_mem_range_block(struct td *td, gpa_t at, enum page_level level)
{
	return mem_call(td, TDH_MEM_RANGE_BLOCK, at, level, hpa(0));
}

tdx_status_t tdh_mem_range_unblock(struct td *td, gpa_t at, enum page_level level)
{
	return mem_call(td, TDH_MEM_RANGE_UNBLOCK, at, level, hpa(0));
}

tdx_status_t tdh_mem_track(struct td *td) { return call1(td, TDH_MEM_TRACK, td->tdr.pa.raw); }

tdx_status_t tdh_phymem_page_reclaim(struct td *td, hpa_t page)
{
	return call1(td, TDH_PHYMEM_PAGE_RECLAIM, page.raw);
}

tdx_status_t tdh_phymem_page_wbinvd(struct td *td, uint64_t keyed)
{
	return call1(td, TDH_PHYMEM_PAGE_WBINVD, keyed);
}

tdx_status_t tdh_phymem_cache_wb(struct td *td, uint64_t start_or_resume)
{
	return call1(td, TDH_PHYMEM_CACHE_WB, start_or_resume);
}
