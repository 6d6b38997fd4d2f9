/* SPDX-License-Identifier: MIT */
/* TDCALL: the leaves that a guest may call. */
#include "tests/model/guest.h"

#include <string.h>

#define CS_LONG              0x2000u
#define TDREPORT_SIZE        1024
#define REPORTDATA_SIZE      64
#define REPORTMACSTRUCT_SIZE 256
#define REPORT_TYPE_TDX      0x81
#define REPORT_MAC_AT        224
#define REPORT_MAC_SIZE      32
#define L2_STATE_ALIGN       256

/* Result of a leaf that is neither done nor refused. */
#define TDCALL_UNDECIDED (~UINT64_C(0))

static uint64_t vmcall(struct guest *guest, enum guest_result *result)
{
	if (!guest_vmcall(guest))
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	*result = GUEST_EXIT;
	return TDCALL_UNDECIDED;
}

static uint64_t vp_info(struct guest *guest, uint64_t *gpr)
{
	const struct tdcs *cs = guest->vp->td.cs;

	gpr[TDX_RCX] = td_gpa_bits(&guest->vp->td);
	gpr[TDX_RDX] = cs->attributes;
	gpr[TDX_R8] = (uint64_t)cs->max_vcpus << 32 | atomic_load(&cs->vcpu_count);
	gpr[TDX_R9] = guest->vp->vcpu->index;
	gpr[TDX_R10] = 1; /* TDG.SYS.RD exists */
	gpr[TDX_R11] = 0;
	return TDX_SUCCESS;
}

static uint64_t veinfo_get(struct guest *guest, uint64_t *gpr)
{
	struct ve_info ve = guest->vp->vcpu->ve;

	if (!ve.valid)
		ve = (struct ve_info){0};
	gpr[TDX_RCX] = ve.exit_reason;
	gpr[TDX_RDX] = ve.qualification;
	gpr[TDX_R8] = ve.gla;
	gpr[TDX_R9] = ve.gpa;
	gpr[TDX_R10] = (uint64_t)ve.instruction_info << 32 | ve.instruction_length;
	guest->vp->vcpu->ve.valid = false;
	return ve.valid ? TDX_SUCCESS : TDX_NO_VALID_VE_INFO;
}

static uint64_t cpuidve_set(struct guest *guest, const uint64_t *gpr)
{
	if (gpr[TDX_RCX] > 3)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	guest->vp->vcpu->cpuid_supervisor_ve = gpr[TDX_RCX] & 1;
	guest->vp->vcpu->cpuid_user_ve = gpr[TDX_RCX] >> 1 & 1;
	return TDX_SUCCESS;
}

/* ---- operands in memory --------------------------------------------------- */

enum operand_kind { PRIVATE_ONLY, PRIVATE_OR_SHARED };

/* Pointer to what the GPA in register `operand` names; UNDECIDED if the access faults. */
static uint64_t map_operand(struct guest *guest, unsigned operand, uint64_t align,
			    enum operand_kind kind, uint64_t access, enum guest_result *result,
			    void **pointer)
{
	const struct td *td = &guest->vp->td;
	uint64_t gpa = guest->vp->state->gpr[operand];

	if (gpa % align != 0 || gpa >> td_gpa_bits(td) != 0 ||
	    (kind == PRIVATE_ONLY && !gpa_is_private(td, gpa)))
		return TDX_OPERAND_INVALID | operand;
	*pointer = guest_memory(guest, gpa, access, result);
	return *pointer ? TDX_SUCCESS : TDCALL_UNDECIDED;
}

/* ---- measurement and report ----------------------------------------------- */

static uint64_t lock_rtmr(struct guest *guest, enum lock_mode mode)
{
	uint64_t status =
		take_lock_guest(guest->call->model, &guest->vp->td.cs->rtmr_lock, mode);

	return status ? status | OPERAND_RTMR : TDX_SUCCESS;
}

