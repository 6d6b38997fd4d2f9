/* SPDX-License-Identifier: MIT */
/*
 * L1's memory: everything, at its own address, except what belongs to the
 * emulator or, for the time being, to the TDX module.
 *
 * Taking a page away edits the nested table without a remote shoot-down: every
 * VMRUN flushes, so another CPU stays stale until its next exit only.
 */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/lapic.h"
#include "tests/emu/svm_insn.h"

#define GIB  (UINT64_C(1) << 30)
#define PAGE UINT64_C(4096)

#define PF_WRITE UINT32_C(2)

static void set_range(uint64_t base, uint64_t size, uint64_t entry)
{
	bool ok;

	emu_lock_take(&emu.l1_npt_lock);
	ok = npt_set_range(&emu.l1_npt, base, size, entry);
	emu_lock_drop(&emu.l1_npt_lock);
	if (!ok)
		emu_die(EMU_EXIT_FATAL, "no page left for L1's nested tables");
}

void l1_mem_init(void)
{
	if (!npt_init(&emu.l1_npt))
		emu_die(EMU_EXIT_FATAL, "no page for L1's nested tables");
	set_range(0, 16 * GIB, NPT_RWX);
	set_range(emu.args.carve_base, EMU_CARVE_SIZE, NPT_EMU);
	set_range(LAPIC_BASE, PAGE, LAPIC_BASE | NPT_READ_ONLY);
}

uint64_t l1_mem_owner(uint64_t hpa)
{
	unsigned level;
	uint64_t entry = npt_lookup(&emu.l1_npt, hpa, &level);

	return (entry & NPT_PRESENT) != 0 ? 0 : entry & (NPT_MODULE | NPT_EMU);
}

void l1_mem_fault(struct lp *lp, uint64_t linear, bool is_write)
{
	struct gview g = l1_view(lp);
	uint64_t gpa;

	if (gview_translate(&g, linear, &gpa)) {
		l1_mc_raise(lp, gpa, false);
		return;
	}
	lp->l1->cr2 = linear;
	l1_raise_error(lp, VECTOR_PF, is_write ? PF_WRITE : 0);
}

/* Pages come back from the module as noise: whoever relies on their content must notice. */
static void scramble(uint64_t hpa, uint64_t size)
{
	uint64_t x = insn_rdtsc() | 1;
	uint64_t *word = (uint64_t *)hpa;

	for (uint64_t i = 0; i < size / sizeof(*word); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		word[i] = x;
	}
}

void l1_mem_set_owner(uint64_t hpa, uint64_t size, bool module_owns)
{
	if (!module_owns)
		scramble(hpa, size);
	set_range(hpa, size, module_owns ? NPT_MODULE : hpa | NPT_RWX);
}

/*
 * High MMIO appears in L1's table when it is first used. An entry that is
 * present by now was given back by another CPU: the access just runs again.
 */
static bool map_on_demand(uint64_t gpa)
{
	unsigned level;
	uint64_t entry = npt_lookup(&emu.l1_npt, gpa, &level);

	if (gpa >> EMU_HPA_BITS != 0)
		return false;
	if (entry != 0)
		return (entry & NPT_PRESENT) != 0;
	set_range(gpa & ~(GIB - 1), GIB, (gpa & ~(GIB - 1)) | NPT_RWX);
	return true;
}

static uint32_t stored_value(const struct lp *lp, const struct insn *in)
{
	if (in->opcode == 0xc7)
		return (uint32_t)in->immediate;
	return (uint32_t)lp->gpr[in->opcode == 0xa3 ? TDX_RAX : in->reg];
}

/* A store to the LAPIC page, which is mapped read-only. */
static void handle_lapic_store(struct lp *lp, uint64_t gpa)
{
	struct gview g = l1_view(lp);
	unsigned reg = (unsigned)(gpa & 0xfff);
	struct insn in;
	uint32_t value;

	if (!insn_decode(&g, lp->gpr, &in) || in.map != MAP_ONE ||
	    (in.opcode != 0x89 && in.opcode != 0xc7 && in.opcode != 0xa3 && in.opcode != 0x87))
		emu_die(EMU_EXIT_FATAL, "L1 LAPIC store at rip %#lx not understood",
			lp->l1->rip);
	value = stored_value(lp, &in);
	if (in.opcode == 0x87)
		lp->gpr[in.reg] = lapic_read(reg);
	l1_apic_mmio_write(lp, reg, value);
	l1_advance(lp, in.length);
}

void l1_handle_npf(struct lp *lp)
{
	uint64_t gpa = lp->l1->exit_info2;
	uint64_t info = lp->l1->exit_info1;

	if ((gpa & ~(PAGE - 1)) == LAPIC_BASE && (info & NPF_WRITE) != 0) {
		handle_lapic_store(lp, gpa);
		return;
	}
	if (map_on_demand(gpa))
		return;
	l1_mc_raise(lp, gpa, (info & NPF_FETCH) != 0);
}
