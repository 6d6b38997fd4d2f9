/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "guest-abi/ghci.h"
#include "guest-abi/linux_boot.h"
#include "tdboot/bytes.h"
#include "tdboot/bzimage.h"
#include "tdboot/layout.h"
#include "tests/unit/test.h"

#define MIB UINT64_C(0x100000)

static void set_file(struct tdboot_params *p, unsigned index, uint64_t gpa, uint64_t length)
{
	p->file[index].gpa = gpa;
	p->file[index].length = length;
}

/* 512 MiB, a kernel of 11 MiB, an initrd of 1 MiB and a byte, a command line. */
static struct tdboot_params good_params(void)
{
	struct tdboot_params p = {.magic = TDBOOT_MAGIC,
				  .version = TDBOOT_VERSION,
				  .vcpu_count = 2,
				  .low_size = 512 * MIB};

	set_file(&p, TDBOOT_KERNEL, TD_FILE_WINDOW_GPA, 11 * MIB);
	set_file(&p, TDBOOT_INITRD, TD_FILE_WINDOW_GPA + 12 * MIB, MIB + 1);
	set_file(&p, TDBOOT_CMDLINE, TD_FILE_WINDOW_GPA + 14 * MIB, 12);
	return p;
}

TEST(tdboot_params_of_a_good_page_have_no_problem)
{
	struct tdboot_params p = good_params();

	EXPECT_STR_EQ(params_problem(&p), NULL);
	set_file(&p, TDBOOT_INITRD, 0, 0);
	set_file(&p, TDBOOT_CMDLINE, TD_FILE_WINDOW_GPA + 12 * MIB, 4095);
	EXPECT_STR_EQ(params_problem(&p), NULL);
	p.low_size = TD_LOW_RAM_MAX;
	p.high_size = 2 * MIB;
	EXPECT_STR_EQ(params_problem(&p), NULL);
}

static void expect_bad(size_t offset, size_t size, uint64_t value, const char *problem)
{
	struct tdboot_params p = good_params();
	const char *found;

	put_le((uint8_t *)&p + offset, (unsigned)size, value);
	found = params_problem(&p);
	EXPECT_STR_EQ(found, problem);
	EXPECT_TRUE(found != NULL && strlen(found) <= 64);
}

#define EXPECT_BAD(field, value, problem)                                                      \
	expect_bad(offsetof(struct tdboot_params, field),                                      \
		   sizeof(((struct tdboot_params *)0)->field), value, problem)

TEST(tdboot_params_each_wrong_field_is_named)
{
	EXPECT_BAD(magic, TDBOOT_MAGIC + 1, "tdboot: parameters: wrong magic");
	EXPECT_BAD(version, 2, "tdboot: parameters: unknown version");
	EXPECT_BAD(vcpu_count, 0, "tdboot: parameters: vCPU count not in 1..64");
	EXPECT_BAD(vcpu_count, 65, "tdboot: parameters: vCPU count not in 1..64");
	EXPECT_BAD(low_size, 512 * MIB + 4096,
		   "tdboot: parameters: RAM is no multiple of 2 MiB");
	EXPECT_BAD(low_size, 30 * MIB, "tdboot: parameters: less than 32 MiB of RAM");
	EXPECT_BAD(low_size, TD_LOW_RAM_MAX + 2 * MIB,
		   "tdboot: parameters: low RAM beyond 2 GiB");
	EXPECT_BAD(high_size, 2 * MIB, "tdboot: parameters: high RAM without full low RAM");
	EXPECT_BAD(high_size, UINT64_MAX & ~(2 * MIB - 1),
		   "tdboot: parameters: high RAM beyond 16 TiB");
	EXPECT_BAD(file[0].gpa, 0, "tdboot: parameters: file at an unexpected address");
	EXPECT_BAD(file[1].gpa, TD_FILE_WINDOW_GPA,
		   "tdboot: parameters: file at an unexpected address");
	EXPECT_BAD(file[0].length, UINT64_MAX, "tdboot: parameters: file larger than low RAM");
	EXPECT_BAD(file[2].length, 4096, "tdboot: parameters: command line beyond 4095 bytes");
	EXPECT_BAD(reserved[0], 1, "tdboot: parameters: reserved bytes in use");
	expect_bad(4095, 1, 0x80, "tdboot: parameters: reserved bytes in use");
}

