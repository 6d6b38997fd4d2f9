/* SPDX-License-Identifier: MIT */
/* The TDX module as a whole: detection, bring-up, what it is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/boot_info.h"
#include "core/status.h"

/*
 * Detects TDX on every CPU, brings the module up to SYS_READY, initialises the first GiB
 * and hands its memory to frame_set_tdx_usable(); tdx/tdmr_init.h does the rest, later.
 * SEAMCALLs by CPUs, packages and CMRs, not by memory. Once, on the BSP, after all CPUs
 * are in their loops' drain or cpu bring-up has finished (oncpu works).
 *
 * STATUS_UNSUPPORTED when this machine is no usable TDX host: the reason was
 * logged and is in tdx_module_info()->refusal; everything else keeps working.
 */
MUST_CHECK enum status tdx_module_init(const struct boot_info *bi);

struct tdx_module_info {
	bool is_ready;
	char refusal[160]; /* one line, empty when ready */
	uint16_t major, minor, update;
	uint32_t build_date;
	uint64_t features0;
	uint32_t cmr_count, tdmr_count;
	uint64_t pamt_bytes;
	uint64_t tdmr_bytes; /* how far they are: tdx/tdmr_init.h */
	uint16_t global_keyid;
	uint16_t keyid_count;     /* private KeyIDs usable for TDs */
	uint64_t ready_seamcalls; /* SEAMCALLs from entry to ready */
};

const struct tdx_module_info *tdx_module_info(void);

/* One row of `tdx-check`: what was found against what is needed, on the worst CPU. */
struct tdx_check {
	const char *name;
	char found[48];
	char needed[48];
	const char *hint; /* the likely BIOS setting, or "" */
	bool ok;
};
void tdx_check_each(void (*emit)(void *ctx, const struct tdx_check *row), void *ctx);

/* Private KeyIDs that are free right now. */
unsigned tdx_keyid_free_count(void);

/* All SEAMCALLs by this hypervisor since boot. */
uint64_t tdx_seamcall_count(void);

/* Ends the use of TDX on this machine: initialisation of TDMRs, WBINVD on every package, VMXOFF
 * everywhere. No TD may exist. */
void tdx_module_stop(void);
