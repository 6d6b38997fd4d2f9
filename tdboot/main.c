/* SPDX-License-Identifier: MIT */
/*
 * The boot processor's way from the reset vector to the kernel. Nothing that the
 * host can still change is trusted: files are copied out of shared memory into
 * accepted private memory first, and only the copies are hashed, parsed and used.
 */
#include "tdboot/main.h"

#include <stdbool.h>
#include <stddef.h>

#include "guest-abi/ghci.h"
#include "guest-abi/linux_boot.h"
#include "guest-abi/tdboot.h"
#include "sha384/sha384.h"
#include "tdboot/accept.h"
#include "tdboot/acpi.h"
#include "tdboot/boot_params.h"
#include "tdboot/bzimage.h"
#include "tdboot/fatal.h"
#include "tdboot/layout.h"
#include "tdboot/patience.h"

/* RTMR[1] takes what is executed, RTMR[2] what it is given. */
#define RTMR_CODE 1U
#define RTMR_DATA 2U

/* In entry.S and dsdt_blob.S. */
#define IN_IMAGE __attribute__((visibility("hidden"))) /* reached without a GOT */
extern uint8_t tdboot_mailbox[] IN_IMAGE;
extern const uint8_t tdboot_dsdt_start[] IN_IMAGE;
extern const uint8_t tdboot_dsdt_end[] IN_IMAGE;
_Noreturn void enter_kernel(uint64_t entry, uint64_t boot_params);

struct file_rules {
	unsigned rtmr;
	enum tdboot_error error;
	const char *mismatch;
};

static const struct file_rules file_rules[TDBOOT_FILE_COUNT] = {
	[TDBOOT_KERNEL] = {RTMR_CODE, TDBOOT_ERROR_KERNEL_DIGEST,
			   "tdboot: kernel digest mismatch"},
	[TDBOOT_INITRD] = {RTMR_DATA, TDBOOT_ERROR_INITRD_DIGEST,
			   "tdboot: initrd digest mismatch"},
	[TDBOOT_CMDLINE] = {RTMR_DATA, TDBOOT_ERROR_CMDLINE_DIGEST,
			    "tdboot: command line digest mismatch"},
};

/* RAM and the file window are mapped at their own addresses. */
static uint8_t *at_gpa(uint64_t gpa) { return (uint8_t *)(uintptr_t)gpa; }

static void check(enum tdboot_error code, const char *problem)
{
	if (problem != NULL)
		fatal(code, problem);
}

static void extend_rtmr(unsigned index, const uint8_t digest[SHA384_DIGEST_SIZE])
{
	static _Alignas(64) uint8_t buffer[64];
	uint64_t status;

	__builtin_memcpy(buffer, digest, SHA384_DIGEST_SIZE);
	status = tdcall_patiently(TDG_MR_RTMR_EXTEND, (uintptr_t)buffer, index);
	if (tdcall_code(status) != TDCALL_SUCCESS)
		fatal(TDBOOT_ERROR_RTMR, "tdboot: extending an RTMR failed");
}

static void load_file(const struct tdboot_file *file, const struct file_rules *rules,
		      uint64_t to)
{
	uint8_t digest[SHA384_DIGEST_SIZE];

	if (file->length == 0)
		return;
	__builtin_memcpy(at_gpa(to), at_gpa(file->gpa), file->length);
	sha384(at_gpa(to), file->length, digest);
	if (__builtin_memcmp(digest, file->sha384, sizeof(digest)) != 0)
		fatal(rules->error, rules->mismatch);
	extend_rtmr(rules->rtmr, digest);
}

static uint64_t build_acpi(const struct tdboot_params *params, const struct layout *layout)
{
	struct acpi_inputs in = {.vcpu_count = params->vcpu_count,
				 .mailbox = (uintptr_t)tdboot_mailbox,
				 .dsdt = tdboot_dsdt_start,
				 .dsdt_size = (size_t)(tdboot_dsdt_end - tdboot_dsdt_start)};
	uint64_t rsdp = acpi_build(at_gpa(layout->acpi), LAYOUT_ACPI_SIZE, layout->acpi, &in);

	if (rsdp == 0)
		fatal(TDBOOT_ERROR_LAYOUT, "tdboot: ACPI tables do not fit their area");
	return rsdp;
}

static _Noreturn void start_kernel(const struct tdboot_params *params,
				   const struct layout *layout)
{
	const uint8_t *file = at_gpa(layout->file[TDBOOT_KERNEL]);
	struct bzimage image;
	struct boot_inputs in = {.kernel_file = file,
				 .image = &image,
				 .params = params,
				 .layout = layout,
				 .mailbox = (uintptr_t)tdboot_mailbox};

	check(TDBOOT_ERROR_KERNEL_FORMAT,
	      bzimage_parse(file, params->file[TDBOOT_KERNEL].length, &image));
	check(TDBOOT_ERROR_LAYOUT, bzimage_fit_problem(&image, params, layout));
	in.rsdp = build_acpi(params, layout);
	boot_params_build(at_gpa(LAYOUT_BOOT_PARAMS), &in);
	__builtin_memmove(at_gpa(image.load), file + image.setup_size, image.payload_size);
	enter_kernel(image.load + LINUX_ENTRY_64, LAYOUT_BOOT_PARAMS);
}

_Noreturn void tdboot_main(uint32_t gpaw)
{
	const struct tdboot_params *params = (const void *)at_gpa(TDBOOT_PARAMS_GPA);
	struct layout layout;

	if (gpaw != TD_GPAW)
		fatal(TDBOOT_ERROR_PARAMS, "tdboot: the TD's GPA width is not 48");
	check(TDBOOT_ERROR_PARAMS, params_problem(params));
	check(TDBOOT_ERROR_LAYOUT, layout_plan(params, &layout));
	accept_range(0, params->low_size);
	accept_range(TD_HIGH_RAM_BASE, TD_HIGH_RAM_BASE + params->high_size);
	for (unsigned i = 0; i < TDBOOT_FILE_COUNT; i++)
		load_file(&params->file[i], &file_rules[i], layout.file[i]);
	start_kernel(params, &layout);
}
