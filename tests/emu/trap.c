/* SPDX-License-Identifier: MIT */
#include "tests/emu/trap.h"

#include "tests/emu/console.h"
#include "tests/emu/lapic.h"
#include "tests/emu/lp.h"
#include "tests/emu/smp.h"
#include "tests/emu/svm_insn.h"

#define VECTOR_NMI 2

struct gate {
	uint16_t offset0, selector, flags, offset1;
	uint32_t offset2, reserved;
};

static struct gate idt[256];
static const uint64_t gdt[4] = {0, UINT64_C(0x00cf9b000000ffff), UINT64_C(0x00af9b000000ffff),
				UINT64_C(0x00cf93000000ffff)};

extern const char trap_stubs[] __attribute__((visibility("hidden")));

void trap_handle(struct trap_frame *f);

void trap_init(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)(trap_stubs + 16 * i);

		idt[i] = (struct gate){.offset0 = (uint16_t)at,
				       .selector = EMU_CS,
				       .flags = 0x8e00,
				       .offset1 = (uint16_t)(at >> 16),
				       .offset2 = (uint32_t)(at >> 32)};
	}
}

void trap_load(void)
{
	struct insn_table g = {.limit = sizeof(gdt) - 1, .base = (uint64_t)gdt};
	struct insn_table i = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};

	insn_lgdt(&g);
	insn_lidt(&i);
}

static void handle_nmi(struct trap_frame *f)
{
	uint64_t begin = (uint64_t)lp_wait;
	uint64_t end = (uint64_t)lp_wait_end;

	insn_this_lp()->nmi_seen = true;
	if (f->rip >= begin && f->rip < end)
		f->rip = begin;
}

void trap_handle(struct trap_frame *f)
{
	if (f->vector == VECTOR_NMI) {
		handle_nmi(f);
		return;
	}
	if (f->vector >= 32) {
		/* In service now; who opened the gate decides about the EOI. */
		insn_this_lp()->taken_vector = (uint32_t)f->vector;
		return;
	}
	emu_die(EMU_EXIT_FATAL,
		"exception %lu error %#lx rip %#lx (image %#lx) rsp %#lx cr2 %#lx rdi %#lx rax "
		"%#lx",
		f->vector, f->error, f->rip, f->rip - (uint64_t)trap_stubs, f->rsp,
		insn_read_cr2(), f->rdi, f->rax);
}
