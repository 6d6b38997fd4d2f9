/* SPDX-License-Identifier: MIT */
/* TDH.MR: the measurement of what the host puts into a TD. */
#include <string.h>

#include "tests/model/measure.h"

#define CHUNK 256

/* One 128-byte block: an event's name at 0 and its GPA at 16. */
static void measure_event(struct tdcs *cs, const char *name, size_t size, uint64_t gpa)
{
	uint8_t block[SHA384_BLOCK_SIZE] = {0};

	memcpy(block, name, size);
	memcpy(block + 16, &gpa, sizeof(gpa));
	sha384_update(&cs->mrtd_context, block, sizeof(block));
}

void measure_page_add(struct tdcs *cs, uint64_t gpa)
{
	static const char name[] = "MEM.PAGE.ADD";

	measure_event(cs, name, sizeof(name) - 1, gpa);
}

static void measure_extend(struct tdcs *cs, uint64_t gpa, const uint8_t *chunk)
{
	static const char name[] = "MR.EXTEND";

	measure_event(cs, name, sizeof(name) - 1, gpa);
	sha384_update(&cs->mrtd_context, chunk, CHUNK);
}

static uint64_t extend(struct call *call, struct td *td, uint64_t gpa)
{
	struct sept_walk walk;
	uint64_t status = td_check(td, TDH_MR_EXTEND, LOCK_NONE);
	uint64_t page;

	if (status)
		return status;
	if (gpa % CHUNK != 0 || !gpa_is_private(td, gpa))
		return TDX_OPERAND_INVALID | OPERAND_RCX;
	(void)sept_walk_to(td, gpa, LEVEL_4K, &walk); /* or to a larger page */
	if (sept_state(walk.entry) != SEPT_MAPPED) {
		sept_report(call, &walk);
		return TDX_EPT_ENTRY_NOT_PRESENT | OPERAND_RCX;
	}
	page = sept_hpa(walk.entry, walk.level) + gpa % level_size(walk.level);
	measure_extend(td->cs, gpa, page_at(call->model, page));
	return TDX_SUCCESS;
}

uint64_t tdh_mr_extend(struct call *call)
{
	uint64_t gpa = call->gpr[TDX_RCX], tdr_pa = call->gpr[TDX_RDX];
	struct td td;
	uint64_t status;

	call->gpr[TDX_RCX] = call->gpr[TDX_RDX] = 0;
	status = td_lock(call, tdr_pa, OPERAND_RDX, LOCK_EXCLUSIVE, &td);
	if (status)
		return status;
	status = extend(call, &td, gpa);
	td_unlock(&td);
	return status;
}

uint64_t tdh_mr_finalize(struct call *call)
{
	struct td td;
	uint64_t status = td_lock(call, call->gpr[TDX_RCX], OPERAND_RCX, LOCK_EXCLUSIVE, &td);

	if (status)
		return status;
	status = td_check(&td, TDH_MR_FINALIZE, LOCK_NONE);
	if (!status && atomic_load(&td.cs->vcpu_count) == 0)
		status = TDX_NO_VCPUS;
	if (!status) {
		sha384_final(&td.cs->mrtd_context, td.cs->mrtd);
		atomic_store(&td.cs->op_state, OP_RUNNABLE);
	}
	td_unlock(&td);
	return status;
}
