/* SPDX-License-Identifier: MIT */
#include "tdx/measure.h"

#include "core/string.h"

#define BLOCK_SIZE  128U
#define EXTEND_SIZE 256U

/* A 128-byte block: the leaf's name at 0, the GPA (little endian) at 16, zero elsewhere. */
static void add_block(struct sha384 *mrtd, const char *name, gpa_t at)
{
	uint8_t block[BLOCK_SIZE] = {0};

	memcpy(block, name, strlen(name));
	for (unsigned i = 0; i < 8; i++)
		block[16 + i] = (uint8_t)(at.raw >> 8 * i);
	sha384_update(mrtd, block, sizeof(block));
}

/* PAGE.ADD, then 16 times MR.EXTEND of 256 bytes. */
static void add_page(struct sha384 *mrtd, gpa_t at, const void *content)
{
	const uint8_t *bytes = content;

	add_block(mrtd, "MEM.PAGE.ADD", at);
	for (uint64_t offset = 0; offset < PAGE_SIZE; offset += EXTEND_SIZE) {
		add_block(mrtd, "MR.EXTEND", gpa_add(at, offset));
		sha384_update(mrtd, bytes + offset, EXTEND_SIZE);
	}
}

void launch_params_build(struct tdboot_params *out, uint32_t vcpus, uint64_t memory,
			 const struct launch_file files[TDBOOT_FILE_COUNT])
{
	uint64_t at = TD_FILE_WINDOW_GPA;

	memset(out, 0, sizeof(*out));
	out->magic = TDBOOT_MAGIC;
	out->version = TDBOOT_VERSION;
	out->vcpu_count = vcpus;
	out->low_size = memory < TD_LOW_RAM_MAX ? memory : TD_LOW_RAM_MAX;
	out->high_size = memory - out->low_size;
	for (unsigned i = 0; i < TDBOOT_FILE_COUNT; i++) {
		if (files[i].length == 0)
			continue;
		out->file[i].gpa = at;
		out->file[i].length = files[i].length;
		memcpy(out->file[i].sha384, files[i].sha384, SHA384_DIGEST_SIZE);
		at = align_up(at + files[i].length, SIZE_2M);
	}
}

gpa_t launch_page(const struct tdboot_params *params, const uint8_t *image, unsigned i,
		  const void **content)
{
	if (i == 0) {
		*content = params;
		return gpa(TDBOOT_PARAMS_GPA);
	}
	*content = image + (i - 1) * PAGE_SIZE;
	return gpa(TDBOOT_IMAGE_GPA + (i - 1) * PAGE_SIZE);
}

void launch_mrtd(const struct tdboot_params *params, const uint8_t *image,
		 uint8_t digest[SHA384_DIGEST_SIZE])
{
	struct sha384 mrtd;

	sha384_init(&mrtd);
	for (unsigned i = 0; i < LAUNCH_PAGE_COUNT; i++) {
		const void *content;
		gpa_t at = launch_page(params, image, i, &content);

		add_page(&mrtd, at, content);
	}
	sha384_final(&mrtd, digest);
}