static uint64_t rtmr_extend(struct guest *guest, const uint64_t *gpr, enum guest_result *result)
{
	struct tdcs *cs = guest->vp->td.cs;
	uint64_t index = gpr[TDX_RDX];
	uint8_t extension[SHA384_DIGEST_SIZE];
	struct sha384 ctx;
	void *data;
	uint64_t status =
		map_operand(guest, OPERAND_RCX, 64, PRIVATE_ONLY, ACCESS_READ, result, &data);

	if (status)
		return status;
	memcpy(extension, data, sizeof(extension));
	if (index >= RTMR_COUNT)
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	status = lock_rtmr(guest, LOCK_EXCLUSIVE);
	if (status)
		return status;
	sha384_init(&ctx);
	sha384_update(&ctx, cs->rtmr[index], SHA384_DIGEST_SIZE);
	sha384_update(&ctx, extension, sizeof(extension));
	sha384_final(&ctx, cs->rtmr[index]);
	drop_lock(guest->call->model, &cs->rtmr_lock, LOCK_EXCLUSIVE);
	return TDX_SUCCESS;
}

static void fill_tdinfo(const struct tdcs *cs, uint8_t *info)
{
	memcpy(info, &cs->attributes, 8);
	memcpy(info + 8, &cs->xfam, 8);
	memcpy(info + 16, cs->mrtd, 48);
	memcpy(info + 64, cs->mrconfigid, 48);
	memcpy(info + 112, cs->mrowner, 48);
	memcpy(info + 160, cs->mrownerconfig, 48);
	memcpy(info + 208, cs->rtmr, sizeof(cs->rtmr));
}

/*
 * The CPU computes the MAC with a key that never leaves it. Here it is a digest of
 * the structure under a key of this module: good for TDG.MR.VERIFYREPORT, and worth
 * nothing outside.
 */
static void report_mac(const struct tdx_model *model, const uint8_t *report, uint8_t *mac)
{
	uint8_t digest[SHA384_DIGEST_SIZE];
	struct sha384 ctx;

	sha384_init(&ctx);
	sha384_update(&ctx, model->report_key, sizeof(model->report_key));
	sha384_update(&ctx, report, REPORT_MAC_AT);
	sha384_final(&ctx, digest);
	memcpy(mac, digest, REPORT_MAC_SIZE);
}

static void fill_report(struct guest *guest, const uint8_t *reportdata, uint8_t *report)
{
	static const uint64_t tcb_valid = 0x301ff; /* itself, SVN, MRSEAM, second SVN */

	memset(report, 0, TDREPORT_SIZE);
	report[0] = REPORT_TYPE_TDX;
	memcpy(report + 256, &tcb_valid, 8);
	report[256 + 8] = report[256 + 128] = 5; /* both TEE_TCB_SVN: 1.5 */
	report[256 + 9] = report[256 + 129] = 1;
	fill_tdinfo(guest->vp->td.cs, report + 512);
	sha384(report + 256, 239, report + 32);
	sha384(report + 512, 512, report + 80);
	memcpy(report + 128, reportdata, REPORTDATA_SIZE);
	report_mac(guest->call->model, report, report + REPORT_MAC_AT);
}

static bool interrupted(struct guest *guest)
{
	const struct tdx_machine *machine = &guest->call->model->machine;

	guest->interrupted = machine->interrupt_pending(machine->ctx, guest->call->lp, true);
	return guest->interrupted;
}

/* The report is made before the module looks where it is to go. */
static uint64_t mr_report(struct guest *guest, const uint64_t *gpr, enum guest_result *result)
{
	uint8_t report[TDREPORT_SIZE];
	void *data, *out;
	uint64_t status;

	if (gpr[TDX_RCX] % TDREPORT_SIZE != 0)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	status = map_operand(guest, OPERAND_RDX, REPORTDATA_SIZE, PRIVATE_OR_SHARED,
			     ACCESS_READ, result, &data);
	if (status)
		return status;
	if (gpr[TDX_R8] != 0)
		return TDX_OPERAND_INVALID | OPERAND_R8;
	status = lock_rtmr(guest, LOCK_SHARED);
	if (status)
		return status;
	fill_report(guest, data, report);
	drop_lock(guest->call->model, &guest->vp->td.cs->rtmr_lock, LOCK_SHARED);
	if (interrupted(guest))
		return TDCALL_UNDECIDED;
	status = map_operand(guest, OPERAND_RCX, TDREPORT_SIZE, PRIVATE_OR_SHARED, ACCESS_RMW,
			     result, &out);
	if (!status)
		memcpy(out, report, sizeof(report));
	return status;
}

