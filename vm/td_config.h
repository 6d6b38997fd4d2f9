/* SPDX-License-Identifier: MIT */
/* What text becomes: mgmt/ parses it, vm/ builds from it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/boot_info.h"

#define TD_NAME_MAX    32
#define TD_CMDLINE_MAX 2048

/* Bits of td_config.attributes: the ATTRIBUTES word of TD_PARAMS. */
#define TD_ATTR_DEBUG           (UINT64_C(1) << 0)
#define TD_ATTR_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define TD_ATTR_PKS             (UINT64_C(1) << 30)
#define TD_ATTR_PERFMON         (UINT64_C(1) << 63)

struct td_config {
	char name[TD_NAME_MAX];
	char kernel[BOOT_NAME_MAX]; /* boot module names; empty = none */
	char initrd[BOOT_NAME_MAX];
	char cmdline[TD_CMDLINE_MAX];
	uint32_t vcpus;
	uint64_t memory; /* bytes, multiple of 2 MiB */
	uint64_t attributes;
	unsigned line; /* of its [td] header in redoubt.cfg, for messages */
};
