/* SPDX-License-Identifier: MIT */
/*
 * CR0, CR3, CR4 and EFER of a TD in the VMCB.
 *
 * QEMU 7.2 checks the nested tables for a guest that runs without paging but
 * does not translate by them: it would run in host memory. An unpaged vCPU is
 * therefore run with paging on, in compatibility mode, on identity tables of
 * ours that appear at a guest-physical address no TD can own.
 *
 * CR0, CR4 and EFER of the guest are in r->state all the time, since every write
 * to them is intercepted; CR3 is in the VMCB while the guest pages.
 */
#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/pool.h"
#include "tests/emu/td.h"

/* CR4 bits that TCG has; it refuses the VMCB with any other. */
#define CR4_TCG UINT64_C(0x01751fff)

#define CR_BIT(n) ((uint16_t)(1U << (n)))

#define GIB        (UINT64_C(1) << 30)
#define PTE_TABLE  UINT64_C(3)
#define PTE_LARGE  UINT64_C(0x83)
#define TABLE_GPA  (UINT64_C(1) << 50)
#define TABLE_SIZE UINT64_C(0x2000)

static uint64_t *identity; /* two pages: PML4, and one PDPT for 4 GiB */

void td_paging_init(void)
{
	identity = pool_alloc(TABLE_SIZE);
	identity[0] = (TABLE_GPA + 0x1000) | PTE_TABLE;
	for (uint64_t i = 0; i < 4; i++)
		identity[512 + i] = i * GIB | PTE_LARGE;
}

static bool is_paged(const struct td_run *r) { return (r->state->cr0 & CR0_PG) != 0; }

void *td_paging_table(const struct td_run *r, uint64_t gpa)
{
	if (is_paged(r) || gpa - TABLE_GPA >= TABLE_SIZE)
		return NULL;
	return (char *)identity + (gpa - TABLE_GPA);
}

static void expose_tables(struct td *td, bool expose)
{
	emu_lock_take(&td->lock);
	for (uint64_t at = 0; at < TABLE_SIZE; at += 0x1000) {
		uint64_t entry = expose ? ((uint64_t)identity + at) | NPT_RWX : 0;

		if (!npt_set(&td->npt, TABLE_GPA + at, 0, entry))
			emu_die(EMU_EXIT_FATAL, "no page left for a TD's nested tables");
	}
	emu_lock_drop(&td->lock);
}

bool td_paging_fault(struct td_run *r, uint64_t gpa)
{
	if (td_paging_table(r, gpa) == NULL)
		return false;
	expose_tables(r->td, true);
	return true;
}

void td_paging_load(struct td_run *r)
{
	struct vmcb *v = r->vmcb;
	const struct tdx_guest_state *s = r->state;
	bool cr0_differs = ((s->cr0 ^ s->cr0_shadow) & s->cr0_mask) != 0;

	v->cr_read = (uint16_t)(emu.cr4_read_icpt | (cr0_differs ? CR_BIT(0) : 0));
	v->cr_write = CR_BIT(0) | CR_BIT(4);
	v->cr0 = s->cr0;
	v->cr3 = s->cr3;
	v->cr4 = s->cr4 & CR4_TCG;
	v->efer = s->efer | EFER_SVME;
	if (is_paged(r))
		return;
	v->cr_read |= CR_BIT(0) | CR_BIT(3);
	v->cr_write |= CR_BIT(3);
	v->cr0 |= CR0_PG;
	v->cr3 = TABLE_GPA;
	v->cr4 = (v->cr4 & ~CR4_LA57) | CR4_PAE;
	v->efer |= EFER_LME | EFER_LMA;
}

void td_paging_store(struct td_run *r)
{
	if (is_paged(r))
		r->state->cr3 = r->vmcb->cr3;
}

/* With LME set, paging switches long mode on and off. */
void td_paging_set_cr0(struct td_run *r, uint64_t value)
{
	struct tdx_guest_state *s = r->state;
	bool was_paged = is_paged(r);

	td_paging_store(r);
	s->cr0 = value;
	if ((value & CR0_PG) != 0 && (s->efer & EFER_LME) != 0)
		s->efer |= EFER_LMA;
	else
		s->efer &= ~EFER_LMA;
	if (!was_paged && is_paged(r))
		expose_tables(r->td, false);
	td_paging_load(r);
}

void td_paging_set_cr4(struct td_run *r, uint64_t value)
{
	td_paging_store(r);
	r->state->cr4 = value;
	td_paging_load(r);
}
