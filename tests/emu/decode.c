/* SPDX-License-Identifier: MIT */
#include "tests/emu/decode.h"

#include "core/string.h"

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

struct cursor {
	const struct gview *g;
	const uint64_t *gpr;
	struct insn *in;
	unsigned at;
	bool bad;
	bool rip_relative;
};

static uint8_t next(struct cursor *c)
{
	if (c->at >= c->in->count) {
		c->bad = true;
		return 0;
	}
	return c->in->bytes[c->at++];
}

static uint64_t next_le(struct cursor *c, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)next(c) << (8 * i);
	return v;
}

static bool take_prefix(struct insn *in, uint8_t b)
{
	switch (b) {
	case 0x66:
		in->has_66 = true;
		return true;
	case 0x67:
		in->has_67 = true;
		return true;
	case 0xf2:
		in->has_f2 = true;
		return true;
	case 0xf3:
		in->has_f3 = true;
		return true;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
		in->segment = b;
		return true;
	case 0xf0:
		return true;
	default:
		return false;
	}
}

static void decode_opcode(struct cursor *c)
{
	struct insn *in = c->in;
	uint8_t b = next(c);

	while (!c->bad && take_prefix(in, b))
		b = next(c);
	if ((b & 0xf0) == 0x40 && vmcb_is_64bit(c->g->vmcb)) {
		in->rex = b;
		b = next(c);
	}
	if (b == 0x0f) {
		in->map = MAP_0F;
		b = next(c);
		if (b == 0x38) {
			in->map = MAP_0F38;
			b = next(c);
		}
	}
	in->opcode = b;
}

static const struct vmcb_seg *segment_of(const struct cursor *c, bool stack_based)
{
	const struct vmcb *v = c->g->vmcb;

	switch (c->in->segment) {
	case 0x26:
		return &v->es;
	case 0x2e:
		return &v->cs;
	case 0x36:
		return &v->ss;
	case 0x3e:
		return &v->ds;
	case 0x64:
		return &v->fs;
	case 0x65:
		return &v->gs;
	default:
		return stack_based ? &v->ss : &v->ds;
	}
}

static uint64_t segment_base(const struct cursor *c, bool stack_based)
{
	if (vmcb_is_64bit(c->g->vmcb) && c->in->segment != 0x64 && c->in->segment != 0x65)
		return 0;
	return segment_of(c, stack_based)->base;
}

static bool code_is_16bit(const struct vmcb *v)
{
	return !vmcb_is_64bit(v) && (v->cs.attrib & SEG_ATTR_DB) == 0;
}

static unsigned address_bits(const struct cursor *c)
{
	const struct vmcb *v = c->g->vmcb;

	if (vmcb_is_64bit(v))
		return c->in->has_67 ? 32 : 64;
	return code_is_16bit(v) != c->in->has_67 ? 16 : 32;
}

static uint64_t truncate_to(uint64_t v, unsigned bits)
{
	return bits == 64 ? v : v & ((UINT64_C(1) << bits) - 1);
}

/* 32- and 64-bit forms. Returns the offset; *stack says that SS is the default segment. */
static uint64_t effective_address(struct cursor *c, bool *stack)
{
	struct insn *in = c->in;
	uint64_t sum = 0;
	uint8_t base = in->rm;
	bool has_base = true;

	if ((in->rm & 7) == 4) {
		uint8_t sib = next(c);
		uint8_t index = (uint8_t)((sib >> 3 & 7) | ((in->rex & REX_X) != 0 ? 8 : 0));

		base = (uint8_t)((sib & 7) | ((in->rex & REX_B) != 0 ? 8 : 0));
		if (index != 4)
			sum += c->gpr[index] << (sib >> 6);
		has_base = (base & 7) != 5 || in->mod != 0;
	} else if (in->mod == 0 && (in->rm & 7) == 5) {
		has_base = false;
		c->rip_relative = vmcb_is_64bit(c->g->vmcb);
	}
	if (has_base)
		sum += c->gpr[base];
	*stack = has_base && (base == 4 || base == 5);
	if (in->mod == 1)
		sum += (uint64_t)(int8_t)next(c);
	else if (in->mod == 2 || !has_base)
		sum += (uint64_t)(int32_t)next_le(c, 4);
	return sum;
}

static uint64_t effective_address16(struct cursor *c, bool *stack)
{
	static const struct {
		uint8_t base, index;
	} pair[8] = {{3, 6}, {3, 7}, {5, 6}, {5, 7}, {6, 16}, {7, 16}, {5, 16}, {3, 16}};
	struct insn *in = c->in;
	uint64_t sum;

	*stack = pair[in->rm].base == 5;
	if (in->mod == 0 && in->rm == 6) {
		*stack = false;
		return next_le(c, 2);
	}
	sum = c->gpr[pair[in->rm].base];
	if (pair[in->rm].index < 16)
		sum += c->gpr[pair[in->rm].index];
	if (in->mod == 1)
		sum += (uint64_t)(int8_t)next(c);
	else if (in->mod == 2)
		sum += (uint64_t)(int16_t)next_le(c, 2);
	return sum;
}

