/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "tdx/seamcall.h"

#include <stdalign.h>
#include <stdatomic.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "tdx/module.h"
#include "tdx/status.h"

#define RECORDS   16
#define IN_FLIGHT UINT64_MAX /* no status has this value */

/*
 * One SEAMCALL: what went in, and what came out once it has returned. After TDH.VP.ENTER R11
 * and R12 tell what a guest asked for.
 */
struct record {
	uint64_t rax, rcx, rdx, r8, r9;
	uint64_t status, out_rcx, out_rdx, out_r8, out_r11, out_r12;
};

/* Each CPU writes its own only; the lines are not shared on the way to the guest. */
static struct {
	alignas(64) atomic_uint_least64_t count;
	struct record last[RECORDS];
} calls[MAX_CPUS];

tdx_status_t seamcall(uint64_t rax, struct seamcall_regs *regs)
{
	unsigned cpu = this_cpu();
	uint64_t n = atomic_load_explicit(&calls[cpu].count, memory_order_relaxed);
	struct record *r = &calls[cpu].last[n % RECORDS];

	atomic_store_explicit(&calls[cpu].count, n + 1, memory_order_relaxed);
	r->rax = rax;
	r->rcx = regs->rcx;
	r->rdx = regs->rdx;
	r->r8 = regs->r8;
	r->r9 = regs->r9;
	r->status = IN_FLIGHT;
	r->status = seamcall_raw(rax, regs);
	r->out_rcx = regs->rcx;
	r->out_rdx = regs->rdx;
	r->out_r8 = regs->r8;
	r->out_r11 = regs->r11;
	r->out_r12 = regs->r12;
	return (tdx_status_t){r->status};
}

uint64_t tdx_seamcall_count(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		sum += atomic_load_explicit(&calls[i].count, memory_order_relaxed);
	return sum;
}

/* An entry takes nothing in RDX, R8 and R9; what the guest passed in R11 and R12 tells more. */
static void log_record(enum log_level level, const char *what, const struct record *r)
{
	const char *leaf = tdx_leaf_name(r->rax);
	char status[80];

	tdx_format_status(status, sizeof(status), (tdx_status_t){r->status});
	if (r->status == IN_FLIGHT)
		log_at(level,
		       "%s: %s: in flight, called with rcx=%#lx rdx=%#lx r8=%#lx r9=%#lx", what,
		       leaf, r->rcx, r->rdx, r->r8, r->r9);
	else if (r->rax == TDH_VP_ENTER)
		log_at(level,
		       "%s: %s: %s rax=%#lx rcx=%#lx rdx=%#lx r8=%#lx r11=%#lx r12=%#lx; "
		       "called with rcx=%#lx",
		       what, leaf, status, r->status, r->out_rcx, r->out_rdx, r->out_r8,
		       r->out_r11, r->out_r12, r->rcx);
	else
		log_at(level,
		       "%s: %s: %s rax=%#lx rcx=%#lx rdx=%#lx r8=%#lx; "
		       "called with rcx=%#lx rdx=%#lx r8=%#lx r9=%#lx",
		       what, leaf, status, r->status, r->out_rcx, r->out_rdx, r->out_r8, r->rcx,
		       r->rdx, r->r8, r->r9);
}

void seamcall_log_last(enum log_level level, const char *what)
{
	unsigned cpu = this_cpu();
	uint64_t n = atomic_load_explicit(&calls[cpu].count, memory_order_relaxed);

	if (n > 0)
		log_record(level, what, &calls[cpu].last[(n - 1) % RECORDS]);
}

void seamcall_dump(void)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		uint64_t n = atomic_load_explicit(&calls[cpu].count, memory_order_relaxed);
		char what[24];

		format(what, sizeof(what), "cpu%u SEAMCALL", cpu);
		for (uint64_t i = n > RECORDS ? n - RECORDS : 0; i < n; i++)
			log_record(LOG_ERROR, what, &calls[cpu].last[i % RECORDS]);
	}
}
