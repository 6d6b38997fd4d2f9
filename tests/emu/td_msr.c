/* SPDX-License-Identifier: MIT */
/* MSRs of a TD: all are intercepted; those that the module calls native are done here. */
#include "tests/emu/emu.h"
#include "tests/emu/svm_insn.h"
#include "tests/emu/td.h"

enum {
	VMX_RDMSR = 31,
	VMX_WRMSR = 32,

	MSR_TSC = 0x10,
	MSR_SPEC_CTRL = 0x48,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
	MSR_PAT = 0x277,
	MSR_X2APIC_FIRST = 0x800,
	MSR_X2APIC_LAST = 0x8ff,
	MSR_XSS = 0xda0,
};

#define MSR_EFER    UINT32_C(0xc0000080)
#define MSR_STAR    UINT32_C(0xc0000081)
#define MSR_LSTAR   UINT32_C(0xc0000082)
#define MSR_CSTAR   UINT32_C(0xc0000083)
#define MSR_FMASK   UINT32_C(0xc0000084)
#define MSR_TSC_AUX UINT32_C(0xc0000103)

/* Where a native MSR lives, or NULL: it reads as 0 and writes do nothing. */
static uint64_t *storage_of(struct td_run *r, uint32_t msr)
{
	struct vmcb *v = r->vmcb;

	switch (msr) {
	case MSR_SPEC_CTRL:
		return &r->state->spec_ctrl;
	case MSR_XSS: /* for reading; the module decides about writes, as for EFER */
		return &r->state->xss;
	case MSR_EFER:
		return &r->state->efer;
	case MSR_SYSENTER_CS:
		return &v->sysenter_cs;
	case MSR_SYSENTER_ESP:
		return &v->sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &v->sysenter_eip;
	case MSR_PAT:
		return &r->state->pat;
	case MSR_STAR:
		return &v->star;
	case MSR_LSTAR:
		return &v->lstar;
	case MSR_CSTAR:
		return &v->cstar;
	case MSR_FMASK:
		return &v->sfmask;
	case MSR_TSC_AUX:
		return &r->state->tsc_aux;
	default:
		return NULL;
	}
}

static bool is_canonical(uint64_t address)
{
	int64_t top = (int64_t)address >> 47;

	return top == 0 || top == -1;
}

static bool pat_is_legal(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		uint64_t type = value >> 8 * i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool value_is_legal(uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_PAT:
		return pat_is_legal(value);
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
		return is_canonical(value);
	case MSR_FMASK:
	case MSR_TSC_AUX:
		return value >> 32 == 0;
	default:
		return true;
	}
}

static bool read_native(struct td_run *r, uint32_t msr, uint64_t *value)
{
	const uint64_t *where = storage_of(r, msr);

	if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
		return td_apic_msr_read(r, msr, value);
	if (msr == MSR_TSC)
		*value = insn_rdtsc() + r->vmcb->tsc_offset;
	else
		*value = where == NULL ? 0 : *where;
	return true;
}

static bool write_native(struct td_run *r, uint32_t msr, uint64_t value)
{
	uint64_t *where = storage_of(r, msr);

	if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
		return td_apic_msr_write(r, msr, value);
	if (!value_is_legal(msr, value))
		return false;
	if (where != NULL)
		*where = value;
	if (msr == MSR_TSC_AUX)
		insn_wrmsr(MSR_TSC_AUX, value);
	return true;
}

bool td_handle_msr(struct td_run *r)
{
	uint32_t msr = (uint32_t)r->gpr[TDX_RCX];
	bool is_write = r->vmcb->exit_info1 != 0;
	uint64_t value = r->gpr[TDX_RDX] << 32 | (uint32_t)r->gpr[TDX_RAX];
	bool ok;

	if (!tdx_model_msr_is_native(emu.model, r->view, msr, is_write)) {
		r->exit->reason = is_write ? VMX_WRMSR : VMX_RDMSR;
		r->exit->instruction_length = 2;
		return true;
	}
	ok = is_write ? write_native(r, msr, value) : read_native(r, msr, &value);
	if (!ok) {
		td_raise_error(r, 13, 0);
		return false;
	}
	if (!is_write) {
		r->gpr[TDX_RAX] = (uint32_t)value;
		r->gpr[TDX_RDX] = value >> 32;
	}
	td_advance(r, 2);
	return false;
}