static uint64_t verifyreport(struct guest *guest, enum guest_result *result)
{
	uint8_t mac[REPORT_MAC_SIZE];
	void *data;
	const uint8_t *report;
	uint64_t status = map_operand(guest, OPERAND_RCX, REPORTMACSTRUCT_SIZE, PRIVATE_ONLY,
				      ACCESS_READ, result, &data);

	if (status)
		return status;
	report = data;
	report_mac(guest->call->model, report, mac);
	if (report[0] != REPORT_TYPE_TDX ||
	    memcmp(mac, report + REPORT_MAC_AT, sizeof(mac)) != 0)
		return TDX_INVALID_REPORTMACSTRUCT;
	return TDX_SUCCESS;
}

/* ---- memory --------------------------------------------------------------- */

#define ENTRY_COUNTER_SHIFT 12
#define ENTRY_COUNTER_MASK  (UINT64_C(0x1ff) << ENTRY_COUNTER_SHIFT)

/* TD exit: the host must do something about the page first. */
static uint64_t page_exit(struct guest *guest, const struct sept_walk *walk, uint64_t gpa,
			  unsigned level, uint64_t type, enum guest_result *result)
{
	enum sept_state state = sept_state(walk->entry);
	uint64_t details = level | (uint64_t)walk->level << 3 | (uint64_t)state << 6;

	if (sept_state_is_leaf(state))
		details |= 1u << 14;
	guest->exit.reason = EXIT_EPT_VIOLATION;
	*result = guest_async_exit(guest, TDX_SUCCESS, 2, type | details << 32, gpa, 0);
	return TDCALL_UNDECIDED;
}

/* Zeroes the page, a 4K piece at a time; false: an interrupt came between two. */
static bool clear_page(struct guest *guest, struct sept_walk *walk)
{
	uint64_t hpa = sept_hpa(walk->entry, walk->level);
	uint64_t done = 0;

	if (walk->level == LEVEL_4K) {
		memset(page_at(guest->call->model, hpa), 0, PAGE_4K);
		return true;
	}
	for (done = (walk->entry & ENTRY_COUNTER_MASK) >> ENTRY_COUNTER_SHIFT;;) {
		memset(page_at(guest->call->model, hpa + done * PAGE_4K), 0, PAGE_4K);
		if (++done == 512)
			return true;
		if (interrupted(guest))
			break;
	}
	sept_set(walk, sept_entry(SEPT_PENDING, hpa | done << ENTRY_COUNTER_SHIFT));
	return false;
}

static uint64_t page_accept(struct guest *guest, const uint64_t *gpr, enum guest_result *result)
{
	struct sept_walk walk;
	unsigned level;
	uint64_t gpa, status;
	bool reached;

	if (!gpa_operand(gpr[TDX_RCX], LEVEL_4K, LEVEL_2M, &gpa, &level) ||
	    !gpa_is_private(&guest->vp->td, gpa))
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	reached = sept_walk_to(&guest->vp->td, gpa, level, &walk);
	if (!reached && sept_state(walk.entry) == SEPT_MAPPED)
		return TDX_PAGE_ALREADY_ACCEPTED | walk.level;
	if (!reached)
		return page_exit(guest, &walk, gpa, level, EEQ_ACCEPT, result);
	status = sept_lock_guest(&walk);
	if (status)
		return status | OPERAND_RCX;
	switch (sept_state(walk.entry)) {
	case SEPT_MAPPED:
		status = TDX_PAGE_ALREADY_ACCEPTED | walk.level;
		break;
	case SEPT_NL_MAPPED:
	case SEPT_NL_BLOCKED:
		status = TDX_PAGE_SIZE_MISMATCH | walk.level;
		break;
	case SEPT_PENDING:
		if (clear_page(guest, &walk))
			sept_set(&walk, sept_entry(SEPT_MAPPED, sept_hpa(walk.entry, level)));
		else
			status = TDCALL_UNDECIDED;
		break;
	case SEPT_FREE:
	case SEPT_BLOCKED:
	case SEPT_PENDING_BLOCKED:
		sept_unlock(&walk);
		return page_exit(guest, &walk, gpa, level, EEQ_ACCEPT, result);
	}
	sept_unlock(&walk);
	return status;
}

