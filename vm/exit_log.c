/* SPDX-License-Identifier: MIT */
#define LOG_TAG "vm"
#include "vm/exit_log.h"

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/panic.h"
#include "vmx/exit.h"

#define NOTES 8U

/* By value: the TD may be gone when it is printed. */
struct note {
	uint64_t status;
	uint64_t what;     /* the TDVMCALL's sub-function, or the GPA */
	uint64_t argument; /* its R12, or the exit qualification */
	uint16_t hkid;
	uint16_t vcpu;
};

static struct {
	_Alignas(64) struct note note[NOTES];
	unsigned next;
} logs[MAX_CPUS];

void exit_log_note(const struct vcpu *v, tdx_status_t s)
{
	bool is_call = s.raw == EXIT_TDCALL;
	unsigned cpu = this_cpu();

	logs[cpu].note[logs[cpu].next++ % NOTES] = (struct note){
		.status = s.raw,
		.what = is_call ? v->regs.r11 : v->regs.r8,
		.argument = is_call ? v->regs.r12 : v->regs.rcx,
		.hkid = v->vm->td.hkid,
		.vcpu = (uint16_t)v->index,
	};
}

static void dump(void)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		unsigned end = logs[cpu].next;

		for (unsigned i = end > NOTES ? end - NOTES : 0; i < end; i++) {
			const struct note *n = &logs[cpu].note[i % NOTES];

			log_error("cpu%u exit %u: KeyID %u vCPU %u status %#lx: %#lx %#lx", cpu,
				  i, n->hkid, n->vcpu, n->status, n->what, n->argument);
		}
	}
}

void exit_log_init(void) { panic_register_dumper(dump); }
