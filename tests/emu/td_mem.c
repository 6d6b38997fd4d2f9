/* SPDX-License-Identifier: MIT */
/*
 * A TD's memory. Its nested table is a shadow, filled on faults: private GPAs
 * from the Secure EPT (the module answers), shared GPAs from the EPT that L1
 * built. Private translations are dropped when the module says that they
 * changed. Shared ones stay until L1 executes INVEPT, on purpose: a host that
 * forgets it must notice.
 *
 * td->lock makes "translate and install" atomic against td_sept_changed(): a
 * translation from before the change is installed before the drop.
 */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/ept_walk.h"
#include "tests/emu/l1.h"
#include "tests/emu/td.h"

#define EXIT_EXCEPTION     0U
#define EXIT_EPT_VIOLATION 48U
#define EXIT_EPT_MISCONFIG 49U

#define QUAL_READ        UINT64_C(1)
#define QUAL_WRITE       UINT64_C(2)
#define QUAL_FETCH       UINT64_C(4)
#define QUAL_PERMS_SHIFT 3
#define QUAL_GLA_VALID   (UINT64_C(1) << 7)
#define QUAL_GLA_FINAL   (UINT64_C(1) << 8)

#define INTERRUPTION_MC UINT32_C(0x80000312) /* valid, hardware exception, vector 18 */

#define PAGE UINT64_C(4096)

static uint64_t shared_bit(const struct td_run *r)
{
	return UINT64_C(1) << (r->view->gpaw - 1);
}

static unsigned ept_levels(const struct td_run *r) { return r->view->gpaw > 48 ? 5 : 4; }

static void install(struct td *td, uint64_t gpa, uint64_t hpa, unsigned level, uint64_t flags)
{
	unsigned found;

	if (level >
	    1) { /* 1 GiB entries are made of 2 MiB ones: sept_changed() is cheap then */
		hpa += gpa & (npt_size(level) - 1) & ~(npt_size(1) - 1);
		level = 1;
	}
	npt_lookup(&td->npt, gpa, &found);
	if (found < level) {
		hpa += gpa & (npt_size(level) - 1) & ~(npt_size(found) - 1);
		level = found;
	}
	if (!npt_set(&td->npt, gpa & ~(npt_size(level) - 1), level, hpa | flags))
		emu_die(EMU_EXIT_FATAL, "no page left for a TD's nested tables");
}

static bool fill_private(struct td_run *r, uint64_t gpa)
{
	uint64_t hpa;
	unsigned level;
	bool mapped;

	emu_lock_take(&r->td->lock);
	mapped = tdx_model_translate(emu.model, r->td->tdr_hpa, gpa, &hpa, &level) ==
		 TDX_GPA_MAPPED;
	if (mapped)
		install(r->td, gpa, hpa & ~(npt_size(level) - 1), level, NPT_RWX);
	emu_lock_drop(&r->td->lock);
	return mapped;
}

static bool is_at(const struct gview *g, uint64_t linear, uint64_t gpa)
{
	uint64_t at;

	return gview_translate(g, linear, &at) && ((at ^ gpa) & ~(PAGE - 1)) == 0;
}

/*
 * SVM tells no linear address, VMX does, and Linux judges #VEs by it. What the
 * instruction may have accessed is tried until one of it translates to `gpa`.
 */
static bool find_linear(struct td_run *r, uint64_t gpa, uint64_t *gla)
{
	static const uint8_t implicit[] = {TDX_RSI, TDX_RDI, TDX_RSP};
	struct gview g = td_view(r);
	uint64_t linear = r->vmcb->rip;

	if ((r->vmcb->exit_info1 & NPF_FINAL) == 0)
		return false;
	if ((r->vmcb->exit_info1 & NPF_FETCH) == 0) {
		bool found = insn_guess_operand(&g, r->gpr, &linear) && is_at(&g, linear, gpa);

		for (unsigned i = 0; !found && i < sizeof(implicit); i++) {
			linear = r->gpr[implicit[i]];
			found = is_at(&g, linear, gpa);
		}
		if (!found)
			return false;
	}
	*gla = (linear & ~(PAGE - 1)) | (gpa & (PAGE - 1));
	return true;
}

static void report_violation(struct td_run *r, uint64_t gpa, unsigned perms)
{
	uint64_t info = r->vmcb->exit_info1;
	uint64_t qualification = perms << QUAL_PERMS_SHIFT;

	if ((info & NPF_FETCH) != 0)
		qualification |= QUAL_FETCH;
	else
		qualification |= (info & NPF_WRITE) != 0 ? QUAL_WRITE : QUAL_READ;
	if (find_linear(r, gpa, &r->exit->gla))
		qualification |= QUAL_GLA_VALID | QUAL_GLA_FINAL;
	r->exit->reason = EXIT_EPT_VIOLATION;
	r->exit->qualification = qualification;
	r->exit->gpa = gpa;
}

/* A convertible violation becomes #VE unless it hit while an event was delivered. */
static bool becomes_ve(struct td_run *r, const struct ept_walk *walk)
{
	struct tdx_guest_state *s = r->state;

	if (walk->suppress_ve || (r->vmcb->event_inj & EVENT_VALID) != 0)
		return false;
	td_state_store(r);
	if (!tdx_model_deliver_ept_ve(emu.model, r->view, r->exit))
		return false;
	r->vmcb->event_inj = s->event;
	r->vmcb->event_inj_error = s->event_error;
	s->event = 0;
	memset(r->exit, 0, sizeof(*r->exit));
	return true;
}

static unsigned access_perms(uint64_t info)
{
	if ((info & NPF_FETCH) != 0)
		return EPT_WALK_X;
	return (info & NPF_WRITE) != 0 ? EPT_WALK_W : EPT_WALK_R;
}

