/* SPDX-License-Identifier: MIT */
#include "tdboot/layout.h"

#include <stdbool.h>
#include <stddef.h>

#define PAGE_MASK UINT64_C(0xfff)

static const char *memory_problem(const struct tdboot_params *p)
{
	if (p->low_size % TDBOOT_RAM_UNIT != 0 || p->high_size % TDBOOT_RAM_UNIT != 0)
		return "tdboot: parameters: RAM is no multiple of 2 MiB";
	if (p->low_size < TDBOOT_LOW_RAM_MIN)
		return "tdboot: parameters: less than 32 MiB of RAM";
	if (p->low_size > TD_LOW_RAM_MAX)
		return "tdboot: parameters: low RAM beyond 2 GiB";
	if (p->high_size > TDBOOT_HIGH_RAM_MAX)
		return "tdboot: parameters: high RAM beyond 16 TiB";
	if (p->high_size != 0 && p->low_size != TD_LOW_RAM_MAX)
		return "tdboot: parameters: high RAM without full low RAM";
	return NULL;
}

static const char *files_problem(const struct tdboot_params *p)
{
	uint64_t next = TD_FILE_WINDOW_GPA;

	for (unsigned i = 0; i < TDBOOT_FILE_COUNT; i++) {
		const struct tdboot_file *f = &p->file[i];

		if (f->gpa != (f->length == 0 ? 0 : next))
			return "tdboot: parameters: file at an unexpected address";
		if (f->length > TD_LOW_RAM_MAX)
			return "tdboot: parameters: file larger than low RAM";
		next += (f->length + TDBOOT_RAM_UNIT - 1) & ~(TDBOOT_RAM_UNIT - 1);
	}
	if (p->file[TDBOOT_KERNEL].length == 0)
		return "tdboot: parameters: no kernel";
	if (p->file[TDBOOT_CMDLINE].length > TDBOOT_CMDLINE_MAX)
		return "tdboot: parameters: command line beyond 4095 bytes";
	return NULL;
}

const char *params_problem(const struct tdboot_params *p)
{
	const char *problem;

	if (p->magic != TDBOOT_MAGIC)
		return "tdboot: parameters: wrong magic";
	if (p->version != TDBOOT_VERSION)
		return "tdboot: parameters: unknown version";
	if (p->vcpu_count == 0 || p->vcpu_count > TDBOOT_MAX_VCPUS)
		return "tdboot: parameters: vCPU count not in 1..64";
	problem = memory_problem(p);
	if (problem == NULL)
		problem = files_problem(p);
	for (size_t i = 0; problem == NULL && i < sizeof(p->reserved); i++) {
		if (p->reserved[i] != 0)
			problem = "tdboot: parameters: reserved bytes in use";
	}
	return problem;
}

/* Takes `size` bytes, page aligned, from below *top; false if that leaves the usable range. */
static bool take_below(uint64_t *top, uint64_t size)
{
	if (size > *top - LAYOUT_RAM_START)
		return false;
	*top = (*top - size) & ~PAGE_MASK;
	return *top >= LAYOUT_RAM_START;
}

const char *layout_plan(const struct tdboot_params *p, struct layout *layout)
{
	struct layout l = {.file[TDBOOT_CMDLINE] = LAYOUT_CMDLINE};
	uint64_t top = p->low_size - LAYOUT_ACPI_SIZE;

	l.acpi = top;
	if (!take_below(&top, p->file[TDBOOT_INITRD].length))
		return "tdboot: initrd does not fit into low RAM";
	l.file[TDBOOT_INITRD] = top;
	if (!take_below(&top, p->file[TDBOOT_KERNEL].length))
		return "tdboot: kernel and initrd do not fit into low RAM";
	l.file[TDBOOT_KERNEL] = top;
	*layout = l;
	return NULL;
}
