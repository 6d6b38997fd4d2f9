/* SPDX-License-Identifier: MIT */
/* Who am I: TDG.VP.INFO, CPUID, the measurements. */
#include <stddef.h>

#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "sha384/sha384.h"
#include "tests/guest/probe.h"
#include "tests/guest/probe_insn.h"
#include "tests/guest/tap.h"
#include "tests/guest/td.h"

#define ATTRIBUTE_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define CPUID_TDX                 0x21U

/* TDREPORT: TDINFO at 512; in it MRTD at 16 and RTMR[0] at 208. */
#define REPORT_SIZE 1024
#define REPORT_MRTD (512 + 16)
#define REPORT_RTMR (512 + 208)

static _Alignas(REPORT_SIZE) uint8_t report[REPORT_SIZE];

static const struct tdboot_params *params(void)
{
	return (const struct tdboot_params *)(uintptr_t)TDBOOT_PARAMS_GPA;
}

static bool vp_info(void)
{
	struct tdcall_regs regs = {.rax = TDG_VP_INFO};

	tdcall(&regs);
	return tap_equal("status", regs.rax, 0) &&
	       tap_equal("GPA width", regs.rcx & 0x3f, TD_GPAW) &&
	       tap_equal("SEPT_VE_DISABLE", regs.rdx & ATTRIBUTE_SEPT_VE_DISABLE,
			 ATTRIBUTE_SEPT_VE_DISABLE) &&
	       tap_equal("vCPUs", (uint32_t)regs.r8, params()->vcpu_count) &&
	       tap_equal("vCPU index", (uint32_t)regs.r9, 0);
}

static bool cpuid_tdx(void)
{
	uint32_t r[4];

	cpuid(CPUID_TDX, 0, r);
	return tap_equal("EBX", r[1], 0x65746e49) && tap_equal("EDX", r[3], 0x5844546c) &&
	       tap_equal("ECX", r[2], 0x20202020);
}

static bool unknown_tdcall(void)
{
	struct tdcall_regs regs = {.rax = 0x7f};

	tdcall(&regs);
	return tap_equal("status", tdcall_code(regs.rax), TDCALL_OPERAND_INVALID);
}

static bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	while (n > 0 && a[n - 1] == b[n - 1])
		n--;
	return n == 0;
}

/* RTMR = SHA-384(RTMR | digest), from zero. */
static void extend(uint8_t rtmr[SHA384_DIGEST_SIZE], const struct tdboot_file *file)
{
	struct sha384 ctx;

	if (file->length == 0)
		return;
	sha384_init(&ctx);
	sha384_update(&ctx, rtmr, SHA384_DIGEST_SIZE);
	sha384_update(&ctx, file->sha384, SHA384_DIGEST_SIZE);
	sha384_final(&ctx, rtmr);
}

static bool measurements(void)
{
	static _Alignas(64) uint8_t report_data[64];
	uint8_t code[SHA384_DIGEST_SIZE] = {0};
	uint8_t data[SHA384_DIGEST_SIZE] = {0};
	struct tdcall_regs regs = {
		.rax = TDG_MR_REPORT, .rcx = (uintptr_t)report, .rdx = (uintptr_t)report_data};

	tdcall(&regs);
	if (!tap_equal("status", regs.rax, 0))
		return false;
	tap_bytes("MRTD", report + REPORT_MRTD, SHA384_DIGEST_SIZE);
	extend(code, &params()->file[TDBOOT_KERNEL]);
	extend(data, &params()->file[TDBOOT_INITRD]);
	extend(data, &params()->file[TDBOOT_CMDLINE]);
	return bytes_equal(report + REPORT_RTMR + SHA384_DIGEST_SIZE, code, sizeof(code)) &&
	       bytes_equal(report + REPORT_RTMR + (size_t)2 * SHA384_DIGEST_SIZE, data,
			   sizeof(data));
}

const struct probe_test identity_tests[] = {
	{"TDG.VP.INFO describes this TD", vp_info},
	{"CPUID leaf 0x21 says IntelTDX", cpuid_tdx},
	{"an unknown TDCALL leaf is an invalid operand", unknown_tdcall},
	{"RTMR[1] holds the kernel, RTMR[2] initrd and command line", measurements},
	{NULL, NULL},
};
