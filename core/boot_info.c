/* SPDX-License-Identifier: MIT */
#include "core/boot_info.h"

#include <stddef.h>

#include "core/string.h"

#define LOW_MEMORY_END UINT64_C(0x100000)

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

enum boot_mem_kind boot_range_kind(const struct boot_info *bi, hpa_t at)
{
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];

		if (at.raw >= r->base.raw && at.raw < range_end(r))
			return r->kind;
	}
	return BOOT_MEM_RESERVED;
}

static void remove_at(struct boot_info *bi, uint32_t i)
{
	bi->range_count--;
	memmove(&bi->ranges[i], &bi->ranges[i + 1],
		(bi->range_count - i) * sizeof(bi->ranges[0]));
}

static void insert_at(struct boot_info *bi, uint32_t i, struct boot_range r)
{
	memmove(&bi->ranges[i + 1], &bi->ranges[i],
		(bi->range_count - i) * sizeof(bi->ranges[0]));
	bi->ranges[i] = r;
	bi->range_count++;
}

/* Index of the first range that ends above `at`. */
static uint32_t first_above(const struct boot_info *bi, uint64_t at)
{
	uint32_t i = 0;

	while (i < bi->range_count && range_end(&bi->ranges[i]) <= at)
		i++;
	return i;
}

/* Makes [base, end) empty. Needs one free entry, for a range that is cut in two. */
static void clear_range(struct boot_info *bi, uint64_t base, uint64_t end)
{
	uint32_t i = first_above(bi, base);

	while (i < bi->range_count && bi->ranges[i].base.raw < end) {
		struct boot_range *r = &bi->ranges[i];
		struct boot_range tail = {hpa(end), range_end(r) - end, r->kind};
		bool has_tail = range_end(r) > end;

		if (r->base.raw < base) {
			r->size = base - r->base.raw;
			i++;
			if (has_tail)
				insert_at(bi, i, tail);
		} else if (has_tail) {
			*r = tail;
		} else {
			remove_at(bi, i);
			continue;
		}
		if (has_tail)
			return;
	}
}

static void join_with_next(struct boot_info *bi, uint32_t i)
{
	struct boot_range *r = &bi->ranges[i];

	if (i + 1 >= bi->range_count || r[1].kind != r->kind || range_end(r) != r[1].base.raw)
		return;
	r->size += r[1].size;
	remove_at(bi, i + 1);
}

enum status boot_range_set(struct boot_info *bi, hpa_t base, uint64_t size,
			   enum boot_mem_kind kind)
{
	uint64_t end = base.raw + size;
	uint32_t i;

	if (size == 0)
		return STATUS_OK;
	if (end < base.raw)
		return STATUS_BAD_ARG;
	if (bi->range_count + 2 > BOOT_MAX_RANGES)
		return STATUS_NO_MEMORY;
	clear_range(bi, base.raw, end);
	if (kind == BOOT_MEM_RESERVED)
		return STATUS_OK;
	i = first_above(bi, base.raw);
	insert_at(bi, i, (struct boot_range){base, size, kind});
	join_with_next(bi, i);
	if (i > 0)
		join_with_next(bi, i - 1);
	return STATUS_OK;
}

enum status boot_range_find(const struct boot_info *bi, uint64_t size, uint64_t align,
			    uint64_t limit, hpa_t *out)
{
	for (uint32_t i = bi->range_count; i-- > 0;) {
		const struct boot_range *r = &bi->ranges[i];
		uint64_t low = r->base.raw < LOW_MEMORY_END ? LOW_MEMORY_END : r->base.raw;
		uint64_t high = range_end(r) < limit ? range_end(r) : limit;
		uint64_t at;

		if (r->kind != BOOT_MEM_USABLE || high < low || high - low < size)
			continue;
		at = align_down(high - size, align);
		if (at >= low) {
			*out = hpa(at);
			return STATUS_OK;
		}
	}
	return STATUS_NO_MEMORY;
}
