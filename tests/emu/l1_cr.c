/* SPDX-License-Identifier: MIT */
/* CR4: TCG knows no VMXE, so L1's CR4 is shadowed. */
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/svm_insn.h"

/* VME..OSXMMEXCPT, UMIP, VMXE, FSGSBASE, OSXSAVE, SMEP, SMAP, PKE, PKS; no LA57, no PCIDE */
#define CR4_KNOWN UINT64_C(0x01752fff)

static bool cr4_is_legal(const struct lp *lp, uint64_t value)
{
	if ((value & ~CR4_KNOWN) != 0)
		return false;
	if ((lp->l1->efer & EFER_LMA) != 0 && (value & CR4_PAE) == 0)
		return false;
	return !lp->vmx.is_on || (value & CR4_VMXE) != 0;
}

static void write_cr4(struct lp *lp, uint64_t value, unsigned length)
{
	if (!cr4_is_legal(lp, value)) {
		l1_raise_error(lp, VECTOR_GP, 0);
		return;
	}
	lp->cr4 = value;
	lp->l1->cr4 = value & ~CR4_VMXE;
	l1_advance(lp, length);
}

static uint64_t read_cr(const struct lp *lp, unsigned cr)
{
	switch (cr) {
	case 0:
		return lp->l1->cr0;
	case 2:
		return lp->l1->cr2;
	case 3:
		return lp->l1->cr3;
	case 8:
		return insn_read_cr8();
	default:
		return lp->cr4;
	}
}

void l1_handle_cr4(struct lp *lp, bool is_write)
{
	struct gview g = l1_view(lp);
	struct insn in;
	uint64_t value;

	if (!insn_decode(&g, lp->gpr, &in) || in.map != MAP_0F ||
	    in.opcode != (is_write ? 0x22 : 0x20))
		emu_die(EMU_EXIT_FATAL, "L1 CR access at %#lx not understood", lp->l1->rip);
	if (is_write) {
		value = lp->gpr[in.rm];
		write_cr4(lp, vmcb_is_64bit(lp->l1) ? value : (uint32_t)value, in.length);
		return;
	}
	value = read_cr(lp, in.reg);
	lp->gpr[in.rm] = vmcb_is_64bit(lp->l1)
				 ? value
				 : (lp->gpr[in.rm] & ~UINT64_C(0xffffffff)) | (uint32_t)value;
	l1_advance(lp, in.length);
}
