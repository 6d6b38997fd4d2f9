/* SPDX-License-Identifier: MIT */
#define LOG_TAG "trap"
#include "core/trap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/cpu.h"
#include "core/extable.h"
#include "core/hw.h"
#include "core/hw_insn.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/panic_stop.h"
#include "core/x86.h"

#define VECTOR_COUNT           256
#define VECTOR_FIRST_IRQ       32
#define ISR_STRIDE             16U
#define GATE_INTERRUPT_PRESENT 0x8e00U
#define KERNEL_CS              0x08U

/* Places in the TSS's interrupt stack table; core/cpu_hw.c fills them in this order. */
enum { IST_NONE, IST_NMI, IST_DF, IST_MC };

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t flags; /* IST in 2:0, type and present in 15:8 */
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};

struct extable_entry {
	uint64_t fault, fixup;
};

STATIC_ASSERT(sizeof(struct gate) == 16, "an IDT gate is 16 bytes");

extern const char isr_stubs[], isr_stubs_end[];
extern const struct extable_entry extable_start[], extable_end[];

static struct gate idt[VECTOR_COUNT];
static _Atomic(irq_handler_fn) handlers[VECTOR_COUNT];

void trap_dispatch(struct trap_frame *f);

static void set_gate(unsigned vector, uint16_t ist)
{
	uint64_t entry = (uint64_t)isr_stubs + (uint64_t)vector * ISR_STRIDE;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)entry,
		.selector = KERNEL_CS,
		.flags = (uint16_t)(GATE_INTERRUPT_PRESENT | ist),
		.offset_mid = (uint16_t)(entry >> 16),
		.offset_high = (uint32_t)(entry >> 32),
	};
}

void trap_init(void)
{
	CHECK((size_t)(isr_stubs_end - isr_stubs) == (size_t)VECTOR_COUNT * ISR_STRIDE);
	for (unsigned v = 0; v < VECTOR_COUNT; v++)
		set_gate(v, IST_NONE);
	set_gate(EXC_NMI, IST_NMI);
	set_gate(EXC_DF, IST_DF);
	set_gate(EXC_MC, IST_MC);
}

void trap_init_this_cpu(void)
{
	struct insn_table_ptr p = {sizeof(idt) - 1, (uint64_t)idt};

	insn_lidt(&p);
}

void irq_register(uint8_t vector, irq_handler_fn handler)
{
	atomic_store(&handlers[vector], handler);
}

/* The table is short (a few dozen entries) and searched only after a fault. */
static bool fix_up(struct trap_frame *f)
{
	if (f->vector != EXC_GP && f->vector != EXC_UD)
		return false;
	for (const struct extable_entry *e = extable_start; e < extable_end; e++) {
		if (e->fault == f->rip) {
			f->rip = e->fixup;
			f->rax = f->vector;
			return true;
		}
	}
	return false;
}

static const char *exception_name(uint64_t vector)
{
	static const char *const names[VECTOR_FIRST_IRQ] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9",   "#TS",
		"#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
		"22",  "23",  "24",  "25",  "26",  "27",  "#HV", "#VC", "#SX", "31",
	};

	return vector < VECTOR_FIRST_IRQ ? names[vector] : "interrupt";
}

/* Prints every bank that holds an error. Nobody could say whose memory was hurt: it ends here.
 */
static _Noreturn void machine_check(struct trap_frame *f)
{
	uint64_t mcg = 0;
	uint64_t cap = 0;

	if (hw_rdmsr_safe(MSR_MCG_STATUS, &mcg) != STATUS_OK ||
	    hw_rdmsr_safe(MSR_MCG_CAP, &cap) != STATUS_OK)
		panic_trap(f, "#MC on a CPU without machine-check registers");
	log_error("machine check: MCG_STATUS %#lx rip %#lx", mcg, f->rip);
	for (uint32_t bank = 0; bank < (cap & 0xff); bank++) {
		uint64_t status = 0;
		uint64_t address = 0;

		if (hw_rdmsr_safe(MSR_MC_STATUS(bank), &status) != STATUS_OK ||
		    (status & MC_STATUS_VALID) == 0)
			continue;
		if ((status & MC_STATUS_ADDRV) != 0)
			(void)!hw_rdmsr_safe(MSR_MC_ADDR(bank), &address);
		log_error("machine check: bank %u status %#lx address %#lx", bank, status,
			  address);
	}
	panic_trap(f, "#MC machine check");
}

/* An NMI is a panicking CPU's order to stop; any other only had to end a guest's run. */
static void exception(struct trap_frame *f)
{
	switch (f->vector) {
	case EXC_NMI:
		if (panic_is_stopping())
			panic_stop_this_cpu();
		break;
	case EXC_MC:
		machine_check(f);
	default:
		if (!fix_up(f))
			panic_trap(f, exception_name(f->vector));
		break;
	}
}

/* Vectors without a handler need none: VECTOR_KICK only ends a guest's run or a sleep. */
void trap_dispatch(struct trap_frame *f)
{
	irq_handler_fn handler;

	if (f->vector < VECTOR_FIRST_IRQ) {
		exception(f);
		return;
	}
	handler = atomic_load_explicit(&handlers[f->vector], memory_order_acquire);
	if (handler != NULL)
		handler();
	if (f->vector != VECTOR_SPURIOUS)
		irq_end();
}
