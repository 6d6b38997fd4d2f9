/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "tdx/global.h"
#include "tdx/td_private.h"

static enum status create_tdvpr(struct td *td, struct td_vcpu *vcpu)
{
	enum status s = td_frame_take(td, LEVEL_4K, FRAME_TD_CONTROL, &vcpu->tdvpr.pa);

	if (s)
		return s;
	vcpu->td = td;
	s = td_result(td, tdh_vp_create(vcpu), "vCPU creation");
	if (s) {
		frame_free(vcpu->tdvpr.pa, PAGE_SIZE);
		vcpu->tdvpr.pa = hpa(0);
		return s;
	}
	vcpu->index = td->vcpu_count;
	vcpu->assoc_cpu = -1;
	td->vcpus[td->vcpu_count++] = vcpu;
	log_info("KeyID %u: vCPU %u is TDVPR %#lx", td->hkid, vcpu->index, vcpu->tdvpr.pa.raw);
	return STATUS_OK;
}

static enum status init_vcpu(struct td *td, struct td_vcpu *vcpu, uint64_t rcx)
{
	enum status s = td_result(td, tdh_vp_init(vcpu, rcx), "vCPU initialisation");

	if (!s)
		vcpu->assoc_cpu = (int)this_cpu();
	return s;
}

enum status td_vcpu_create(struct td *td, struct td_vcpu *vcpu, uint64_t rcx)
{
	enum status s;

	if (td->is_finalized || td->is_dead)
		return STATUS_BAD_STATE;
	if (td->vcpu_count == td->params.max_vcpus)
		return STATUS_BAD_ARG;
	s = create_tdvpr(td, vcpu);
	if (s)
		return s;
	s = td_add_control_pages(td, vcpu, tdx_global()->tdvps_size - PAGE_SIZE);
	if (!s)
		s = init_vcpu(td, vcpu, rcx);
	/* The module has a vCPU that is of no use and cannot be taken back alone. */
	if (s)
		atomic_store(&td->is_dead, true);
	return s;
}

/* ---- Leaves that must run where the vCPU is associated ---- */

static enum status vp_result(struct td_vcpu *vcpu, tdx_status_t s, const char *what)
{
	if (!tdx_is_error(s)) {
		atomic_store(&vcpu->assoc_cpu, (int)this_cpu());
		return STATUS_OK;
	}
	if (tdx_code(s) == TDX_OPERAND_BUSY || tdx_code(s) == TDX_VCPU_ASSOCIATED)
		return STATUS_BUSY;
	td_log_failure(vcpu->td, what);
	return STATUS_HW_FAULT;
}

static enum status write_field(struct td_vcpu *vcpu, uint64_t field, uint64_t value,
			       uint64_t mask)
{
	return vp_result(vcpu, tdh_vp_wr(vcpu, field, value, mask), "vCPU field");
}

/* The descriptor and its vector go first: the module refuses to enable posting without them. */
enum status td_vcpu_configure(struct td_vcpu *vcpu, hpa_t pid, uint8_t vector,
			      hpa_t shared_ept_root)
{
	enum status s = write_field(vcpu, MD_VP_POSTED_DESCRIPTOR, pid.raw, UINT64_MAX);

	if (!s)
		s = write_field(vcpu, MD_VP_NOTIFICATION_VECTOR, vector, UINT64_C(0xffff));
	if (!s)
		s = write_field(vcpu, MD_VP_PIN_CONTROLS, VP_PIN_POSTED_INTERRUPTS,
				VP_PIN_POSTED_INTERRUPTS);
	if (!s)
		s = write_field(vcpu, MD_VP_SHARED_EPTP, shared_ept_root.raw,
				VP_SHARED_EPTP_MASK);
	return s;
}

tdx_status_t td_vcpu_enter(struct td_vcpu *vcpu, struct seamcall_regs *regs)
{
	tdx_status_t s = tdh_vp_enter(vcpu, regs);
	int cpu = (int)this_cpu();

	if (atomic_load_explicit(&vcpu->assoc_cpu, memory_order_relaxed) != cpu &&
	    tdx_code(s) != TDX_VCPU_ASSOCIATED)
		atomic_store_explicit(&vcpu->assoc_cpu, cpu, memory_order_relaxed);
	return s;
}

enum status td_vcpu_interrupt_pending(struct td_vcpu *vcpu, bool *pending)
{
	uint64_t details;
	enum status s =
		vp_result(vcpu, tdh_vp_rd(vcpu, MD_VP_STATE_DETAILS, &details), "vCPU state");

	if (!s)
		*pending = details & VP_STATE_INTERRUPT_PENDING;
	return s;
}

enum status td_vcpu_pend_nmi(struct td_vcpu *vcpu)
{
	return write_field(vcpu, MD_VP_PEND_NMI, 1, UINT64_C(0xff));
}

enum status td_vcpu_flush(struct td_vcpu *vcpu)
{
	tdx_status_t s = tdh_vp_flush(vcpu);
	enum status st = STATUS_OK;

	if (tdx_code(s) != TDX_VCPU_NOT_ASSOCIATED)
		st = td_result(vcpu->td, s, "vCPU flush");
	if (!st)
		atomic_store(&vcpu->assoc_cpu, -1);
	return st;
}
