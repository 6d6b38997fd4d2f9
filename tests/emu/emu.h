/* SPDX-License-Identifier: MIT */
/* What the whole emulated machine shares. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/emu/boot_args.h"
#include "tests/emu/lock.h"
#include "tests/emu/npt.h"
#include "tests/model/tdx_model.h"

#define EMU_KEYID_BITS     6U
#define EMU_MKTME_KEYIDS   31U
#define EMU_PRIVATE_KEYIDS 32U
#define EMU_PA_BITS        52U
#define EMU_HPA_BITS       (EMU_PA_BITS - EMU_KEYID_BITS)

struct emu {
	struct boot_args args; /* our own copy */
	struct tdx_platform platform;
	struct tdx_model *model; /* NULL: no module loaded (option) */
	bool seamrr_disabled;    /* option: SEAMCALL is #GP */
	bool has_no_module;      /* option: SEAMCALL fails with CF */
	unsigned private_keyids; /* option keyids, EMU_PRIVATE_KEYIDS by default */
	struct npt l1_npt;
	struct emu_lock l1_npt_lock;
	void *msrpm_l1, *msrpm_td, *iopm_td;
	bool has_flip; /* option flip-shared */
	uint64_t flip_gpa;
	unsigned flip_bit;
	uint16_t cr4_read_icpt; /* which cr_read bit traps MOV from CR4 (QEMU quirk) */
	uint64_t xcr0_mask;     /* XCR0 bits this CPU has */
};

extern struct emu emu;
