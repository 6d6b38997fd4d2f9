/* SPDX-License-Identifier: MIT */
#include "boot/multiboot2.h"

#include <stdbool.h>
#include <stdint.h>

#include "core/string.h"

#define INFO_HEADER 8U
#define INFO_MAX    (16U << 20)
#define TAG_HEADER  8U
#define MMAP_HEADER 16U
#define MMAP_ENTRY  24U
#define RSDP_V1     20U

enum tag_type {
	TAG_END = 0,
	TAG_MODULE = 3,
	TAG_MMAP = 6,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
};

enum mmap_type { MMAP_AVAILABLE = 1, MMAP_ACPI = 3, MMAP_NVS = 4 };

struct tag {
	uint32_t type;
	size_t size; /* with its header */
	const uint8_t *data;
};

static uint32_t read32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint64_t read64(const uint8_t *p) { return read32(p) | (uint64_t)read32(p + 4) << 32; }

size_t multiboot2_size(const void *info)
{
	uint32_t size = read32(info);

	return size >= INFO_HEADER + TAG_HEADER && size <= INFO_MAX ? size : 0;
}

/* The tag at *offset, which moves on; false at the end. A malformed one gives size 0. */
static bool next_tag(const uint8_t *info, size_t size, size_t *offset, struct tag *t)
{
	if (*offset > size || size - *offset < TAG_HEADER)
		return false;
	t->data = info + *offset;
	t->type = read32(t->data);
	t->size = read32(t->data + 4);
	if (t->size < TAG_HEADER || t->size > size - *offset)
		t->size = 0;
	*offset += (t->size + 7) & ~(size_t)7;
	return t->type != TAG_END || t->size == 0;
}

static enum boot_mem_kind kind_of(uint32_t type)
{
	switch (type) {
	case MMAP_AVAILABLE:
		return BOOT_MEM_USABLE;
	case MMAP_ACPI:
	case MMAP_NVS:
		return BOOT_MEM_ACPI;
	default: /* The set of types is open. */
		return BOOT_MEM_RESERVED;
	}
}

/*
 * Firmware maps may overlap. One pass takes what is usable, a second lays the rest over
 * it, so that a byte with any doubt about it is not used: an entry that wraps reaches to the
 * end of the address space, but is not usable.
 */
static enum status add_memory(const struct tag *t, struct boot_info *out, bool usable)
{
	uint32_t entry = t->size >= MMAP_HEADER ? read32(t->data + 8) : 0;

	if (entry < MMAP_ENTRY)
		return STATUS_BAD_ARG;
	for (size_t at = MMAP_HEADER; at <= t->size && t->size - at >= entry; at += entry) {
		const uint8_t *e = t->data + at;
		enum boot_mem_kind kind = kind_of(read32(e + 16));
		uint64_t base = read64(e);
		uint64_t size = read64(e + 8);
		enum status s;

		if ((kind == BOOT_MEM_USABLE) != usable)
			continue;
		if (size > UINT64_MAX - base)
			size = usable ? 0 : UINT64_MAX - base;
		s = boot_range_set(out, hpa(base), size, kind);
		if (s != STATUS_OK)
			return s;
	}
	return STATUS_OK;
}

/* The first word of the module's string is its name; a module without one is not taken. */
static void add_module(const struct tag *t, struct boot_info *out)
{
	char name[BOOT_NAME_MAX];
	size_t n = 0;
	uint32_t start;
	uint32_t end;

	if (t->size < 16)
		return;
	start = read32(t->data + 8);
	end = read32(t->data + 12);
	while (n < sizeof(name) - 1 && 16 + n < t->size && t->data[16 + n] > ' ') {
		name[n] = (char)t->data[16 + n];
		n++;
	}
	name[n] = '\0';
	if (start >= end || start % PAGE_SIZE != 0)
		return;
	(void)!boot_module_add(out, name, hpa(start), end - start);
}

static void add_tag(const struct tag *t, hpa_t at, struct boot_info *out)
{
	switch (t->type) {
	case TAG_MODULE:
		add_module(t, out);
		break;
	case TAG_ACPI_OLD:
	case TAG_ACPI_NEW:
		if (t->size >= TAG_HEADER + RSDP_V1 &&
		    (t->type == TAG_ACPI_NEW || out->rsdp.raw == 0))
			out->rsdp = hpa_add(at, TAG_HEADER);
		break;
	default: /* The set of tags is open. */
		break;
	}
}

static enum status add_maps(const uint8_t *info, size_t size, struct boot_info *out,
			    bool usable)
{
	size_t offset = INFO_HEADER;
	enum status s = STATUS_OK;
	struct tag t;

	while (s == STATUS_OK && next_tag(info, size, &offset, &t)) {
		if (t.type == TAG_MMAP)
			s = add_memory(&t, out, usable);
	}
	return s;
}

enum status multiboot2_parse(const void *info, size_t size, hpa_t at, struct boot_info *out)
{
	size_t offset = INFO_HEADER;
	enum status s;
	struct tag t;

	memset(out, 0, sizeof(*out));
	out->magic = BOOT_INFO_MAGIC;
	(void)string_copy(out->boot_path, sizeof(out->boot_path), "multiboot2");
	while (next_tag(info, size, &offset, &t)) {
		if (t.size == 0)
			return STATUS_BAD_ARG;
		add_tag(&t, hpa_add(at, (uint64_t)(t.data - (const uint8_t *)info)), out);
	}
	s = add_maps(info, size, out, true);
	if (s == STATUS_OK)
		s = add_maps(info, size, out, false);
	if (s == STATUS_OK && out->range_count == 0)
		s = STATUS_NOT_FOUND;
	return s == STATUS_OK ? boot_modules_keep(out) : s;
}