/* Else MapGPA of that RAM would meet the files. */
TEST(tdboot_files_lie_above_all_ram_that_a_td_can_have)
{
	EXPECT_TRUE(TD_FILE_WINDOW_GPA >= TD_HIGH_RAM_BASE + TDBOOT_HIGH_RAM_MAX);
	EXPECT_TRUE(TD_FILE_WINDOW_GPA + TDBOOT_FILE_COUNT * TD_LOW_RAM_MAX <= TD_SHARED_BIT);
}

TEST(tdboot_params_without_kernel_are_refused)
{
	struct tdboot_params p = good_params();

	set_file(&p, TDBOOT_KERNEL, 0, 0);
	set_file(&p, TDBOOT_INITRD, TD_FILE_WINDOW_GPA, MIB);
	set_file(&p, TDBOOT_CMDLINE, 0, 0);
	EXPECT_STR_EQ(params_problem(&p), "tdboot: parameters: no kernel");
}

TEST(tdboot_layout_stacks_files_below_the_acpi_tables)
{
	struct tdboot_params p = good_params();
	struct layout l;

	EXPECT_STR_EQ(layout_plan(&p, &l), NULL);
	EXPECT_EQ(l.acpi, 512 * MIB - LAYOUT_ACPI_SIZE);
	EXPECT_EQ(l.file[TDBOOT_INITRD], l.acpi - MIB - 4096);
	EXPECT_EQ(l.file[TDBOOT_KERNEL], l.file[TDBOOT_INITRD] - 11 * MIB);
	EXPECT_EQ(l.file[TDBOOT_CMDLINE], LAYOUT_CMDLINE);
}

TEST(tdboot_layout_refuses_what_does_not_fit)
{
	struct tdboot_params p = good_params();
	struct layout l;

	p.low_size = 32 * MIB;
	p.file[TDBOOT_INITRD].length = 31 * MIB;
	EXPECT_STR_EQ(layout_plan(&p, &l), "tdboot: initrd does not fit into low RAM");
	p.file[TDBOOT_INITRD].length = TD_LOW_RAM_MAX;
	EXPECT_STR_EQ(layout_plan(&p, &l), "tdboot: initrd does not fit into low RAM");
	p.file[TDBOOT_INITRD].length = 30 * MIB;
	EXPECT_STR_EQ(layout_plan(&p, &l), "tdboot: kernel and initrd do not fit into low RAM");
	p.file[TDBOOT_INITRD].length = 19 * MIB;
	EXPECT_STR_EQ(layout_plan(&p, &l), NULL);
	EXPECT_TRUE(l.file[TDBOOT_KERNEL] >= LAYOUT_RAM_START);
}

/* The setup header of Debian's 6.12 cloud kernel, in a file of 64 KiB. */
static void good_kernel(uint8_t file[65536])
{
	memset(file, 0, 65536);
	file[LINUX_SETUP_SECTS] = 39;
	put_le(file + LINUX_BOOT_FLAG, 2, LINUX_BOOT_FLAG_VALUE);
	file[LINUX_JUMP] = 0xeb;
	file[LINUX_JUMP + 1] = 0x6a;
	put_le32(file + LINUX_MAGIC, LINUX_MAGIC_VALUE);
	put_le(file + LINUX_VERSION, 2, 0x20f);
	file[LINUX_LOADFLAGS] = 1;
	put_le32(file + LINUX_INITRD_ADDR_MAX, 0x7fffffff);
	put_le32(file + LINUX_KERNEL_ALIGNMENT, 0x200000);
	file[LINUX_RELOCATABLE] = 1;
	put_le(file + LINUX_XLOADFLAGS, 2, 0x7f);
	put_le32(file + LINUX_CMDLINE_SIZE, 2047);
	put_le64(file + LINUX_PREF_ADDRESS, 16 * MIB);
	put_le32(file + LINUX_INIT_SIZE, (uint32_t)(56 * MIB));
}

