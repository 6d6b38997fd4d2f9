/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "tdx/seamcall.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "tdx/module.h"
#include "tdx/status.h"

#define RECORDS 8

/* One SEAMCALL: what went in, and what came out once it has returned. */
struct record {
	uint64_t rax, rcx, rdx, r8, r9;
	uint64_t status, out_rcx, out_rdx, out_r8;
	bool is_in_flight;
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
	r->is_in_flight = true;
	r->status = seamcall_raw(rax, regs);
	r->out_rcx = regs->rcx;
	r->out_rdx = regs->rdx;
	r->out_r8 = regs->r8;
	r->is_in_flight = false;
	return (tdx_status_t){r->status};
}

uint64_t tdx_seamcall_count(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		sum += atomic_load_explicit(&calls[i].count, memory_order_relaxed);
	return sum;
}

static void log_record(enum log_level level, const char *what, const struct record *r)
{
	char status[80];

	tdx_format_status(status, sizeof(status), (tdx_status_t){r->status});
	log_at(level,
	       "%s: %s: %s rax=%#llx rcx=%#llx rdx=%#llx r8=%#llx; "
	       "called with rcx=%#llx rdx=%#llx r8=%#llx r9=%#llx",
	       what, tdx_leaf_name(r->rax), r->is_in_flight ? "in flight" : status,
	       (unsigned long long)r->status, (unsigned long long)r->out_rcx,
	       (unsigned long long)r->out_rdx, (unsigned long long)r->out_r8,
	       (unsigned long long)r->rcx, (unsigned long long)r->rdx,
	       (unsigned long long)r->r8, (unsigned long long)r->r9);
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
