/* SPDX-License-Identifier: MIT */
/* Loads an ELF64 file with a Multiboot2 header the way GRUB does. */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/mb2.h"

#define HEADER_MAGIC UINT32_C(0xe85250d6)
#define HEADER_AREA  32768U
#define TAG_ENTRY    3
#define PT_LOAD      1U

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static void read_header(const void *file, uint64_t size, struct elf_header *h)
{
	static const uint8_t magic[5] = {0x7f, 'E', 'L', 'F', 2};

	if (size < sizeof(*h))
		emu_die(EMU_EXIT_REFUSED, "the first module is too short for an ELF file");
	memcpy(h, file, sizeof(*h));
	if (memcmp(h->ident, magic, sizeof(magic)) != 0 ||
	    h->phentsize != sizeof(struct elf_segment) || h->phoff > size ||
	    (size - h->phoff) / h->phentsize < h->phnum)
		emu_die(EMU_EXIT_REFUSED, "the first module is not an ELF64 file");
}

static struct elf_segment segment_at(const void *file, uint64_t size,
				     const struct elf_header *h, unsigned index)
{
	struct elf_segment s;

	memcpy(&s, (const char *)file + h->phoff + index * sizeof(s), sizeof(s));
	if (s.type == PT_LOAD &&
	    (s.offset > size || size - s.offset < s.filesz || s.memsz < s.filesz))
		emu_die(EMU_EXIT_REFUSED, "segment %u of the first module is truncated", index);
	return s;
}

void elf_extent(const void *file, uint64_t size, struct tdx_range *extent)
{
	uint64_t low = ~UINT64_C(0);
	uint64_t high = 0;
	struct elf_header h;

	read_header(file, size, &h);
	for (unsigned i = 0; i < h.phnum; i++) {
		struct elf_segment s = segment_at(file, size, &h, i);

		if (s.type != PT_LOAD || s.memsz == 0)
			continue;
		low = s.paddr < low ? s.paddr : low;
		high = s.paddr + s.memsz > high ? s.paddr + s.memsz : high;
	}
	if (low >= high)
		emu_die(EMU_EXIT_REFUSED, "the first module has nothing to load");
	*extent = (struct tdx_range){.base = low, .size = high - low};
}

static uint32_t word_at(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The entry address tag of the Multiboot2 header at `p`, or 0. */
static uint64_t entry_tag(const char *p)
{
	const char *end = p + word_at(p + 8);

	for (p += 16; p + 8 <= end && word_at(p + 4) >= 8;
	     p += (word_at(p + 4) + 7) & ~UINT32_C(7)) {
		if ((word_at(p) & 0xffff) == TAG_ENTRY)
			return word_at(p + 8);
	}
	return 0;
}

static const char *find_mb2_header(const char *file, uint64_t size)
{
	uint64_t area = size < HEADER_AREA ? size : HEADER_AREA;

	for (uint64_t at = 0; at + 16 <= area; at += 8) {
		const char *p = file + at;

		if (word_at(p) == HEADER_MAGIC &&
		    word_at(p) + word_at(p + 4) + word_at(p + 8) + word_at(p + 12) == 0)
			return p;
	}
	emu_die(EMU_EXIT_REFUSED, "the first module has no Multiboot2 header");
}

uint64_t elf_load(const void *file, uint64_t size)
{
	uint64_t entry = entry_tag(find_mb2_header(file, size));
	struct elf_header h;

	read_header(file, size, &h);
	for (unsigned i = 0; i < h.phnum; i++) {
		struct elf_segment s = segment_at(file, size, &h, i);

		if (s.type != PT_LOAD)
			continue;
		memcpy((void *)s.paddr, (const char *)file + s.offset, s.filesz);
		memset((char *)s.paddr + s.filesz, 0, s.memsz - s.filesz);
		if (entry == 0 && h.entry - s.vaddr < s.memsz)
			entry = h.entry - s.vaddr + s.paddr;
	}
	return entry;
}