#define MAPPING_PENDING (UINT64_C(1) << 62)
#define ATTR_VMS        4u

static bool page_is_guests(enum sept_state state)
{
	return state == SEPT_MAPPED || state == SEPT_PENDING;
}

/* RCX and RDX of a page: where it is mapped. Attributes are of L2 VMs, of which there is none.
 */
static uint64_t report_mapping(uint64_t *gpr, uint64_t gpa, const struct sept_walk *walk)
{
	gpr[TDX_RCX] = (gpa & ~(level_size(walk->level) - 1)) | walk->level |
		       (sept_state(walk->entry) == SEPT_PENDING ? MAPPING_PENDING : 0);
	gpr[TDX_RDX] = 0;
	return TDX_SUCCESS;
}

static uint64_t attr_refused(uint64_t *gpr, uint64_t status)
{
	gpr[TDX_RCX] = gpr[TDX_RDX] = 0;
	return status;
}

static uint64_t attr_rd(struct guest *guest, uint64_t *gpr, enum guest_result *result)
{
	uint64_t gpa = gpr[TDX_RCX] & ~(PAGE_4K - 1);
	struct sept_walk walk;
	uint64_t status;

	if (!gpa_is_private(&guest->vp->td, gpa))
		return attr_refused(gpr, TDX_OPERAND_INVALID | OPERAND_RCX);
	sept_walk_to(&guest->vp->td, gpa, LEVEL_4K, &walk);
	status = sept_lock_guest(&walk);
	if (status)
		return attr_refused(gpr, status | OPERAND_RCX);
	sept_unlock(&walk);
	if (page_is_guests(sept_state(walk.entry)))
		return report_mapping(gpr, gpa, &walk);
	guest->exit.reason = EXIT_EPT_VIOLATION;
	*result = guest_async_exit(guest, TDX_SUCCESS, 0, EEQ_NONE, gpa, 0);
	return TDCALL_UNDECIDED;
}

/* 16 bits a VM, the L1 VMM first: without L2 VMs none may be set, and none be changed. */
static uint64_t check_attributes(uint64_t attributes, uint64_t flags)
{
	for (unsigned vm = 0; vm < ATTR_VMS; vm++) {
		if (attributes >> 16 * vm & 0xffff)
			return TDX_OPERAND_INVALID | OPERAND_RDX;
		if (flags >> 16 * vm & 0xffff)
			return TDX_OPERAND_INVALID | OPERAND_R8;
	}
	return TDX_SUCCESS;
}

static uint64_t attr_wr(struct guest *guest, uint64_t *gpr, enum guest_result *result)
{
	uint64_t status = check_attributes(gpr[TDX_RDX], gpr[TDX_R8]), gpa;
	struct sept_walk walk;
	unsigned level;

	if (status)
		return attr_refused(gpr, status);
	if (!gpa_operand(gpr[TDX_RCX], LEVEL_4K, LEVEL_1G, &gpa, &level) ||
	    !gpa_is_private(&guest->vp->td, gpa))
		return attr_refused(gpr, TDX_OPERAND_INVALID | OPERAND_RCX);
	if (!sept_walk_to(&guest->vp->td, gpa, level, &walk))
		return page_exit(guest, &walk, gpa, level, EEQ_ATTR_WR, result);
	status = sept_lock_guest(&walk);
	if (status)
		return attr_refused(gpr, status | OPERAND_RCX);
	sept_unlock(&walk);
	if (page_is_guests(sept_state(walk.entry)))
		return report_mapping(gpr, gpa, &walk);
	if (sept_state_is_leaf(sept_state(walk.entry)) || sept_state(walk.entry) == SEPT_FREE)
		return page_exit(guest, &walk, gpa, level, EEQ_ATTR_WR, result);
	return attr_refused(gpr, TDX_PAGE_SIZE_MISMATCH | walk.level);
}

