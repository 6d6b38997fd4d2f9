/* SPDX-License-Identifier: MIT */
/*
 * The Multiboot2 form: GRUB's kernel is the emulator, its first module is L1's
 * kernel and the further ones are L1's modules.
 */
#include "core/string.h"
#include "tests/emu/boot_args.h"
#include "tests/emu/console.h"
#include "tests/emu/l1.h"
#include "tests/emu/mb2.h"
#include "tests/emu/relocate.h"

#define FOUR_GIB  (UINT64_C(1) << 32)
#define PAGE      UINT64_C(4096)
#define INFO_ROOM UINT64_C(0x10000)
#define ONE_MIB   (UINT64_C(1) << 20)
#define MAX_BUSY  (MB2_MAX_MODULES * 2 + 8)

enum { RANGE_ACPI = 3, RANGE_NVS = 4 };

extern char image_start[] __attribute__((visibility("hidden")));
extern char image_end[] __attribute__((visibility("hidden")));

extern const char rela_start[] __attribute__((visibility("hidden")));
extern const char rela_end[] __attribute__((visibility("hidden")));

static struct boot_args args;
static struct l1_start start;
static struct mb2_info info;

static struct tdx_range busy[MAX_BUSY];
static unsigned busy_count;

static void mark_busy(uint64_t base, uint64_t size)
{
	if (busy_count == MAX_BUSY)
		emu_die(EMU_EXIT_REFUSED, "too many modules");
	busy[busy_count++] = (struct tdx_range){.base = base, .size = size};
}

static bool overlaps(uint64_t base, uint64_t size, const struct tdx_range *r)
{
	return base < r->base + r->size && r->base < base + size;
}

static bool is_busy(uint64_t base, uint64_t size)
{
	for (unsigned i = 0; i < busy_count; i++) {
		if (overlaps(base, size, &busy[i]))
			return true;
	}
	return false;
}

/* The highest free and aligned place below `limit`; it is busy from now on. */
static uint64_t take(uint64_t size, uint64_t align, uint64_t limit, uint64_t lowest)
{
	for (unsigned i = info.range_count; i-- > 0;) {
		const struct mb2_range *r = &info.range[i];
		uint64_t end = r->base + r->size < limit ? r->base + r->size : limit;

		if (r->type != MB2_RAM)
			continue;
		for (uint64_t at = (end - size) & ~(align - 1);
		     end >= size && at >= lowest && at >= r->base; at -= align) {
			if (!is_busy(at, size)) {
				mark_busy(at, size);
				return at;
			}
			if (at < align)
				break;
		}
	}
	emu_die(EMU_EXIT_REFUSED, "no room for %lu bytes below %#lx", size, limit);
}

static void collect_ram(void)
{
	for (unsigned i = 0; i < info.range_count; i++) {
		const struct mb2_range *r = &info.range[i];
		bool is_dram =
			r->type == MB2_RAM || r->type == RANGE_ACPI || r->type == RANGE_NVS;

		if (is_dram && args.ram_count < EMU_MAX_RAM)
			args.ram[args.ram_count++] = (struct tdx_range){
				.base = r->base & ~(PAGE - 1),
				.size = (r->size + (r->base & (PAGE - 1))) & ~(PAGE - 1)};
	}
}

/* L1's kernel goes where it wants to: modules that lie there move. */
static void move_modules(const struct tdx_range *kernel)
{
	for (unsigned i = 0; i < info.module_count; i++) {
		struct mb2_module *m = &info.module[i];
		uint64_t to;

		if (!overlaps(m->base, m->size, kernel))
			continue;
		to = take((m->size + PAGE - 1) & ~(PAGE - 1), PAGE, FOUR_GIB, ONE_MIB);
		memcpy((void *)to, (const void *)m->base, m->size);
		m->base = to;
	}
}

static void find_busy(const struct tdx_range *kernel)
{
	mark_busy((uint64_t)image_start, (uint64_t)(image_end - image_start));
	mark_busy(info.base, info.size);
	mark_busy(kernel->base, kernel->size);
	for (unsigned i = 0; i < info.module_count; i++)
		mark_busy(info.module[i].base, info.module[i].size);
}

static void load_l1(void)
{
	uint64_t at = take(INFO_ROOM, PAGE, FOUR_GIB, ONE_MIB);
	const struct tdx_range carve = {.base = args.carve_base, .size = EMU_CARVE_SIZE};

	mb2_build(&info, &carve, at, INFO_ROOM);
	start.is_multiboot = true;
	start.rip = elf_load((const void *)info.module[0].base, info.module[0].size);
	start.eax = MB2_BOOT_MAGIC;
	start.ebx = (uint32_t)at;
}

static struct image self_image(void)
{
	return (struct image){.at = (uint64_t)image_start,
			      .size = (uint64_t)(image_end - image_start),
			      .linked_at = (uint64_t)image_start,
			      .rela = rela_start,
			      .rela_size = (uint64_t)(rela_end - rela_start)};
}

/* Called before anything else: GRUB has loaded the image where it was linked. */
void mb2_relocate_self(void);
void mb2_relocate_self(void)
{
	struct image self = self_image();

	relocate_image(&self, self.at);
}

typedef void (*core_start_fn)(const struct boot_args *args, const struct l1_start *start);

void mb2_main(uint32_t magic, uint32_t information);
void mb2_main(uint32_t magic, uint32_t information)
{
	struct tdx_range kernel;
	struct image self;
	uint64_t core;

	console_init();
	if (magic != MB2_BOOT_MAGIC)
		emu_die(EMU_EXIT_REFUSED, "not started by Multiboot2 (EAX %#x)", magic);
	mb2_parse(information, &info);
	if (info.module_count == 0)
		emu_die(EMU_EXIT_REFUSED, "no module: the first one must be redoubt.elf");
	string_copy(args.options, sizeof(args.options), info.command_line);
	elf_extent((const void *)info.module[0].base, info.module[0].size, &kernel);
	if (overlaps((uint64_t)image_start, (uint64_t)(image_end - image_start), &kernel))
		emu_die(EMU_EXIT_REFUSED, "redoubt.elf wants memory of the emulator's image");
	find_busy(&kernel);
	collect_ram();
	args.rsdp = info.rsdp;
	args.image_size = (uint64_t)(image_end - image_start);
	args.carve_base = take(EMU_CARVE_SIZE, EMU_CARVE_SIZE, FOUR_GIB, ONE_MIB);
	args.trampoline = take(PAGE, PAGE, 0xa0000, PAGE);
	move_modules(&kernel);
	load_l1();
	self = self_image();
	relocate_image(&self, args.carve_base);
	core = (uint64_t)core_start - (uint64_t)image_start + args.carve_base;
	((core_start_fn)core)(&args, &start);
}
