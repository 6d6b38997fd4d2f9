/* SPDX-License-Identifier: MIT */
/* The dispatcher of SEAMCALL. */
#include "tests/model/model.h"

#include <string.h>

#define RAX_LEAF(rax)     ((unsigned)((rax)&0xffff))
#define RAX_VERSION(rax)  ((unsigned)((rax) >> 16 & 0xff))
#define RAX_RESERVED(rax) ((rax) >> 24)

size_t tdx_model_size(void) { return sizeof(struct tdx_model); }

struct tdx_model *tdx_model_init(void *memory, const struct tdx_platform *platform,
				 const struct tdx_machine *machine)
{
	struct tdx_model *model = memory;

	memset(model, 0, sizeof(*model));
	model->platform = *platform;
	model->machine = *machine;
	return model;
}

uint64_t tdx_model_call_count(const struct tdx_model *model, unsigned leaf)
{
	return leaf < 128 ? atomic_load(&model->calls[leaf]) : 0;
}

/* Leaves that take a version look at it themselves. */
static bool has_versions(unsigned leaf)
{
	return leaf == TDH_MEM_PAGE_PROMOTE || leaf == TDH_MEM_SEPT_ADD ||
	       leaf == TDH_MEM_SEPT_REMOVE || leaf == TDH_MNG_RD || leaf == TDH_VP_RD;
}

static bool works_before_ready(unsigned leaf)
{
	switch (leaf) {
	case TDH_SYS_INFO:
	case TDH_SYS_RD:
	case TDH_SYS_RDALL:
	case TDH_SYS_INIT:
	case TDH_SYS_LP_INIT:
	case TDH_SYS_CONFIG:
	case TDH_SYS_KEY_CONFIG:
	case TDH_SYS_LP_SHUTDOWN:
	case TDH_SYS_UPDATE:
		return true;
	default:
		return false;
	}
}

/* NOLINTNEXTLINE(readability-function-size): one line per leaf */
static uint64_t dispatch(struct call *call)
{
	switch (call->leaf) {
	case TDH_VP_ENTER:
		return tdh_vp_enter(call);
	case TDH_MNG_ADDCX:
		return tdh_mng_addcx(call);
	case TDH_MEM_PAGE_ADD:
		return tdh_mem_page_add(call);
	case TDH_MEM_SEPT_ADD:
		return tdh_mem_sept_add(call);
	case TDH_VP_ADDCX:
		return tdh_vp_addcx(call);
	case TDH_MEM_PAGE_RELOCATE:
		return tdh_mem_page_relocate(call);
	case TDH_MEM_PAGE_AUG:
		return tdh_mem_page_aug(call);
	case TDH_MEM_RANGE_BLOCK:
		return tdh_mem_range_block(call);
	case TDH_MNG_KEY_CONFIG:
		return tdh_mng_key_config(call);
	case TDH_MNG_CREATE:
		return tdh_mng_create(call);
	case TDH_VP_CREATE:
		return tdh_vp_create(call);
	case TDH_MNG_RD:
		return tdh_mng_rd(call);
	case TDH_MEM_RD:
		return tdh_mem_rd(call);
	case TDH_MNG_WR:
		return tdh_mng_wr(call);
	case TDH_MEM_WR:
		return tdh_mem_wr(call);
	case TDH_MEM_PAGE_DEMOTE:
		return tdh_mem_page_demote(call);
	case TDH_MR_EXTEND:
		return tdh_mr_extend(call);
	case TDH_MR_FINALIZE:
		return tdh_mr_finalize(call);
	case TDH_VP_FLUSH:
		return tdh_vp_flush(call);
	case TDH_MNG_VPFLUSHDONE:
		return tdh_mng_vpflushdone(call);
	case TDH_MNG_KEY_FREEID:
		return tdh_mng_key_freeid(call);
	case TDH_MNG_INIT:
		return tdh_mng_init(call);
	case TDH_VP_INIT:
		return tdh_vp_init(call);
	case TDH_MEM_PAGE_PROMOTE:
		return tdh_mem_page_promote(call);
	case TDH_PHYMEM_PAGE_RDMD:
		return tdh_phymem_page_rdmd(call);
	case TDH_MEM_SEPT_RD:
		return tdh_mem_sept_rd(call);
	case TDH_VP_RD:
		return tdh_vp_rd(call);
	case TDH_MNG_KEY_RECLAIMID: /* leftovers of TDX 1.0 */
	case TDH_SYS_LP_SHUTDOWN:
		return TDX_SUCCESS;
	case TDH_PHYMEM_PAGE_RECLAIM:
		return tdh_phymem_page_reclaim(call);
	case TDH_MEM_PAGE_REMOVE:
		return tdh_mem_page_remove(call);
	case TDH_MEM_SEPT_REMOVE:
		return tdh_mem_sept_remove(call);
	case TDH_SYS_KEY_CONFIG:
		return tdh_sys_key_config(call);
	case TDH_SYS_INFO:
		return tdh_sys_info(call);
	case TDH_SYS_INIT:
		return tdh_sys_init(call);
	case TDH_SYS_RD:
		return tdh_sys_rd(call);
	case TDH_SYS_LP_INIT:
		return tdh_sys_lp_init(call);
	case TDH_SYS_TDMR_INIT:
		return tdh_sys_tdmr_init(call);
	case TDH_SYS_RDALL:
		return tdh_sys_rdall(call);
	case TDH_MEM_TRACK:
		return tdh_mem_track(call);
	case TDH_MEM_RANGE_UNBLOCK:
		return tdh_mem_range_unblock(call);
	case TDH_PHYMEM_CACHE_WB:
		return tdh_phymem_cache_wb(call);
	case TDH_PHYMEM_PAGE_WBINVD:
		return tdh_phymem_page_wbinvd(call);
	case TDH_VP_WR:
		return tdh_vp_wr(call);
	case TDH_SYS_CONFIG:
		return tdh_sys_config(call);
	case TDH_SYS_SHUTDOWN:
		return tdh_sys_shutdown(call);
	case TDH_SYS_UPDATE:
		return tdh_sys_update(call);
	default: /* unknown, or of a feature that this module lacks */
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	}
}

static uint64_t check_and_dispatch(struct call *call)
{
	uint64_t rax = call->gpr[TDX_RAX];
	enum sys_state state = atomic_load(&call->model->state);

	if (RAX_RESERVED(rax) != 0)
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	if (call->version != 0 && !has_versions(call->leaf))
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	if (state == SYS_SHUT_DOWN && call->leaf != TDH_SYS_LP_SHUTDOWN)
		return TDX_SYS_SHUTDOWN;
	if (state != SYS_READY && !works_before_ready(call->leaf) &&
	    call->leaf != TDH_SYS_LP_SHUTDOWN)
		return TDX_SYS_NOT_READY;
	return dispatch(call);
}

void tdx_model_seamcall(struct tdx_model *model, unsigned lp, struct tdx_regs *regs)
{
	uint64_t rax = regs->gpr[TDX_RAX];
	struct call call = {.model = model,
			    .lp = lp,
			    .leaf = RAX_LEAF(rax),
			    .version = RAX_VERSION(rax),
			    .gpr = regs->gpr};

	if (call.leaf < 128)
		atomic_fetch_add_explicit(&model->calls[call.leaf], 1, memory_order_relaxed);
	atomic_fetch_add(&model->lp[lp].depth, 1);
	regs->gpr[TDX_RAX] = check_and_dispatch(&call);
	atomic_fetch_sub(&model->lp[lp].depth, 1);
}
