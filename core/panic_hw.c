/* SPDX-License-Identifier: MIT */
#define LOG_TAG "panic"
#include "core/panic.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "core/hw.h"
#include "core/hw_insn.h"
#include "core/log.h"
#include "core/panic_stop.h"
#include "core/trap.h"

#define MAX_DUMPERS     16
#define NOBODY          UINT32_MAX
#define BACKTRACE_WORDS 24U

/* Time for the others to take their NMI; there is no clock that can be trusted now. */
#define STOP_SPINS 2000000

static _Atomic(panic_dumper_fn) dumpers[MAX_DUMPERS];
static atomic_uint dumper_count;
static void (*_Atomic panic_end)(void);

/* The CPU that panics first; it may panic again inside a dumper, then only the end is left. */
static _Atomic uint32_t panicking_cpu = NOBODY;
static bool is_nested;

extern const char image_text_start[], image_text_end[];

void panic_register_dumper(panic_dumper_fn dumper)
{
	unsigned i = atomic_fetch_add(&dumper_count, 1);

	CHECK(i < MAX_DUMPERS);
	atomic_store(&dumpers[i], dumper);
}

void panic_set_end(void (*end)(void)) { atomic_store(&panic_end, end); }

bool panic_is_stopping(void) { return atomic_load(&panicking_cpu) != NOBODY; }

void panic_stop_this_cpu(void)
{
	if (atomic_load(&panicking_cpu) != this_cpu())
		hw_stop();
}

static _Noreturn void finish(void)
{
	void (*end)(void) = atomic_load(&panic_end);

	if (end != NULL)
		end();
	hw_stop();
}

static void become_the_panicking_cpu(void)
{
	uint32_t nobody = NOBODY;

	hw_irq_disable();
	if (!atomic_compare_exchange_strong(&panicking_cpu, &nobody, this_cpu())) {
		panic_stop_this_cpu();
		if (is_nested)
			finish();
		is_nested = true;
		return;
	}
	hw_send_nmi_others();
	for (unsigned i = 0; i < STOP_SPINS; i++)
		hw_pause();
	log_set_dying();
}

static void print_registers(const struct trap_frame *f)
{
	log_error("rip %#018lx  cs %#lx  rflags %#lx  error %#lx", f->rip, f->cs, f->rflags,
		  f->error);
	log_error("rsp %#018lx  ss %#lx  cr2 %#018lx  cr3 %#lx", f->rsp, f->ss, insn_read_cr2(),
		  insn_read_cr3());
	log_error("rax %#018lx rbx %#018lx rcx %#018lx", f->rax, f->rbx, f->rcx);
	log_error("rdx %#018lx rsi %#018lx rdi %#018lx", f->rdx, f->rsi, f->rdi);
	log_error("rbp %#018lx  r8 %#018lx  r9 %#018lx", f->rbp, f->r8, f->r9);
	log_error("r10 %#018lx r11 %#018lx r12 %#018lx", f->r10, f->r11, f->r12);
	log_error("r13 %#018lx r14 %#018lx r15 %#018lx", f->r13, f->r14, f->r15);
}

/* Code addresses found on the stack: return addresses, and a few that once were. */
static void print_code_addresses(const uint64_t *stack)
{
	uint64_t low = (uint64_t)image_text_start;
	uint64_t high = (uint64_t)image_text_end;
	uint64_t page_end = ((uint64_t)stack | 0xfff) + 1;
	unsigned shown = 0;

	for (; (uint64_t)stack < page_end && shown < BACKTRACE_WORDS; stack++) {
		if (*stack < low || *stack >= high)
			continue;
		log_error("  called from about %#lx", *stack);
		shown++;
	}
}

static _Noreturn void dump_and_finish(void)
{
	unsigned n = atomic_load(&dumper_count);

	for (unsigned i = 0; !is_nested && i < n && i < MAX_DUMPERS; i++) {
		panic_dumper_fn dump = atomic_load(&dumpers[i]);

		if (dump != NULL)
			dump();
	}
	log_error("end of the panic screen");
	finish();
}

static bool is_kernel_stack(uint64_t p)
{
	return p % 8 == 0 && p >= UINT64_C(0xffff800000000000);
}

void panic_trap(const struct trap_frame *f, const char *what)
{
	become_the_panicking_cpu();
	log_error("PANIC on cpu%u: %s, vector %lu at %#lx", this_cpu(), what, f->vector,
		  f->rip);
	print_registers(f);
	if (!is_nested && is_kernel_stack(f->rsp))
		print_code_addresses((const uint64_t *)f->rsp);
	dump_and_finish();
}

void panic(const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	(void)format_v(text, sizeof(text), fmt, ap);
	va_end(ap);
	become_the_panicking_cpu();
	log_error("PANIC on cpu%u: %s", this_cpu(), text);
	if (!is_nested)
		print_code_addresses(__builtin_frame_address(0));
	dump_and_finish();
}
