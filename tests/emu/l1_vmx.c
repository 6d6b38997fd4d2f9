/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions that a TDX host needs, and SEAMCALL. VMREAD, VMWRITE and
 * VMLAUNCH fail the way they fail on a CPU without a usable VMCS.
 */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/td.h"

#define NO_VMCS     (~UINT64_C(0))
#define REVISION_ID 0x13U

/* VM-instruction errors (SDM vol. 3, 31.4) */
enum {
	ERROR_VMCLEAR_BAD_ADDRESS = 2,
	ERROR_VMCLEAR_VMXON_POINTER = 3,
	ERROR_VMLAUNCH_BAD_CONTROLS = 7,
	ERROR_VMPTRLD_BAD_ADDRESS = 9,
	ERROR_VMPTRLD_VMXON_POINTER = 10,
	ERROR_VMPTRLD_BAD_REVISION = 11,
	ERROR_UNSUPPORTED_FIELD = 12,
	ERROR_VMXON_IN_VMX_ROOT = 15,
	ERROR_BAD_OPERAND = 28,
};

void l1_vmx_reset(struct lp *lp) { lp->vmx = (struct l1_vmx){.current_vmcs = NO_VMCS}; }

static void set_flags(struct lp *lp, uint64_t flags)
{
	lp->l1->rflags = (lp->l1->rflags & ~RFLAGS_ARITH) | flags;
}

static void succeed(struct lp *lp, const struct insn *in)
{
	set_flags(lp, 0);
	l1_advance(lp, in->length);
}

static void fail_invalid(struct lp *lp, const struct insn *in)
{
	set_flags(lp, RFLAGS_CF);
	l1_advance(lp, in->length);
}

/* VMfailValid if there is a current VMCS to hold the error number. */
static void fail(struct lp *lp, const struct insn *in, unsigned error)
{
	if (lp->vmx.current_vmcs == NO_VMCS) {
		fail_invalid(lp, in);
		return;
	}
	emu_log("tdxemu: cpu%u VM instruction error %u at %#lx", lp->index, error, lp->l1->rip);
	set_flags(lp, RFLAGS_ZF);
	l1_advance(lp, in->length);
}

static bool read_operand(struct lp *lp, const struct insn *in, void *data, size_t size)
{
	struct gview g = l1_view(lp);
	size_t got = gview_read(&g, in->linear, data, size);

	if (got != size)
		l1_mem_fault(lp, in->linear + got, false);
	return got == size;
}

static bool is_vmcs_address(uint64_t pa)
{
	return (pa & 0xfff) == 0 && pa >> EMU_HPA_BITS == 0;
}

static bool has_revision(const struct lp *lp, uint64_t pa)
{
	struct gview g = l1_view(lp);
	const void *p = g.memory(g.ctx, pa);
	uint32_t revision;

	if (p == NULL)
		return false;
	memcpy(&revision, p, sizeof(revision));
	return revision == REVISION_ID;
}

/* Where VMXON is not possible at all. */
static bool vmxon_allowed(struct lp *lp)
{
	if ((lp->cr4 & CR4_VMXE) == 0 || !vmcb_is_64bit(lp->l1)) {
		l1_raise(lp, VECTOR_UD);
		return false;
	}
	if (lp->l1->cpl != 0 ||
	    (lp->l1->cr0 & (CR0_NE | CR0_PG | CR0_PE)) != (CR0_NE | CR0_PG | CR0_PE)) {
		l1_raise_error(lp, VECTOR_GP, 0);
		return false;
	}
	return true;
}

static void do_vmxon(struct lp *lp, const struct insn *in)
{
	uint64_t pa;

	if (!vmxon_allowed(lp) || !read_operand(lp, in, &pa, sizeof(pa)))
		return;
	if (lp->vmx.is_on) {
		fail(lp, in, ERROR_VMXON_IN_VMX_ROOT);
		return;
	}
	if (!is_vmcs_address(pa) || !has_revision(lp, pa)) {
		fail_invalid(lp, in);
		return;
	}
	lp->vmx = (struct l1_vmx){.is_on = true, .vmxon_pointer = pa, .current_vmcs = NO_VMCS};
	succeed(lp, in);
}

static void do_vmclear(struct lp *lp, const struct insn *in)
{
	uint64_t pa;

	if (!read_operand(lp, in, &pa, sizeof(pa)))
		return;
	if (!is_vmcs_address(pa)) {
		fail(lp, in, ERROR_VMCLEAR_BAD_ADDRESS);
		return;
	}
	if (pa == lp->vmx.vmxon_pointer) {
		fail(lp, in, ERROR_VMCLEAR_VMXON_POINTER);
		return;
	}
	if (pa == lp->vmx.current_vmcs)
		lp->vmx.current_vmcs = NO_VMCS;
	succeed(lp, in);
}

static void do_vmptrld(struct lp *lp, const struct insn *in)
{
	uint64_t pa;

	if (!read_operand(lp, in, &pa, sizeof(pa)))
		return;
	if (!is_vmcs_address(pa)) {
		fail(lp, in, ERROR_VMPTRLD_BAD_ADDRESS);
		return;
	}
	if (pa == lp->vmx.vmxon_pointer) {
		fail(lp, in, ERROR_VMPTRLD_VMXON_POINTER);
		return;
	}
	if (!has_revision(lp, pa)) {
		fail(lp, in, ERROR_VMPTRLD_BAD_REVISION);
		return;
	}
	lp->vmx.current_vmcs = pa;
	succeed(lp, in);
}

