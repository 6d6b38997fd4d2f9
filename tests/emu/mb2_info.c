/* SPDX-License-Identifier: MIT */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/mb2.h"

#define INFO_HEADER 8U
#define TAG_HEADER  8U
#define MMAP_ENTRY  24U

enum tag_type {
	TAG_END = 0,
	TAG_COMMAND_LINE = 1,
	TAG_MODULE = 3,
	TAG_MMAP = 6,
	TAG_ELF_SECTIONS = 9,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
};

struct tag {
	uint32_t type, size;
};

static uint32_t load32(uint64_t at)
{
	uint32_t v;

	memcpy(&v, (const void *)at, sizeof(v));
	return v;
}

static uint64_t load64(uint64_t at)
{
	uint64_t v;

	memcpy(&v, (const void *)at, sizeof(v));
	return v;
}

static struct tag tag_at(uint64_t at) { return (struct tag){load32(at), load32(at + 4)}; }
static uint64_t next_tag(uint64_t at) { return at + ((tag_at(at).size + 7) & ~UINT32_C(7)); }

static void parse_mmap(uint64_t at, struct mb2_info *out)
{
	uint64_t end = at + load32(at + 4);
	uint32_t step = load32(at + 8);

	for (at += 16; at + MMAP_ENTRY <= end && step >= MMAP_ENTRY; at += step) {
		if (out->range_count == MB2_MAX_RANGES)
			emu_die(EMU_EXIT_REFUSED, "too many ranges in the memory map");
		out->range[out->range_count++] = (struct mb2_range){
			.base = load64(at), .size = load64(at + 8), .type = load32(at + 16)};
	}
}

static void parse_module(uint64_t at, struct mb2_info *out)
{
	if (out->module_count == MB2_MAX_MODULES)
		emu_die(EMU_EXIT_REFUSED, "too many modules");
	out->module[out->module_count++] =
		(struct mb2_module){.base = load32(at + 8),
				    .size = load32(at + 12) - load32(at + 8),
				    .text = (const char *)(at + 16)};
}

static void parse_tag(uint64_t at, struct mb2_info *out)
{
	switch (tag_at(at).type) {
	case TAG_COMMAND_LINE:
		out->command_line = (const char *)(at + TAG_HEADER);
		break;
	case TAG_MODULE:
		parse_module(at, out);
		break;
	case TAG_MMAP:
		parse_mmap(at, out);
		break;
	case TAG_ACPI_OLD:
		if (out->rsdp == 0)
			out->rsdp = at + TAG_HEADER;
		break;
	case TAG_ACPI_NEW:
		out->rsdp = at + TAG_HEADER;
		break;
	default:
		break;
	}
}

void mb2_parse(uint64_t info, struct mb2_info *out)
{
	uint64_t end = info + load32(info);

	*out = (struct mb2_info){.base = info, .size = load32(info), .command_line = ""};
	for (uint64_t at = info + INFO_HEADER; at + TAG_HEADER <= end; at = next_tag(at)) {
		if (tag_at(at).type == TAG_END)
			return;
		if (tag_at(at).size < TAG_HEADER)
			break;
		parse_tag(at, out);
	}
	emu_die(EMU_EXIT_REFUSED, "malformed Multiboot2 information");
}

struct writer {
	uint64_t start, at, end;
};

static void put(struct writer *w, const void *data, size_t size)
{
	if (w->end - w->at < size)
		emu_die(EMU_EXIT_FATAL, "L1's Multiboot2 information does not fit");
	memcpy((void *)w->at, data, size);
	w->at += size;
}

static void put32(struct writer *w, uint32_t v) { put(w, &v, sizeof(v)); }
static void put64(struct writer *w, uint64_t v) { put(w, &v, sizeof(v)); }

static void align_tag(struct writer *w)
{
	static const char zero[8];

	put(w, zero, -w->at & 7);
}

static void put_text_tag(struct writer *w, uint32_t type, const struct mb2_module *m)
{
	size_t text = strlen(m->text) + 1;

	put32(w, type);
	if (type == TAG_MODULE) {
		put32(w, (uint32_t)(16 + text));
		put32(w, (uint32_t)m->base);
		put32(w, (uint32_t)(m->base + m->size));
	} else {
		put32(w, (uint32_t)(TAG_HEADER + text));
	}
	put(w, m->text, text);
	align_tag(w);
}

static void put_range(struct writer *w, uint64_t base, uint64_t end, uint32_t type)
{
	if (base >= end)
		return;
	put64(w, base);
	put64(w, end - base);
	put32(w, type);
	put32(w, 0);
}

/* The emulator's memory lies inside one available range: cut it out. */
static void put_mmap(struct writer *w, const struct mb2_info *info,
		     const struct tdx_range *carve)
{
	const uint32_t reserved = 2;
	uint64_t tag = w->at;
	uint64_t carve_end = carve->base + carve->size;
	uint32_t size;

	put32(w, TAG_MMAP);
	put32(w, 0);
	put32(w, MMAP_ENTRY);
	put32(w, 0);
	for (unsigned i = 0; i < info->range_count; i++) {
		const struct mb2_range *r = &info->range[i];
		uint64_t end = r->base + r->size;

		if (carve->base < r->base || carve->base >= end) {
			put_range(w, r->base, end, r->type);
			continue;
		}
		put_range(w, r->base, carve->base, r->type);
		put_range(w, carve->base, carve_end, reserved);
		put_range(w, carve_end, end, r->type);
	}
	size = (uint32_t)(w->at - tag);
	memcpy((void *)(tag + 4), &size, sizeof(size));
	align_tag(w);
}

static bool is_replaced(uint32_t type)
{
	return type == TAG_COMMAND_LINE || type == TAG_MODULE || type == TAG_MMAP ||
	       type == TAG_ELF_SECTIONS;
}

void mb2_build(const struct mb2_info *info, const struct tdx_range *carve, uint64_t at,
	       uint64_t room)
{
	struct writer w = {.start = at, .at = at, .end = at + room};
	uint32_t size;

	put64(&w, 0);
	put_text_tag(&w, TAG_COMMAND_LINE, &info->module[0]);
	for (unsigned i = 1; i < info->module_count; i++)
		put_text_tag(&w, TAG_MODULE, &info->module[i]);
	put_mmap(&w, info, carve);
	for (uint64_t t = info->base + INFO_HEADER; tag_at(t).type != TAG_END;
	     t = next_tag(t)) {
		if (is_replaced(tag_at(t).type))
			continue;
		put(&w, (const void *)t, tag_at(t).size);
		align_tag(&w);
	}
	put32(&w, TAG_END);
	put32(&w, TAG_HEADER);
	size = (uint32_t)(w.at - w.start);
	memcpy((void *)w.start, &size, sizeof(size));
}
