/* SPDX-License-Identifier: MIT */
/*
 * TDs and their vCPUs inside vm/.
 *
 * Who may touch what: a vCPU belongs to one CPU at a time (vcpu->cpu), whose loop runs it
 * and alone touches its registers, LAPIC and list link; other CPUs only post interrupts,
 * wake, kick, and read the atomics. The list of TDs, creation and teardown belong to the BSP.
 * Lock order: vm->device_lock > vm->shared.lock > frame and log locks; vm->convert is
 * taken without other locks and held across calls to other CPUs.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/spinlock.h"
#include "guest-abi/tdboot.h"
#include "tdx/td.h"
#include "vm/dev/virtio_console.h"
#include "vm/exit_kind.h"
#include "vm/promote.h"
#include "vm/shared_mem.h"
#include "vm/td_config.h"
#include "vm/vclock.h"
#include "vm/vlapic.h"
#include "vm/vm.h"

#define VM_REASON_MAX 160

/* Posted-interrupt descriptor (SDM vol. 3, table 30-1). */
struct posted_interrupts {
	atomic_uint_least64_t requests[4];
	atomic_uint_least32_t control; /* bit 0 ON, 1 SN, 23:16 notification vector */
	uint32_t destination;
	uint32_t reserved[6];
};

#define VECTOR_FIRST_VALID 16

#define POSTED_ON           UINT32_C(1)
#define POSTED_VECTOR_SHIFT 16

enum vcpu_run {
	VCPU_RUNNABLE,
	VCPU_HALTED,  /* HLT with interrupts on: an interrupt or NMI wakes it */
	VCPU_DEAF,    /* HLT with interrupts off: only an NMI does */
	VCPU_STOPPED, /* not started, or the TD ended */
};

struct vcpu {
	struct td_vcpu td;
	struct vm *vm;
	unsigned cpu;
	struct vcpu *next; /* on its CPU's list */
	struct posted_interrupts *posted;
	atomic_int run; /* enum vcpu_run */
	atomic_bool nmi_wanted;
	atomic_uint_least64_t entry; /* odd while it may be inside the guest */
	struct seamcall_regs regs;
	struct vlapic apic;
	uint8_t event_vector;            /* SetupEventNotifyInterrupt; 0 = none */
	uint64_t exits[EXIT_KIND_COUNT]; /* written by its CPU, read by anyone */
};

/* Bits of vm->gate: nobody enters a TD whose gate is not 0. */
#define GATE_STOP    UINT32_C(0x80000000) /* the TD ends or has not started */
#define GATE_ENDED   UINT32_C(0x40000000) /* vm_end() was called */
#define GATE_QUIESCE UINT32_C(1)          /* counted: conversions that need every vCPU out */

/* Why and how a TD ended; the first to say so wins. */
struct vm_end {
	atomic_int
		state; /* VM_STOPPED or VM_CRASHED, once the reason stands; else VM_CREATED */
	char reason[VM_REASON_MAX];
};

enum teardown_stage {
	TEARDOWN_NONE,
	TEARDOWN_RECLAIM, /* KeyID free, pages follow */
	TEARDOWN_DONE,    /* nothing of the module's is left */
};

struct vm {
	struct vm *next;   /* vm/registry.h */
	atomic_uint users; /* idle CPUs that work for it or look whether they could */
	struct td_config config;
	struct td td;
	struct vclock clock;
	struct shared_mem shared;
	enum vm_state state; /* BSP's view; `end` tells what the CPUs found */
	struct vm_end end;
	atomic_uint gate;
	/* It wrote CMOS' shutdown code: Linux without EFI resets by a triple fault, after that.
	 */
	atomic_bool resets_itself;
	atomic_int teardown;  /* enum teardown_stage */
	atomic_flag convert;  /* one conversion of shared memory at a time */
	atomic_bool is_short; /* a conversion found no memory, which was logged */
	struct promote promote;
	hpa_t posted_page; /* 0 = none */
	hpa_t cmdline;     /* 0 = none */
	uint8_t mrtd[48];
	bool has_mrtd;
	uint64_t create_seamcalls;
	unsigned vcpu_count;
	struct vcpu *vcpus[TD_MAX_VCPUS];
	struct spinlock device_lock;
	/* Protected by device_lock. */
	struct pci_root pci;
	struct virtio_console console;
	uint8_t cmos_index;
	uint8_t serial_line_control;
};

/* RAM of the TD: [0, low end) and [4 GiB, high end). */
static inline bool vm_is_ram(const struct vm *vm, uint64_t at)
{
	return at < vm->td.params.ram_low_end.raw ||
	       (at >= TD_HIGH_RAM_BASE && at < vm->td.params.ram_high_end.raw);
}

/*
 * Ends the TD from anywhere: no vCPU enters it any more, the BSP tears it down. `state`
 * is VM_STOPPED (the guest's wish) or VM_CRASHED. Only the first call has an effect.
 */
void vm_end(struct vm *vm, enum vm_state state, const char *fmt, ...) PRINTF_LIKE(3, 4);
