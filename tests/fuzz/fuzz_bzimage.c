/* SPDX-License-Identifier: MIT */
/*
 * What tdboot reads: the parameter page and the kernel's header. The input is the first
 * PARAMS_SIZE bytes of the page and then the kernel file, whose length the page tells.
 */
#include "guest-abi/linux_boot.h"
#include "tdboot/boot_params.h"
#include "tdboot/bzimage.h"
#include "tdboot/layout.h"
#include "tests/fuzz/fuzz.h"

#define PARAMS_SIZE offsetof(struct tdboot_params, reserved)
#define TEXT_MAX    64

static void check_text(const char *problem)
{
	FUZZ_CHECK(problem == NULL || strlen(problem) <= TEXT_MAX);
}

static bool is_in_ram(const struct tdboot_params *p, uint64_t at, uint64_t size)
{
	return at >= LAYOUT_RAM_START && at <= p->low_size && size <= p->low_size - at;
}

static void check_layout(const struct tdboot_params *p, const struct layout *l)
{
	FUZZ_CHECK(is_in_ram(p, l->acpi, LAYOUT_ACPI_SIZE));
	FUZZ_CHECK(is_in_ram(p, l->file[TDBOOT_KERNEL], p->file[TDBOOT_KERNEL].length));
	FUZZ_CHECK(is_in_ram(p, l->file[TDBOOT_INITRD], p->file[TDBOOT_INITRD].length));
}

static void check_kernel(const uint8_t *file, uint64_t size, const struct tdboot_params *p,
			 const struct layout *l)
{
	static uint8_t zero_page[BOOT_PARAMS_SIZE];
	struct bzimage image;
	const char *problem = bzimage_parse(file, size, &image);
	struct boot_inputs in = {file, &image, p, l, l->acpi, TDBOOT_IMAGE_GPA};

	check_text(problem);
	if (problem != NULL)
		return;
	FUZZ_CHECK(image.setup_size + image.payload_size == size);
	FUZZ_CHECK(image.header_end <= size && image.header_end <= LINUX_SETUP_HEADER_LIMIT);
	FUZZ_CHECK(image.room >= image.payload_size);
	problem = bzimage_fit_problem(&image, p, l);
	check_text(problem);
	if (problem != NULL)
		return;
	FUZZ_CHECK(is_in_ram(p, image.load, image.room));
	memset(zero_page, 0, sizeof(zero_page));
	boot_params_build(zero_page, &in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tdboot_params p;
	struct layout l;
	uint8_t *file;
	const char *problem;

	memset(&p, 0, sizeof(p));
	memcpy(&p, data, size < PARAMS_SIZE ? size : PARAMS_SIZE);
	if (size <= PARAMS_SIZE)
		return 0;
	size -= PARAMS_SIZE;
	p.file[TDBOOT_KERNEL].length = size;
	problem = params_problem(&p);
	check_text(problem);
	if (problem == NULL)
		problem = layout_plan(&p, &l);
	check_text(problem);
	if (problem != NULL)
		return 0;
	check_layout(&p, &l);
	file = fuzz_copy(data + PARAMS_SIZE, size);
	check_kernel(file, size, &p, &l);
	free(file);
	return 0;
}
