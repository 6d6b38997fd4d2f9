/* SPDX-License-Identifier: MIT */
/* SEAMCALL, and the module as the tests leave it to one another. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/emu/l1probe/trap.h"

#define SEAM_LEAF_UNKNOWN UINT64_C(0x7777)

/* What any leaf takes or gives back. */
struct seam_call {
	uint64_t rax, rcx, rdx, r8, r9, r10, r11;
};

/* `seam_kept_rest` tells whether all other registers came back as they went. */
enum outcome seamcall(struct seam_call *call);
extern bool seam_kept_rest;

/* RAX of a call that must not fail as an instruction; ~0 if it does. */
uint64_t seam_rax(uint64_t leaf, uint64_t rcx, uint64_t rdx, uint64_t r8);
