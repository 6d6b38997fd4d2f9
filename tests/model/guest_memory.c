/* SPDX-License-Identifier: MIT */
/*
 * Memory that TDCALL operands name: walks like the CPU's, and what becomes of an access that
 * faults.
 */
#include <string.h>

#include "tests/model/guest.h"

#define EPT_READ        UINT64_C(1)
#define EPT_WRITE       UINT64_C(2)
#define EPT_EXECUTE     UINT64_C(4)
#define EPT_RWX         UINT64_C(7)
#define EPT_TYPE(entry) ((entry) >> 3 & 7)
#define EPT_LEAF        UINT64_C(0x80)
#define EPT_HPA         UINT64_C(0x000ffffffffff000)
#define EPT_SUPPRESS_VE (UINT64_C(1) << 63)
#define EXECUTE_ONLY    UINT64_C(1) /* of IA32_VMX_EPT_VPID_CAP */

enum ept_walk {
	WALK_DONE,
	WALK_VIOLATION,
	WALK_CONVERTIBLE, /* a violation that the CPU would tell the guest of */
	WALK_MISCONFIGURED,
};

static bool ept_maps_page(uint64_t entry, unsigned level)
{
	return level == LEVEL_4K || (entry & EPT_LEAF);
}

/* SDM vol. 3, "EPT misconfigurations"; the host's tables may be in no private memory. */
static bool is_misconfigured(struct guest *guest, uint64_t entry, unsigned level)
{
	uint64_t type = EPT_TYPE(entry);
	uint64_t low = level_size(level) - 1;

	if ((entry & EPT_WRITE) && !(entry & EPT_READ))
		return true;
	if ((entry & EPT_EXECUTE) && !(entry & EPT_READ) &&
	    !(msr_sampled(guest->call->model, IA32_VMX_EPT_VPID_CAP) & EXECUTE_ONLY))
		return true;
	if (!(entry & EPT_RWX))
		return false;
	if (!ept_maps_page(entry, level))
		return (entry & 0x78) ||
		       check_shared_hpa(guest->call, entry & EPT_HPA, PAGE_4K, 0);
	return level > LEVEL_1G || type == 2 || type == 3 || type == 7 ||
	       (level > LEVEL_4K && (entry & low & EPT_HPA));
}

/* The host's own EPT for shared GPAs. */
static enum ept_walk shared_walk(struct guest *guest, uint64_t gpa, uint64_t access,
				 uint64_t *rights, uint64_t *hpa)
{
	struct tdx_model *model = guest->call->model;
	uint64_t plain = (UINT64_C(1) << keyid_shift(model)) - 1;
	uint64_t table = guest->vp->vcpu->shared_ept & EPT_HPA;

	for (unsigned level = (unsigned)(guest->vp->td.cs->eptp >> 3 & 7);; level--) {
		uint64_t index = gpa / level_size(level) & 511, entry;

		memcpy(&entry, (uint8_t *)page_at(model, table & plain) + 8 * index,
		       sizeof(entry));
		*rights &= entry;
		if (is_misconfigured(guest, entry, level))
			return WALK_MISCONFIGURED;
		if (!(entry & EPT_RWX) || (access & ~entry))
			return ((entry & EPT_RWX) && !ept_maps_page(entry, level)) ||
					       (entry & EPT_SUPPRESS_VE)
				       ? WALK_VIOLATION
				       : WALK_CONVERTIBLE;
		table = entry & EPT_HPA;
		if (!ept_maps_page(entry, level))
			continue;
		*hpa = (table & ~(level_size(level) - 1)) | (gpa & (level_size(level) - 1));
		if (check_shared_hpa(guest->call, *hpa & ~(PAGE_4K - 1), PAGE_4K, 0))
			return WALK_MISCONFIGURED;
		*hpa &= plain;
		return WALK_DONE;
	}
}

static enum ept_walk private_walk(struct guest *guest, uint64_t gpa, uint64_t *rights,
				  uint64_t *hpa)
{
	struct sept_walk walk;

	sept_walk_to(&guest->vp->td, gpa, LEVEL_4K, &walk);
	*hpa = sept_hpa(walk.entry, walk.level) | (gpa & (level_size(walk.level) - 1));
	if (sept_state(walk.entry) == SEPT_MAPPED)
		return WALK_DONE;
	*rights = 0;
	return sept_state(walk.entry) == SEPT_PENDING ? WALK_CONVERTIBLE : WALK_VIOLATION;
}

/* Of a pending page the TD's configuration says whether the guest or the host hears. */
static enum guest_result operand_fault(struct guest *guest, uint64_t gpa,
				       uint64_t qualification, enum ept_walk walk)
{
	uint64_t page = gpa & ~(PAGE_4K - 1);

	guest->exit.reason =
		walk == WALK_MISCONFIGURED ? EXIT_EPT_MISCONFIG : EXIT_EPT_VIOLATION;
	if (walk == WALK_MISCONFIGURED)
		return guest_async_exit(guest, TDX_SUCCESS, 0, 0, page, 0);
	if (walk == WALK_VIOLATION)
		return guest_async_exit(guest, TDX_SUCCESS, qualification, EEQ_NONE, page, 0);
	if (gpa_is_private(&guest->vp->td, gpa) &&
	    (guest->vp->td.cs->td_ctls & TD_CTLS_PENDING_VE_DISABLE))
		return guest_async_exit(guest, TDX_SUCCESS, qualification, EEQ_PENDING, page,
					0);
	return guest_inject_ve(guest, qualification, gpa, 0);
}

void *guest_memory(struct guest *guest, uint64_t gpa, uint64_t access,
		   enum guest_result *result)
{
	uint64_t hpa, rights = EPT_RWX;
	bool is_private = gpa_is_private(&guest->vp->td, gpa);
	enum ept_walk walk = is_private ? private_walk(guest, gpa, &rights, &hpa)
					: shared_walk(guest, gpa, access, &rights, &hpa);

	if (walk == WALK_DONE)
		return is_private ? page_at(guest->call->model, hpa)
				  : host_page_at(guest->call->model, hpa);
	*result = operand_fault(guest, gpa, (access & ~rights) | rights << 3, walk);
	return NULL;
}
