/* SPDX-License-Identifier: MIT */
#include "tests/emu/gview.h"

#include "core/string.h"

#define PTE_P    UINT64_C(1)
#define PTE_PS   UINT64_C(0x80)
#define PTE_ADDR UINT64_C(0x000ffffffffff000)

static bool load_entry(const struct gview *g, uint64_t gpa, size_t size, uint64_t *entry)
{
	const void *p = g->memory(g->ctx, gpa);

	*entry = 0;
	if (p == NULL)
		return false;
	memcpy(entry, p, size);
	return (*entry & PTE_P) != 0;
}

static bool walk_long(const struct gview *g, uint64_t root, unsigned top, uint64_t linear,
		      uint64_t *gpa)
{
	uint64_t table = root & PTE_ADDR;
	uint64_t entry;

	for (unsigned level = top;; level--) {
		unsigned shift = 12 + 9 * level;
		uint64_t offset_mask = (UINT64_C(1) << shift) - 1;

		if (!load_entry(g, table + (linear >> shift & 511) * 8, 8, &entry))
			return false;
		if (level == 0 || (level < 3 && (entry & PTE_PS) != 0)) {
			*gpa = (entry & PTE_ADDR & ~offset_mask) | (linear & offset_mask);
			return true;
		}
		table = entry & PTE_ADDR;
	}
}

static bool walk_pae(const struct gview *g, uint64_t linear, uint64_t *gpa)
{
	uint64_t entry;

	if (!load_entry(g, (g->vmcb->cr3 & UINT64_C(0xffffffe0)) + (linear >> 30 & 3) * 8, 8,
			&entry))
		return false;
	return walk_long(g, entry, 1, linear, gpa);
}

static bool walk_32(const struct gview *g, uint64_t linear, uint64_t *gpa)
{
	uint64_t entry;

	if (!load_entry(g, (g->vmcb->cr3 & UINT64_C(0xfffff000)) + (linear >> 22 & 1023) * 4, 4,
			&entry))
		return false;
	if ((entry & PTE_PS) != 0 && (g->vmcb->cr4 & CR4_PSE) != 0) {
		*gpa = (entry & UINT64_C(0xffc00000)) | (linear & UINT64_C(0x3fffff));
		return true;
	}
	if (!load_entry(g, (entry & UINT64_C(0xfffff000)) + (linear >> 12 & 1023) * 4, 4,
			&entry))
		return false;
	*gpa = (entry & UINT64_C(0xfffff000)) | (linear & 0xfff);
	return true;
}

bool gview_translate(const struct gview *g, uint64_t linear, uint64_t *gpa)
{
	const struct vmcb *v = g->vmcb;

	if ((v->cr0 & CR0_PG) == 0) {
		*gpa = linear & UINT64_C(0xffffffff);
		return true;
	}
	if ((v->efer & EFER_LMA) != 0)
		return walk_long(g, v->cr3, (v->cr4 & CR4_LA57) != 0 ? 4 : 3, linear, gpa);
	linear &= UINT64_C(0xffffffff);
	if ((v->cr4 & CR4_PAE) != 0)
		return walk_pae(g, linear, gpa);
	return walk_32(g, linear, gpa);
}

static void *locate(const struct gview *g, uint64_t linear, size_t wanted, size_t *chunk)
{
	uint64_t gpa;

	*chunk = 0x1000 - (linear & 0xfff);
	if (*chunk > wanted)
		*chunk = wanted;
	if (!gview_translate(g, linear, &gpa))
		return NULL;
	return g->memory(g->ctx, gpa);
}

size_t gview_read(const struct gview *g, uint64_t linear, void *data, size_t size)
{
	size_t done = 0;
	size_t chunk;

	while (done < size) {
		const void *p = locate(g, linear + done, size - done, &chunk);

		if (p == NULL)
			break;
		memcpy((char *)data + done, p, chunk);
		done += chunk;
	}
	return done;
}

bool gview_write(const struct gview *g, uint64_t linear, const void *data, size_t size)
{
	size_t done = 0;
	size_t chunk;

	while (done < size) {
		void *p = locate(g, linear + done, size - done, &chunk);

		if (p == NULL)
			return false;
		memcpy(p, (const char *)data + done, chunk);
		done += chunk;
	}
	return true;
}
