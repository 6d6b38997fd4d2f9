/* SPDX-License-Identifier: MIT */
/*
 * Instructions of a TD that TCG reports as #UD: TDCALL and the VMX family are
 * VM exits for the module; what TCG merely lacks stays #UD, as the TD's CPUID
 * (filtered) says.
 */
#include "tests/emu/td.h"

enum {
	VMX_GETSEC = 11,
	VMX_VMCALL = 18,
	VMX_VMCLEAR = 19,
	VMX_VMLAUNCH = 20,
	VMX_VMPTRLD = 21,
	VMX_VMPTRST = 22,
	VMX_VMREAD = 23,
	VMX_VMRESUME = 24,
	VMX_VMWRITE = 25,
	VMX_VMXOFF = 26,
	VMX_VMXON = 27,
	VMX_INVEPT = 50,
	VMX_INVVPID = 53,
	VMX_SEAMCALL = 76,
	VMX_TDCALL = 77,
	NO_EXIT = -1,
};

static int register_form(const struct insn *in)
{
	switch ((unsigned)(in->reg & 7) << 3 | (in->rm & 7U)) {
	case 001:
		return VMX_VMCALL;
	case 002:
		return VMX_VMLAUNCH;
	case 003:
		return VMX_VMRESUME;
	case 004:
		return VMX_VMXOFF;
	case 014:
		return in->has_66 ? VMX_TDCALL : NO_EXIT;
	case 017:
		return in->has_66 ? VMX_SEAMCALL : NO_EXIT;
	default:
		return NO_EXIT;
	}
}

static int memory_form(const struct insn *in)
{
	if ((in->reg & 7) == 7)
		return VMX_VMPTRST;
	if ((in->reg & 7) != 6)
		return NO_EXIT;
	if (in->has_f3)
		return VMX_VMXON;
	return in->has_66 ? VMX_VMCLEAR : VMX_VMPTRLD;
}

static int exit_reason(const struct insn *in)
{
	if (in->map == MAP_0F38 && in->has_66 && in->mod != 3 && in->opcode == 0x80)
		return VMX_INVEPT;
	if (in->map == MAP_0F38 && in->has_66 && in->mod != 3 && in->opcode == 0x81)
		return VMX_INVVPID;
	if (in->map != MAP_0F)
		return NO_EXIT;
	switch (in->opcode) {
	case 0x01:
		return in->mod == 3 ? register_form(in) : NO_EXIT;
	case 0x37:
		return VMX_GETSEC;
	case 0x78:
		return VMX_VMREAD;
	case 0x79:
		return VMX_VMWRITE;
	case 0xc7:
		return in->mod != 3 ? memory_form(in) : NO_EXIT;
	default:
		return NO_EXIT;
	}
}

bool td_handle_ud(struct td_run *r)
{
	struct gview g = td_view(r);
	struct insn in;
	int reason = insn_decode(&g, r->gpr, &in) ? exit_reason(&in) : NO_EXIT;

	if (reason == NO_EXIT) {
		td_raise(r, 6);
		return false;
	}
	r->exit->reason = (uint32_t)reason;
	r->exit->instruction_length = in.length;
	return true;
}
