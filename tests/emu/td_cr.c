/* SPDX-License-Identifier: MIT */
/*
 * Control registers of a TD: guest/host masks and shadows as VMX has them. A
 * change of a bit that the module owns is exit 28; all others happen here.
 */
#include "tests/emu/console.h"
#include "tests/emu/td.h"

#define VMX_CR_ACCESS 28U

#define ACCESS_MOV_TO   UINT64_C(0x00)
#define ACCESS_CLTS     UINT64_C(0x20)
#define ACCESS_LMSW     UINT64_C(0x30)
#define QUAL_GPR_SHIFT  8
#define QUAL_LMSW_SHIFT 16

#define LMSW_BITS UINT64_C(0xf)

/* Bits that TCG has; writing any other would make it refuse the VMCB. */
#define CR4_POSSIBLE UINT64_C(0x01753fff)

static uint64_t visible(uint64_t real, uint64_t mask, uint64_t shadow)
{
	return (real & ~mask) | (shadow & mask);
}

static uint64_t cr0_visible(const struct td_run *r)
{
	return visible(r->state->cr0, r->state->cr0_mask, r->state->cr0_shadow);
}

static uint64_t cr4_visible(const struct td_run *r)
{
	return visible(r->state->cr4, r->state->cr4_mask, r->state->cr4_shadow);
}

static bool report(struct td_run *r, const struct insn *in, uint64_t qualification)
{
	r->exit->reason = VMX_CR_ACCESS;
	r->exit->qualification = qualification;
	r->exit->instruction_length = in->length;
	return true;
}

static bool cr0_is_legal(const struct td_run *r, uint64_t value)
{
	const struct tdx_guest_state *s = r->state;

	if (value >> 32 != 0)
		return false;
	if ((value & CR0_PG) == 0)
		return !vmcb_is_64bit(r->vmcb);
	return (s->efer & EFER_LME) == 0 || (s->cr4 & CR4_PAE) != 0;
}

static bool write_cr0(struct td_run *r, const struct insn *in, uint64_t value, uint64_t access)
{
	uint64_t mask = r->state->cr0_mask;

	if (((value ^ r->state->cr0_shadow) & mask) != 0)
		return report(r, in, access);
	value = (r->state->cr0 & mask) | (value & ~mask);
	if (!cr0_is_legal(r, value)) {
		td_raise_error(r, 13, 0);
		return false;
	}
	td_paging_set_cr0(r, value | 0x10); /* ET is hardwired */
	td_advance(r, in->length);
	return false;
}

static bool cr4_is_legal(const struct td_run *r, uint64_t value)
{
	const struct tdx_guest_state *s = r->state;

	if ((value & ~CR4_POSSIBLE) != 0)
		return false;
	if ((s->efer & EFER_LMA) == 0)
		return true;
	return (value & CR4_PAE) != 0 && ((value ^ s->cr4) & CR4_LA57) == 0;
}

static bool write_cr4(struct td_run *r, const struct insn *in, uint64_t value, uint64_t access)
{
	uint64_t mask = r->state->cr4_mask;

	if (((value ^ r->state->cr4_shadow) & mask) != 0)
		return report(r, in, access);
	value = (r->state->cr4 & mask) | (value & ~mask);
	if (!cr4_is_legal(r, value)) {
		td_raise_error(r, 13, 0);
		return false;
	}
	td_paging_set_cr4(r, value);
	td_advance(r, in->length);
	return false;
}

/* Trapped only while our tables stand in for the guest's. */
static bool write_cr3(struct td_run *r, const struct insn *in, uint64_t value)
{
	r->state->cr3 = value;
	td_advance(r, in->length);
	return false;
}

static bool write_cr(struct td_run *r, const struct insn *in)
{
	uint64_t value = r->gpr[in->rm];
	uint64_t access = in->reg | ACCESS_MOV_TO | (uint64_t)in->rm << QUAL_GPR_SHIFT;

	if (!vmcb_is_64bit(r->vmcb))
		value = (uint32_t)value;
	if (in->reg == 0)
		return write_cr0(r, in, value, access);
	if (in->reg == 3)
		return write_cr3(r, in, value);
	return write_cr4(r, in, value, access);
}

static bool read_cr(struct td_run *r, const struct insn *in)
{
	uint64_t value = cr4_visible(r);

	if (in->reg == 0)
		value = cr0_visible(r);
	else if (in->reg == 3)
		value = r->state->cr3;
	r->gpr[in->rm] = vmcb_is_64bit(r->vmcb)
				 ? value
				 : (r->gpr[in->rm] & ~UINT64_C(0xffffffff)) | (uint32_t)value;
	td_advance(r, in->length);
	return false;
}

static bool clear_ts(struct td_run *r, const struct insn *in)
{
	if ((r->state->cr0_mask & CR0_TS) != 0 && (r->state->cr0_shadow & CR0_TS) != 0)
		return report(r, in, ACCESS_CLTS);
	return write_cr0(r, in, cr0_visible(r) & ~CR0_TS, ACCESS_CLTS);
}

/* LMSW cannot clear PE. */
static bool load_msw(struct td_run *r, const struct insn *in)
{
	struct gview g = td_view(r);
	uint16_t source = 0;
	uint64_t value;

	if (in->mod == 3)
		source = (uint16_t)r->gpr[in->rm];
	else
		gview_read(&g, in->linear, &source, sizeof(source));
	value = (cr0_visible(r) & ~(LMSW_BITS & ~CR0_PE)) | (source & LMSW_BITS);
	return write_cr0(r, in, value, ACCESS_LMSW | (uint64_t)source << QUAL_LMSW_SHIFT);
}

static bool store_msw(struct td_run *r, const struct insn *in)
{
	struct gview g = td_view(r);
	uint64_t value = cr0_visible(r);

	if (in->mod == 3)
		r->gpr[in->rm] = value;
	else
		gview_write(&g, in->linear, &value, sizeof(uint16_t));
	td_advance(r, in->length);
	return false;
}

static bool is_handled(unsigned cr) { return cr == 0 || cr == 3 || cr == 4; }

bool td_handle_cr(struct td_run *r)
{
	struct gview g = td_view(r);
	struct insn in;

	if (insn_decode(&g, r->gpr, &in) && in.map == MAP_0F) {
		if (in.opcode == 0x22 && is_handled(in.reg))
			return write_cr(r, &in);
		if (in.opcode == 0x20 && is_handled(in.reg))
			return read_cr(r, &in);
		if (in.opcode == 0x06)
			return clear_ts(r, &in);
		if (in.opcode == 0x01 && (in.reg & 7) == 6)
			return load_msw(r, &in);
		if (in.opcode == 0x01 && (in.reg & 7) == 4)
			return store_msw(r, &in);
	}
	emu_die(EMU_EXIT_FATAL,
		"TD CR access %#lx at %#lx not understood (%u bytes: %x %x %x), cr0 %#lx",
		r->vmcb->exit_code, r->vmcb->rip, in.count, in.bytes[0], in.bytes[1],
		in.bytes[2], r->vmcb->cr0);
}
