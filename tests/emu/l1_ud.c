/* SPDX-License-Identifier: MIT */
/* Instructions that TCG does not have and a TDX server does. */
#include "tests/emu/l1.h"

#define LINE 64U

/* MOVDIR64B: 64 bytes from memory to the 64-byte aligned address in a register. */
static void do_movdir64b(struct lp *lp, const struct insn *in)
{
	struct gview g = l1_view(lp);
	uint64_t to = lp->gpr[in->reg];
	uint8_t line[LINE];
	size_t got;

	if (in->has_67 || !vmcb_is_64bit(lp->l1))
		to = (uint32_t)to;
	if (to % LINE != 0) {
		l1_raise_error(lp, VECTOR_GP, 0);
		return;
	}
	got = gview_read(&g, in->linear, line, LINE);
	if (got != LINE) {
		l1_mem_fault(lp, in->linear + got, false);
		return;
	}
	if (!gview_write(&g, to, line, LINE)) {
		l1_mem_fault(lp, to, true);
		return;
	}
	l1_advance(lp, in->length);
}

void l1_handle_ud(struct lp *lp)
{
	struct gview g = l1_view(lp);
	struct insn in;

	if (insn_decode(&g, lp->gpr, &in)) {
		if (in.map == MAP_0F38 && in.opcode == 0xf8 && in.has_66 && in.mod != 3) {
			do_movdir64b(lp, &in);
			return;
		}
		if (l1_vmx_instruction(lp, &in))
			return;
	}
	l1_raise(lp, VECTOR_UD);
}