/* ---- metadata ------------------------------------------------------------- */

/* As of version 1 TDG.VM.RD walks the fields, as its younger sisters always do. */
static uint64_t metadata_rd(struct guest *guest, uint64_t *gpr, enum md_context context,
			    unsigned version)
{
	bool walks = context != MD_TD || version > 0;
	struct md_query query = {.call = guest->call,
				 .context = context,
				 .access = MD_GUEST,
				 .td = &guest->vp->td,
				 .vp = guest->vp};
	uint64_t id = gpr[TDX_RDX], next = NULL_ID;
	uint64_t status = TDX_OPERAND_INVALID | OPERAND_RCX;

	gpr[TDX_R8] = 0;
	if (version > 1)
		status = TDX_OPERAND_INVALID | OPERAND_RAX;
	else if (context == MD_SYSTEM || gpr[TDX_RCX] == 0)
		status = md_read(&query, id, walks, &gpr[TDX_R8], &next);
	if (walks)
		gpr[TDX_RDX] = next;
	return status;
}

static uint64_t metadata_wr(struct guest *guest, uint64_t *gpr, enum md_context context)
{
	struct md_query query = {.call = guest->call,
				 .context = context,
				 .access = MD_GUEST,
				 .td = &guest->vp->td,
				 .vp = guest->vp};
	uint64_t value = gpr[TDX_R8];

	gpr[TDX_R8] = 0;
	if (gpr[TDX_RCX] != 0)
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	return md_write(&query, gpr[TDX_RDX], value, gpr[TDX_R9], &gpr[TDX_R8]);
}

/* R8 is gone even if the page faults and the leaf runs again. */
static uint64_t sys_rdall(struct guest *guest, uint64_t *gpr, enum guest_result *result)
{
	uint64_t id = gpr[TDX_R8], status;
	void *page;

	gpr[TDX_R8] = NULL_ID;
	status = map_operand(guest, OPERAND_RDX, PAGE_4K, PRIVATE_ONLY, ACCESS_RMW, result,
			     &page);
	return status ? status : md_dump_system(guest->call, MD_GUEST, id, page, &gpr[TDX_R8]);
}

/* No TD is bound to this one: no handle is a binding. */
static uint64_t servtd(uint64_t *gpr, bool is_write)
{
	if (!is_write)
		gpr[TDX_RDX] = NULL_ID;
	gpr[TDX_R8] = 0;
	return TDX_OPERAND_INVALID | OPERAND_RCX;
}

/* The page of registers is looked at first; an L2 VM to enter there is none. */
static uint64_t vp_enter(const struct guest *guest, const uint64_t *gpr)
{
	if (gpr[TDX_RDX] % L2_STATE_ALIGN != 0 || !gpa_is_private(&guest->vp->td, gpr[TDX_RDX]))
		return TDX_OPERAND_INVALID | OPERAND_RDX;
	return TDX_OPERAND_INVALID | OPERAND_RCX;
}

/* A bit per VM; the L1 VMM's own translations are not for it to flush. */
static uint64_t invept(struct guest *guest, const uint64_t *gpr)
{
	uint64_t vms = gpr[TDX_RCX];

	if ((vms & 1) || vms >> (guest->vp->td.cs->l2_vm_count + 1))
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	return TDX_SUCCESS;
}

/* ---- the dispatcher ------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-function-size): one line per leaf */
static uint64_t dispatch(struct guest *guest, unsigned leaf, unsigned version,
			 enum guest_result *result)
{
	uint64_t *gpr = guest->vp->state->gpr;