static void do_vmptrst(struct lp *lp, const struct insn *in)
{
	struct gview g = l1_view(lp);

	if (!gview_write(&g, in->linear, &lp->vmx.current_vmcs, sizeof(lp->vmx.current_vmcs))) {
		l1_mem_fault(lp, in->linear, true);
		return;
	}
	succeed(lp, in);
}

/* Type 1: one EPT pointer, type 2: all. */
static void do_invept(struct lp *lp, const struct insn *in)
{
	uint64_t descriptor[2];
	uint64_t type = lp->gpr[in->reg];

	if (!read_operand(lp, in, descriptor, sizeof(descriptor)))
		return;
	if ((type != 1 && type != 2) || descriptor[1] != 0) {
		fail(lp, in, ERROR_BAD_OPERAND);
		return;
	}
	td_forget_shared(type == 1 ? descriptor[0] & NPT_ADDR : 0);
	succeed(lp, in);
}

static void do_invvpid(struct lp *lp, const struct insn *in)
{
	uint64_t descriptor[2];
	uint64_t type = lp->gpr[in->reg];
	bool needs_vpid = type != 2;

	if (!read_operand(lp, in, descriptor, sizeof(descriptor)))
		return;
	if (type > 3 || descriptor[0] >> 16 != 0 || (needs_vpid && descriptor[0] == 0)) {
		fail(lp, in, ERROR_BAD_OPERAND);
		return;
	}
	succeed(lp, in);
}

static void do_vmxoff(struct lp *lp, const struct insn *in)
{
	l1_vmx_reset(lp);
	succeed(lp, in);
}

/* Instructions that need VMX operation, CPL 0 and 64-bit code. */
static bool in_vmx_root(struct lp *lp)
{
	if (!lp->vmx.is_on || !vmcb_is_64bit(lp->l1)) {
		l1_raise(lp, VECTOR_UD);
		return false;
	}
	if (lp->l1->cpl != 0) {
		l1_raise_error(lp, VECTOR_GP, 0);
		return false;
	}
	return true;
}

static void do_seamcall(struct lp *lp, const struct insn *in)
{
	struct tdx_regs regs;

	if (emu.seamrr_disabled) {
		l1_raise_error(lp, VECTOR_GP, 0);
		return;
	}
	/* RAX bit 63 calls the P-SEAMLDR, which this machine does not have. */
	if (emu.model == NULL || lp->gpr[TDX_RAX] >> 63 != 0) {
		fail_invalid(lp, in);
		return;
	}
	memcpy(regs.gpr, lp->gpr, sizeof(regs.gpr));
	tdx_model_seamcall(emu.model, lp->index, &regs);
	td_leave(lp);
	regs.gpr[TDX_RSP] = lp->gpr[TDX_RSP];
	memcpy(lp->gpr, regs.gpr, sizeof(regs.gpr));
	succeed(lp, in);
}

typedef void (*operation_fn)(struct lp *lp, const struct insn *in);

/* Group 7 without memory operand: 0F 01 with this ModRM byte. */
static operation_fn group7(const struct insn *in)
{
	unsigned modrm = 0xc0U | (in->reg & 7U) << 3 | (in->rm & 7U);

	if (in->mod != 3)
		return NULL;
	if (modrm == 0xcf && in->has_66)
		return do_seamcall;
	if (modrm == 0xc4)
		return do_vmxoff;
	return NULL;
}

/* Group 9 with memory operand: 0F C7 /6 and /7. */
static operation_fn group9(const struct insn *in)
{
	if (in->mod == 3)
		return NULL;
	if ((in->reg & 7) == 7)
		return do_vmptrst;
	if ((in->reg & 7) != 6)
		return NULL;
	if (in->has_66)
		return do_vmclear;
	return do_vmptrld;
}

static void do_field_access(struct lp *lp, const struct insn *in)
{
	fail(lp, in, ERROR_UNSUPPORTED_FIELD);
}

static void do_entry(struct lp *lp, const struct insn *in)
{
	fail(lp, in, ERROR_VMLAUNCH_BAD_CONTROLS);
}

static operation_fn find_operation(const struct insn *in)
{
	if (in->map == MAP_0F38 && in->has_66 && in->mod != 3) {
		if (in->opcode == 0x80)
			return do_invept;
		return in->opcode == 0x81 ? do_invvpid : NULL;
	}
	if (in->map != MAP_0F)
		return NULL;
	if (in->opcode == 0x78 || in->opcode == 0x79)
		return do_field_access;
	if (in->opcode == 0xc7)
		return group9(in);
	if (in->opcode != 0x01)
		return NULL;
	if (in->mod == 3 && in->reg == 0 && (in->rm == 2 || in->rm == 3))
		return do_entry;
	return group7(in);
}

bool l1_vmx_instruction(struct lp *lp, const struct insn *in)
{
	operation_fn operation;

	/* VMXON alone works outside VMX operation: F3 0F C7 /6. */
	if (in->map == MAP_0F && in->opcode == 0xc7 && in->has_f3 && in->mod != 3 &&
	    (in->reg & 7) == 6) {
		do_vmxon(lp, in);
		return true;
	}
	operation = find_operation(in);
	if (operation == NULL)
		return false;
	if (in_vmx_root(lp))
		operation(lp, in);
	return true;
}