static uint64_t npt_flags(unsigned perms)
{
	uint64_t flags = NPT_PRESENT | NPT_USER;

	if ((perms & EPT_WALK_W) != 0)
		flags |= NPT_WRITE;
	/* Never executable: TDs do not fetch from shared memory. */
	return flags | NPT_NO_EXEC;
}

/* The host mapped memory that is not its own as shared: the access is poison. */
static bool hits_foreign_memory(struct td_run *r, uint64_t hpa)
{
	if (l1_mem_owner(hpa) == 0)
		return false;
	emu_log("tdxemu: cpu%u TD access through the shared EPT to %#lx, which is not the "
		"host's: #MC",
		r->lp->index, hpa);
	r->exit->reason = EXIT_EXCEPTION;
	r->exit->interruption_info = INTERRUPTION_MC;
	return true;
}

static bool handle_shared(struct td_run *r, uint64_t gpa)
{
	struct ept_walk walk = {.suppress_ve = true};
	enum ept_result result = EPT_WALK_NOT_PRESENT;

	if (r->view->shared_ept_root != 0)
		result = ept_walk(r->view->shared_ept_root, ept_levels(r), gpa, &walk);
	if (result == EPT_WALK_MISCONFIGURED) {
		r->exit->reason = EXIT_EPT_MISCONFIG;
		r->exit->gpa = gpa;
		return true;
	}
	if (result == EPT_WALK_MAPPED &&
	    (walk.perms & access_perms(r->vmcb->exit_info1)) != 0) {
		uint64_t offset = gpa & (npt_size(walk.level) - 1) & ~(PAGE - 1);

		if (hits_foreign_memory(r, walk.hpa + offset))
			return true;
		emu_lock_take(&r->td->lock);
		install(r->td, gpa, walk.hpa, walk.level, npt_flags(walk.perms));
		emu_lock_drop(&r->td->lock);
		return false;
	}
	report_violation(r, gpa, result == EPT_WALK_MAPPED ? walk.perms : 0);
	return !becomes_ve(r, &walk);
}

/* Fetches and page walks in shared memory are reserved-bit page faults to a TD. */
static bool is_forbidden_shared(const struct td_run *r)
{
	uint64_t info = r->vmcb->exit_info1;

	return (info & NPF_FETCH) != 0 || (info & NPF_FINAL) == 0;
}

bool td_handle_npf(struct td_run *r)
{
	const uint32_t present_reserved = 9;
	uint64_t gpa = r->vmcb->exit_info2;

	if (td_paging_fault(r, gpa))
		return false;
	if ((gpa & shared_bit(r)) == 0) {
		if (fill_private(r, gpa))
			return false;
		report_violation(r, gpa, 0);
		return true;
	}
	if (is_forbidden_shared(r)) {
		emu_log("tdxemu: TD fetches or walks tables in shared memory at %#lx, rip %#lx",
			gpa, r->vmcb->rip);
		r->vmcb->cr2 = r->vmcb->rip;
		td_raise_error(r, 14, present_reserved);
		return false;
	}
	return handle_shared(r, gpa);
}

void *td_memory(void *run, uint64_t gpa)
{
	struct td_run *r = run;
	struct ept_walk walk;
	void *table = td_paging_table(r, gpa);
	uint64_t hpa;
	unsigned level;

	if (table != NULL)
		return table;
	if ((gpa & shared_bit(r)) == 0) {
		if (tdx_model_translate(emu.model, r->td->tdr_hpa, gpa, &hpa, &level) !=
		    TDX_GPA_MAPPED)
			return NULL;
		return (void *)((hpa & ~(npt_size(level) - 1)) | (gpa & (npt_size(level) - 1)));
	}
	if (r->view->shared_ept_root == 0 ||
	    ept_walk(r->view->shared_ept_root, ept_levels(r), gpa, &walk) != EPT_WALK_MAPPED)
		return NULL;
	hpa = walk.hpa | (gpa & (npt_size(walk.level) - 1));
	return l1_mem_owner(hpa) == 0 ? (void *)hpa : NULL;
}

void td_sept_changed(void *ctx, uint64_t tdr_hpa, uint64_t gpa, unsigned level)
{
	struct td *td = tdr_hpa == 0 ? NULL : td_find(tdr_hpa);

	(void)ctx;
	if (td == NULL)
		return;
	emu_lock_take(&td->lock);
	npt_drop_range(&td->npt, gpa, npt_size(level));
	emu_lock_drop(&td->lock);
}

/* Everything at and above the shared bit, for either position of that bit. */
static void forget_shared_of(struct td *td)
{
	emu_lock_take(&td->lock);
	npt_drop_range(&td->npt, UINT64_C(1) << 47, UINT64_C(1) << 47);
	npt_drop_range(&td->npt, UINT64_C(1) << 51, UINT64_C(1) << 51);
	emu_lock_drop(&td->lock);
}

void td_forget_shared(uint64_t root)
{
	struct td *td;

	for (unsigned i = 0; (td = td_nth(i)) != NULL; i++) {
		if (td->tdr_hpa != 0 && (root == 0 || td->shared_root == root))
			forget_shared_of(td);
	}
}

/* A malicious host, for tests: one bit of shared memory changes behind the TD's back. */
void td_flip_shared(struct td_run *r)
{
	uint64_t gpa = (emu.flip_gpa | shared_bit(r)) + emu.flip_bit / 8;
	uint8_t *byte = td_memory(r, gpa);

	if (byte == NULL)
		return;
	*byte ^= (uint8_t)(1U << emu.flip_bit % 8);
	r->td->flipped = true;
	emu_log("tdxemu: flipped bit %u at shared GPA %#lx", emu.flip_bit, emu.flip_gpa);
}