	switch (leaf) {
	case TDG_VP_VMCALL:
		return vmcall(guest, result);
	case TDG_VP_INFO:
		return vp_info(guest, gpr);
	case TDG_MR_RTMR_EXTEND:
		return rtmr_extend(guest, gpr, result);
	case TDG_VP_VEINFO_GET:
		return veinfo_get(guest, gpr);
	case TDG_MR_REPORT:
		return mr_report(guest, gpr, result);
	case TDG_VP_CPUIDVE_SET:
		return cpuidve_set(guest, gpr);
	case TDG_MEM_PAGE_ACCEPT:
		return page_accept(guest, gpr, result);
	case TDG_VM_RD:
		return metadata_rd(guest, gpr, MD_TD, version);
	case TDG_VM_WR:
		return metadata_wr(guest, gpr, MD_TD);
	case TDG_VP_RD:
		return metadata_rd(guest, gpr, MD_VP, 0);
	case TDG_VP_WR:
		return metadata_wr(guest, gpr, MD_VP);
	case TDG_SYS_RD:
		return metadata_rd(guest, gpr, MD_SYSTEM, 0);
	case TDG_SYS_RDALL:
		return sys_rdall(guest, gpr, result);
	case TDG_SERVTD_RD:
		return servtd(gpr, false);
	case TDG_SERVTD_WR:
		return servtd(gpr, true);
	case TDG_MR_VERIFYREPORT:
		return verifyreport(guest, result);
	case TDG_MEM_PAGE_ATTR_RD:
		return attr_rd(guest, gpr, result);
	case TDG_MEM_PAGE_ATTR_WR:
		return attr_wr(guest, gpr, result);
	case TDG_VP_INVEPT:
		return invept(guest, gpr);
	case TDG_VP_ENTER:
		return vp_enter(guest, gpr);
	case TDG_VP_INVVPID: /* there is no L2 VM to flush */
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	default:
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	}
}

/*
 * A host came too late for a lock, and the guest must not get it first. To the guest that is
 * BUSY. If the host has not come back when the guest asks again, a time-out later, the TD exits
 * to remind it: after the TDCALL, like a trap.
 */
static enum guest_result yield_to_host(struct guest *guest, uint64_t status)
{
	const struct tdx_machine *machine = &guest->call->model->machine;
	uint64_t now = machine->rdtsc(machine->ctx, guest->call->lp);
	uint64_t ticks_per_us = guest->call->model->tsc_hz / 1000000;
	struct vcpu *vcpu = guest->vp->vcpu;

	guest->vp->state->gpr[TDX_RAX] = TDX_OPERAND_BUSY | (status & UINT32_MAX);
	guest_skip_instruction(guest);
	if (!vcpu->yields_to_host) {
		vcpu->yields_to_host = true;
		vcpu->yields_since = now;
		return GUEST_RESUME;
	}
	if (now - vcpu->yields_since < guest->vp->td.cs->hp_lock_timeout * ticks_per_us)
		return GUEST_RESUME;
	vcpu->yields_to_host = false;
	guest->exit.reason = 0;
	guest->bus_lock = false;
	return guest_async_exit(guest, TDX_HOST_PRIORITY_BUSY_TIMEOUT, 0, 0, 0, 0);
}

static uint64_t run_leaf(struct guest *guest, enum guest_result *result)
{
	uint64_t rax = guest->vp->state->gpr[TDX_RAX];
	unsigned leaf = (unsigned)(rax & 0xffff), version = (unsigned)(rax >> 16 & 0xff);

	if (rax >> 24 != 0 || (version > 0 && leaf != TDG_VM_RD))
		return TDX_OPERAND_INVALID | OPERAND_RAX;
	return dispatch(guest, leaf, version, result);
}

enum guest_result guest_tdcall(struct guest *guest)
{
	struct tdx_guest_state *s = guest->vp->state;
	enum guest_result result = GUEST_RESUME;
	uint64_t status;

	if (!(s->segment[TDX_CS].access_rights & CS_LONG) || guest_cpl(guest) != 0)
		return guest_inject_gp(guest);
	guest->interrupted = false;
	status = run_leaf(guest, &result);
	if ((status & ~UINT64_C(0xffffffff)) == TDX_OPERAND_BUSY_HOST_PRIORITY)
		return yield_to_host(guest, status);
	if (status != TDCALL_UNDECIDED || guest->interrupted)
		guest->vp->vcpu->yields_to_host = false;
	if (status == TDCALL_UNDECIDED)
		return result;
	s->gpr[TDX_RAX] = status;
	guest_skip_instruction(guest);
	return GUEST_RESUME;
}