static void decode_modrm(struct cursor *c)
{
	struct insn *in = c->in;
	uint8_t b = next(c);
	unsigned bits = address_bits(c);
	bool stack = false;
	uint64_t offset;

	in->has_modrm = true;
	in->mod = b >> 6;
	in->reg = (uint8_t)((b >> 3 & 7) | ((in->rex & REX_R) != 0 ? 8 : 0));
	in->rm = (uint8_t)((b & 7) |
			   ((in->rex & REX_B) != 0 && (in->mod == 3 || (b & 7) != 4) ? 8 : 0));
	if (in->mod == 3)
		return;
	offset = bits == 16 ? effective_address16(c, &stack) : effective_address(c, &stack);
	in->linear = segment_base(c, stack) + truncate_to(offset, bits);
}

/* What follows the opcode: bit 0 ModRM, bit 1 imm8, bit 2 imm16/32, bit 3 moffs, bit 7 unknown.
 */
static unsigned operands_of(const struct insn *in)
{
	switch ((unsigned)in->map << 8 | in->opcode) {
	case 0x088:
	case 0x089:
	case 0x08a:
	case 0x08b:
	case 0x086:
	case 0x087:
		return 1;
	case 0x0c6:
		return 3;
	case 0x0c7:
		return 5;
	case 0x0a0:
	case 0x0a1:
	case 0x0a2:
	case 0x0a3:
		return 8;
	case 0x0f4: /* HLT */
		return 0;
	case 0x101: /* 0F 01 group 7 */
	case 0x120: /* MOV from CR */
	case 0x122: /* MOV to CR */
	case 0x178: /* VMREAD */
	case 0x179: /* VMWRITE */
	case 0x1b6: /* MOVZX */
	case 0x1b7:
	case 0x1c7: /* group 9 */
		return 1;
	case 0x106: /* CLTS */
	case 0x108: /* INVD */
	case 0x109: /* WBINVD */
	case 0x130: /* WRMSR */
	case 0x132: /* RDMSR */
	case 0x133: /* RDPMC */
	case 0x137: /* GETSEC */
	case 0x1a2: /* CPUID */
		return 0;
	case 0x280: /* INVEPT */
	case 0x281: /* INVVPID */
	case 0x282: /* INVPCID */
	case 0x2f8: /* MOVDIR64B */
		return 1;
	default:
		return 0x80;
	}
}

static void decode_immediate(struct cursor *c, unsigned what)
{
	const struct vmcb *v = c->g->vmcb;
	struct insn *in = c->in;

	if ((what & 2) != 0)
		in->immediate = (uint64_t)(int8_t)next(c);
	else if ((what & 4) != 0 && code_is_16bit(v) != in->has_66)
		in->immediate = next_le(c, 2);
	else if ((what & 4) != 0)
		in->immediate = (uint64_t)(int32_t)next_le(c, 4);
	if ((what & 8) != 0)
		in->linear = segment_base(c, false) + next_le(c, address_bits(c) / 8);
}

bool insn_decode(const struct gview *g, const uint64_t gpr[16], struct insn *in)
{
	const struct vmcb *v = g->vmcb;
	uint64_t base = vmcb_is_64bit(v) ? 0 : v->cs.base;
	struct cursor c = {.g = g, .gpr = gpr, .in = in};
	unsigned what;

	memset(in, 0, sizeof(*in));
	in->count = (unsigned)gview_read(g, base + v->rip, in->bytes, sizeof(in->bytes));
	decode_opcode(&c);
	if (c.bad)
		return false;
	what = operands_of(in);
	if (what == 0x80)
		return false;
	if ((what & 1) != 0)
		decode_modrm(&c);
	decode_immediate(&c, what);
	in->length = c.at;
	if (c.rip_relative && in->mod != 3)
		in->linear += v->rip + in->length;
	return !c.bad;
}

bool insn_guess_operand(const struct gview *g, const uint64_t gpr[16], uint64_t *linear)
{
	uint64_t base = vmcb_is_64bit(g->vmcb) ? 0 : g->vmcb->cs.base;
	struct insn in;
	struct cursor c = {.g = g, .gpr = gpr, .in = &in};

	if (insn_decode(g, gpr, &in)) {
		*linear = in.linear;
		return in.linear != 0;
	}
	memset(&in, 0, sizeof(in));
	in.count = (unsigned)gview_read(g, base + g->vmcb->rip, in.bytes, sizeof(in.bytes));
	decode_opcode(&c);
	decode_modrm(&c);
	*linear = in.linear + (c.rip_relative ? g->vmcb->rip + c.at : 0);
	return !c.bad && in.mod != 3;
}

unsigned insn_operand_size(const struct gview *g, const struct insn *in)
{
	if (in->map == MAP_ONE && (in->opcode & 1) == 0)
		return 1;
	if ((in->rex & REX_W) != 0)
		return 8;
	return code_is_16bit(g->vmcb) != in->has_66 ? 2 : 4;
}
