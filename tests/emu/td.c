/* SPDX-License-Identifier: MIT */
#include "tests/emu/td.h"

#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/pool.h"

#define MAX_TDS   32U
#define MAX_VCPUS 64U

static struct td tds[MAX_TDS];
static struct td_vcpu vcpus[MAX_VCPUS];
static struct emu_lock table_lock;

void td_init(void)
{
	for (unsigned i = 0; i < MAX_TDS; i++) {
		if (!npt_init(&tds[i].npt))
			emu_die(EMU_EXIT_FATAL, "no page for a TD's nested tables");
	}
	td_paging_init();
	for (unsigned i = 0; i < MAX_VCPUS; i++) {
		vcpus[i].vmcb = pool_alloc(4096);
		vcpus[i].xsave = pool_alloc(4096);
	}
}

struct td *td_find(uint64_t tdr_hpa)
{
	for (unsigned i = 0; i < MAX_TDS; i++) {
		if (tds[i].tdr_hpa == tdr_hpa)
			return &tds[i];
	}
	return NULL;
}

struct td *td_nth(unsigned index) { return index < MAX_TDS ? &tds[index] : NULL; }

static struct td *td_get(uint64_t tdr_hpa)
{
	struct td *td = td_find(tdr_hpa);

	if (td != NULL)
		return td;
	td = td_find(0);
	if (td == NULL)
		emu_die(EMU_EXIT_FATAL, "more than %u TDs", MAX_TDS);
	td->tdr_hpa = tdr_hpa;
	td->flipped = false;
	return td;
}

static struct td_vcpu *vcpu_find(uint64_t tdvpr_hpa)
{
	for (unsigned i = 0; i < MAX_VCPUS; i++) {
		if (vcpus[i].tdvpr_hpa == tdvpr_hpa)
			return &vcpus[i];
	}
	return NULL;
}

static void vcpu_reset(struct td_vcpu *vcpu, const struct tdx_vcpu_view *view)
{
	const uint32_t mxcsr = 0x1f80;

	memset(vcpu->vmcb, 0, sizeof(*vcpu->vmcb));
	memset(vcpu->xsave, 0, 4096);
	memcpy((char *)vcpu->xsave + 24, &mxcsr, sizeof(mxcsr));
	vcpu->tdvpr_hpa = view->tdvpr_hpa;
	vcpu->td = td_get(view->tdr_hpa);
	vcpu->asked_cpuid = false;
}

struct td_vcpu *td_vcpu_get(const struct tdx_vcpu_view *view)
{
	struct td_vcpu *vcpu;

	emu_lock_take(&table_lock);
	vcpu = vcpu_find(view->tdvpr_hpa);
	if (vcpu == NULL) {
		vcpu = vcpu_find(0);
		if (vcpu == NULL)
			emu_die(EMU_EXIT_FATAL, "more than %u vCPUs", MAX_VCPUS);
		vcpu_reset(vcpu, view);
	}
	emu_lock_drop(&table_lock);
	return vcpu;
}

static void forget_td(struct td *td)
{
	emu_lock_take(&td->lock);
	npt_clear(&td->npt);
	td->tdr_hpa = 0;
	td->shared_root = 0;
	emu_lock_drop(&td->lock);
}

void td_forget_pages(uint64_t hpa, uint64_t size)
{
	emu_lock_take(&table_lock);
	for (unsigned i = 0; i < MAX_TDS; i++) {
		if (tds[i].tdr_hpa != 0 && tds[i].tdr_hpa - hpa < size)
			forget_td(&tds[i]);
	}
	for (unsigned i = 0; i < MAX_VCPUS; i++) {
		if (vcpus[i].tdvpr_hpa != 0 && vcpus[i].tdvpr_hpa - hpa < size)
			vcpus[i].tdvpr_hpa = 0;
	}
	emu_lock_drop(&table_lock);
}
