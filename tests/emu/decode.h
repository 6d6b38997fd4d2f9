/* SPDX-License-Identifier: MIT */
/* Decodes the few instructions that the emulator must finish for a guest. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/emu/gview.h"

enum insn_map {
	MAP_ONE, /* one-byte opcodes */
	MAP_0F,
	MAP_0F38,
};

struct insn {
	uint8_t bytes[15];
	unsigned count;  /* bytes that could be read */
	unsigned length; /* of the whole instruction */
	bool has_66, has_67, has_f2, has_f3;
	uint8_t segment; /* override prefix or 0 */
	uint8_t rex;
	enum insn_map map;
	uint8_t opcode;
	bool has_modrm;
	uint8_t mod, reg, rm; /* reg and rm with REX extensions */
	uint64_t linear;      /* of the memory operand, if mod != 3 */
	uint64_t immediate;
};

/* Is the guest in 64-bit mode (not compatibility)? */
static inline bool vmcb_is_64bit(const struct vmcb *v)
{
	return (v->efer & EFER_LMA) != 0 && (v->cs.attrib & SEG_ATTR_L) != 0;
}

/*
 * Decodes the instruction at the guest's RIP; `gpr` are its registers with RSP.
 * False if its bytes cannot be read or the opcode's operands are unknown here.
 */
bool insn_decode(const struct gview *g, const uint64_t gpr[16], struct insn *in);

/*
 * Where the memory operand of the instruction at RIP is if it has a ModRM byte, as
 * nearly all have; a guess for opcodes that insn_decode() does not know. A RIP-
 * relative address may be a few bytes off.
 */
bool insn_guess_operand(const struct gview *g, const uint64_t gpr[16], uint64_t *linear);

/* Bytes of the operand of a MOV: 1, 2, 4 or 8. */
unsigned insn_operand_size(const struct gview *g, const struct insn *in);