TEST(tdboot_bzimage_of_a_good_file_is_understood)
{
	uint8_t file[65536];
	struct bzimage z;

	good_kernel(file);
	EXPECT_STR_EQ(bzimage_parse(file, sizeof(file), &z), NULL);
	EXPECT_EQ(z.setup_size, 40 * 512);
	EXPECT_EQ(z.payload_size, 65536 - 40 * 512);
	EXPECT_EQ(z.load, 16 * MIB);
	EXPECT_EQ(z.room, 56 * MIB);
	EXPECT_EQ(z.header_end, 0x26c);
	EXPECT_EQ(z.cmdline_max, 2047);
	file[LINUX_SETUP_SECTS] = 0;
	EXPECT_STR_EQ(bzimage_parse(file, sizeof(file), &z), NULL);
	EXPECT_EQ(z.setup_size, 5 * 512);
}

static void expect_bad_kernel(unsigned offset, unsigned size, uint64_t value, uint64_t length,
			      const char *problem)
{
	uint8_t file[65536];
	struct bzimage z;
	const char *found;

	good_kernel(file);
	put_le(file + offset, size, value);
	found = bzimage_parse(file, length, &z);
	EXPECT_STR_EQ(found, problem);
	EXPECT_TRUE(found != NULL && strlen(found) <= 64);
}

TEST(tdboot_bzimage_each_malformed_header_is_named)
{
	const uint64_t all = 65536;

	expect_bad_kernel(0, 1, 0, 0, "tdboot: kernel: file too short for a bzImage");
	expect_bad_kernel(0, 1, 0, 0x28f, "tdboot: kernel: file too short for a bzImage");
	expect_bad_kernel(LINUX_BOOT_FLAG, 2, 0, all, "tdboot: kernel: not a bzImage");
	expect_bad_kernel(LINUX_MAGIC, 4, 0, all, "tdboot: kernel: not a bzImage");
	expect_bad_kernel(LINUX_VERSION, 2, 0x20b, all,
			  "tdboot: kernel: boot protocol older than 2.12");
	expect_bad_kernel(LINUX_XLOADFLAGS, 2, 0x7e, all, "tdboot: kernel: no 64-bit entry");
	expect_bad_kernel(LINUX_LOADFLAGS, 1, 0, all,
			  "tdboot: kernel: a zImage, not a bzImage");
	expect_bad_kernel(LINUX_JUMP + 1, 1, 0x10, all,
			  "tdboot: kernel: setup header of an impossible length");
	expect_bad_kernel(LINUX_JUMP + 1, 1, 0xff, all,
			  "tdboot: kernel: setup header of an impossible length");
	expect_bad_kernel(LINUX_SETUP_SECTS, 1, 255, all,
			  "tdboot: kernel: file ends before its entry point");
	expect_bad_kernel(0, 1, 0, 40 * 512 + 0x200,
			  "tdboot: kernel: file ends before its entry point");
	expect_bad_kernel(LINUX_PREF_ADDRESS, 8, 16 * MIB + 4096, all,
			  "tdboot: kernel: preferred address misaligned or too high");
	expect_bad_kernel(LINUX_PREF_ADDRESS, 8, 0, all,
			  "tdboot: kernel: preferred address misaligned or too high");
	expect_bad_kernel(LINUX_PREF_ADDRESS, 8, UINT64_MAX & ~(2 * MIB - 1), all,
			  "tdboot: kernel: preferred address misaligned or too high");
}

TEST(tdboot_bzimage_must_fit_below_the_initrd)
{
	struct tdboot_params p = good_params();
	struct bzimage z = {.load = 16 * MIB,
			    .room = 56 * MIB,
			    .cmdline_max = 2047,
			    .initrd_max = 0x7fffffff};
	struct layout l;

	EXPECT_STR_EQ(layout_plan(&p, &l), NULL);
	EXPECT_STR_EQ(bzimage_fit_problem(&z, &p, &l), NULL);
	z.room = l.file[TDBOOT_INITRD] - z.load + 1;
	EXPECT_STR_EQ(bzimage_fit_problem(&z, &p, &l),
		      "tdboot: too little low RAM for kernel and initrd");
	z.room--;
	EXPECT_STR_EQ(bzimage_fit_problem(&z, &p, &l), NULL);
	z.initrd_max = l.file[TDBOOT_INITRD];
	EXPECT_STR_EQ(bzimage_fit_problem(&z, &p, &l),
		      "tdboot: initrd beyond the kernel's address limit");
	z.initrd_max = 0x7fffffff;
	z.cmdline_max = 11;
	EXPECT_STR_EQ(bzimage_fit_problem(&z, &p, &l),
		      "tdboot: command line longer than the kernel takes");
}
