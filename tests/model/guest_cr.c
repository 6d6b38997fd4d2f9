/* SPDX-License-Identifier: MIT */
/* CR0, CR4 and XCR0 of a guest. */
#include "tests/model/guest.h"

#define CR0_PE   (UINT64_C(1) << 0)
#define CR0_NE   (UINT64_C(1) << 5)
#define CR0_WP   (UINT64_C(1) << 16)
#define CR0_NW   (UINT64_C(1) << 29)
#define CR0_CD   (UINT64_C(1) << 30)
#define CR0_PG   (UINT64_C(1) << 31)
#define CR0_LMSW UINT64_C(0xe) /* what LMSW can change: TS, EM, MP */
/* Bits whose new value is silently dropped. */
#define CR0_IGNORED (UINT64_C(0x1ff80000) | UINT64_C(1) << 17 | UINT64_C(0xffc0))

#define CR4_MCE      (UINT64_C(1) << 6)
#define CR4_VMXE     (UINT64_C(1) << 13)
#define CR4_SMXE     (UINT64_C(1) << 14)
#define CR4_PKE      (UINT64_C(1) << 22)
#define CR4_CET      (UINT64_C(1) << 23)
#define CR4_KL       (UINT64_C(1) << 19)
#define CR4_PKS      (UINT64_C(1) << 24)
#define CR4_UINTR    (UINT64_C(1) << 25)
#define CR4_RESERVED (~UINT64_C(0x3ff7fff))

#define CR_NUMBER(qual)   ((unsigned)((qual)&0xf))
#define CR_TYPE(qual)     ((unsigned)((qual) >> 4 & 3))
#define CR_REGISTER(qual) ((unsigned)((qual) >> 8 & 0xf))
#define CR_MOV_TO         0
#define CR_LMSW           3

/*
 * The CPU brings only writes that would change a bit which the module owns. What the CPU
 * itself refuses is #GP, the rest #VE, but for bits whose new value it drops silently.
 */
static enum guest_result write_cr0(struct guest *guest, uint64_t value)
{
	const struct tdx_model *model = guest->call->model;
	struct tdx_guest_state *s = guest->vp->state;
	uint64_t fixed0 = msr_sampled(model, IA32_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG);

	if ((~value & fixed0) || (value & ~msr_sampled(model, IA32_VMX_CR0_FIXED1)))
		return guest_inject_gp(guest);
	if ((value & CR0_PG) && !(value & CR0_PE))
		return guest_inject_gp(guest);
	if (!(value & CR0_WP) && (s->cr4 & CR4_CET))
		return guest_inject_gp(guest);
	if (!(value & CR0_PE) || !(value & CR0_NE) || (value & (CR0_NW | CR0_CD)) ||
	    value >> 32)
		return guest_inject_ve(guest, guest->exit.qualification, 0, 0);
	s->cr0 = (s->cr0 & CR0_IGNORED) | (value & ~CR0_IGNORED);
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

/* Bits that the TD's configuration does not offer. */
static uint64_t cr4_not_offered(const struct tdcs *cs)
{
	uint64_t bits = CR4_KL;

	bits |= cs->xfam & 0x200 ? 0 : CR4_PKE;
	bits |= (cs->xfam & 0x1800) == 0x1800 ? 0 : CR4_CET;
	bits |= cs->xfam & 0x4000 ? 0 : CR4_UINTR;
	bits |= cs->attributes & ATTR_PKS ? 0 : CR4_PKS;
	return bits;
}

/* As CR0, but no change of an owned bit is ever carried out. */
static enum guest_result write_cr4(struct guest *guest, uint64_t value)
{
	const struct tdx_model *model = guest->call->model;
	uint64_t fixed0 = msr_sampled(model, IA32_VMX_CR4_FIXED0) & ~CR4_VMXE;

	if ((~value & fixed0) || (value & ~msr_sampled(model, IA32_VMX_CR4_FIXED1)))
		return guest_inject_gp(guest);
	if (value & cr4_not_offered(guest->vp->td.cs))
		return guest_inject_gp(guest);
	if ((value & CR4_CET) && !(guest->vp->state->cr0 & CR0_WP))
		return guest_inject_gp(guest);
	return guest_inject_ve(guest, guest->exit.qualification, 0, 0);
}

static enum guest_result load_msw(struct guest *guest, uint64_t word)
{
	struct tdx_guest_state *s = guest->vp->state;

	s->cr0 = (s->cr0 & ~CR0_LMSW) | (word & CR0_LMSW);
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}

enum guest_result guest_cr_access(struct guest *guest)
{
	uint64_t qual = guest->exit.qualification;
	uint64_t value = guest->vp->state->gpr[CR_REGISTER(qual)];

	if (CR_TYPE(qual) == CR_LMSW)
		return load_msw(guest, qual >> 16);
	if (CR_TYPE(qual) == CR_MOV_TO && CR_NUMBER(qual) == 0)
		return write_cr0(guest, value);
	if (CR_TYPE(qual) == CR_MOV_TO && CR_NUMBER(qual) == 4)
		return write_cr4(guest, value);
	return guest_unexpected_exit(guest);
}

/* Whatever a machine brings of CR0 and CR4, these bits the module owns. */
uint64_t guest_cr0_mask(const struct tdx_model *model)
{
	return (~CR0_PG & (msr_sampled(model, IA32_VMX_CR0_FIXED0) |
			   ~msr_sampled(model, IA32_VMX_CR0_FIXED1))) |
	       CR0_PE | CR0_NE | CR0_NW | CR0_CD | CR0_IGNORED | ~UINT64_C(0xffffffff);
}

uint64_t guest_cr4_mask(const struct tdx_model *model, const struct tdcs *cs)
{
	return msr_sampled(model, IA32_VMX_CR4_FIXED0) |
	       ~msr_sampled(model, IA32_VMX_CR4_FIXED1) | CR4_MCE | CR4_VMXE | CR4_SMXE |
	       CR4_RESERVED | cr4_not_offered(cs);
}

/* XCR0: x87 always, within XFAM, and AVX-512 and AMX as wholes. */
enum guest_result guest_xsetbv(struct guest *guest)
{
	struct tdx_guest_state *s = guest->vp->state;
	uint64_t value = (s->gpr[TDX_RDX] << 32) | (s->gpr[TDX_RAX] & UINT32_MAX);
	uint64_t user = UINT64_C(0x602e7) & guest->vp->td.cs->xfam;

	if ((s->gpr[TDX_RCX] & UINT32_MAX) != 0 || !(value & 1) || (value & ~user))
		return guest_inject_gp(guest);
	if ((value & 4) && !(value & 2))
		return guest_inject_gp(guest);
	if ((value & 0xe0) && (value & 0xe6) != 0xe6)
		return guest_inject_gp(guest);
	if ((value & 0x60000) && (value & 0x60000) != 0x60000)
		return guest_inject_gp(guest);
	s->xcr0 = value;
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}
