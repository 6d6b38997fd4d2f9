/* SPDX-License-Identifier: MIT */
#include "core/boot_info.h"

#include <stddef.h>

#include "core/string.h"

static uint64_t range_end(const struct boot_range *r) { return r->base.raw + r->size; }

const struct boot_module *boot_module_find(const struct boot_info *bi, const char *name)
{
	for (uint32_t i = 0; i < bi->module_count; i++) {
		if (strcmp(bi->modules[i].name, name) == 0)
			return &bi->modules[i];
	}
	return NULL;
}

enum status boot_module_add(struct boot_info *bi, const char *name, hpa_t base, uint64_t size)
{
	struct boot_module *m = &bi->modules[bi->module_count];
	size_t length = strlen(name);

	if (length == 0 || length >= BOOT_NAME_MAX)
		return STATUS_BAD_ARG;
	if (bi->module_count >= BOOT_MAX_MODULES)
		return STATUS_NO_MEMORY;
	memset(m, 0, sizeof(*m));
	memcpy(m->name, name, length);
	m->base = base;
	m->size = size;
	bi->module_count++;
	return STATUS_OK;
}

/* Puts `count` ranges in the place of the `old` ones at `i`. */
static struct boot_range *make_room(struct boot_info *bi, uint32_t i, uint32_t old,
				    uint32_t count)
{
	struct boot_range *r = &bi->ranges[i];

	memmove(r + count, r + old, (bi->range_count - i - old) * sizeof(*r));
	bi->range_count += count - old;
	return r;
}

/* Index of the first range at or above `at`; one that `at` lies inside is cut there. */
static uint32_t cut_at(struct boot_info *bi, uint64_t at)
{
	uint32_t i = 0;
	struct boot_range *r;

	while (i < bi->range_count && range_end(&bi->ranges[i]) <= at)
		i++;
	if (i == bi->range_count || bi->ranges[i].base.raw >= at)
		return i;
	r = make_room(bi, i, 0, 1);
	r->size = at - r->base.raw;
	r[1].size -= r->size;
	r[1].base = hpa(at);
	return i + 1;
}

static void join_with_next(struct boot_info *bi, uint32_t i)
{
	struct boot_range *r = &bi->ranges[i];

	if (i + 1 >= bi->range_count || r[1].kind != r->kind || range_end(r) != r[1].base.raw)
		return;
	r->size += r[1].size;
	(void)make_room(bi, i + 1, 1, 0);
}

enum status boot_range_set(struct boot_info *bi, hpa_t base, uint64_t size,
			   enum boot_mem_kind kind)
{
	uint64_t end = base.raw + size;
	uint32_t first;
	uint32_t count;

	if (size == 0)
		return STATUS_OK;
	if (end < base.raw)
		return STATUS_BAD_ARG;
	if (bi->range_count + 2 > BOOT_MAX_RANGES)
		return STATUS_NO_MEMORY;
	first = cut_at(bi, base.raw);
	count = cut_at(bi, end) - first;
	if (kind == BOOT_MEM_RESERVED) {
		(void)make_room(bi, first, count, 0);
		return STATUS_OK;
	}
	*make_room(bi, first, count, 1) = (struct boot_range){base, size, kind};
	join_with_next(bi, first);
	if (first > 0)
		join_with_next(bi, first - 1);
	return STATUS_OK;
}

enum status boot_modules_keep(struct boot_info *bi)
{
	enum status s = STATUS_OK;

	for (uint32_t i = 0; i < bi->module_count && s == STATUS_OK; i++) {
		uint64_t size = bi->modules[i].size;

		s = boot_range_set(bi, bi->modules[i].base,
				   align_up(size == 0 ? 1 : size, PAGE_SIZE), BOOT_MEM_MODULE);
	}
	return s;
}

enum status boot_range_find(const struct boot_info *bi, uint64_t size, uint64_t align,
			    uint64_t low, uint64_t high, hpa_t *out)
{
	for (uint32_t i = bi->range_count; i-- > 0;) {
		const struct boot_range *r = &bi->ranges[i];
		uint64_t bottom = r->base.raw > low ? r->base.raw : low;
		uint64_t top = range_end(r) < high ? range_end(r) : high;

		if (r->kind != BOOT_MEM_USABLE || top < bottom || top - bottom < size ||
		    align_down(top - size, align) < bottom)
			continue;
		*out = hpa(align_down(top - size, align));
		return STATUS_OK;
	}
	return STATUS_NO_MEMORY;
}
