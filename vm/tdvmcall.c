/* SPDX-License-Identifier: MIT */
/*
 * TDG.VP.VMCALL (GHCI 1.5): R10 = 0 and a sub-function in R11, or a vendor's hypercall.
 * Answers go to R10 (status) and R11 up. Nothing here trusts a register.
 */
#include <stddef.h>

#include "core/hw.h"
#include "guest-abi/ghci.h"
#include "vm/convert.h"
#include "vm/cpu_queue.h"
#include "vm/exit.h"
#include "vm/msr.h"
#include "vm/pio.h"
#include "vm/quote.h"
#include "vm/vcpu.h"
#include "vmx/exit.h"

/* What KVM answers to a hypercall it does not have; Linux guests expect a KVM (CPUID below). */
#define KVM_ENOSYS (-1000)

#define CPUID_HYPERVISOR_FIRST UINT64_C(0x40000000)

/* "KVMKVMKVM\0\0\0": without it Linux would leave x2APIC mode, which a TD cannot. */
#define KVM_SIGNATURE_EBX 0x4b4d564bU
#define KVM_SIGNATURE_ECX 0x564b4d56U
#define KVM_SIGNATURE_EDX 0x0000004dU

/* GetTdVmCallInfo, R12 = 1: optional calls in R11. */
#define INFO_GET_QUOTE    UINT64_C(1)
#define INFO_EVENT_NOTIFY UINT64_C(2)

#define EVENT_VECTOR_FIRST 32
#define EVENT_VECTOR_LAST  255

static enum exit_action answer(struct vcpu *v, uint64_t status)
{
	v->regs.r10 = status;
	return EXIT_RESUME;
}

static enum exit_action answer_value(struct vcpu *v, uint64_t value)
{
	v->regs.r11 = value;
	return answer(v, TDVMCALL_SUCCESS);
}

static enum exit_action cpuid(struct vcpu *v)
{
	uint64_t leaf = v->regs.r12;

	v->regs.r12 = v->regs.r13 = v->regs.r14 = v->regs.r15 = 0;
	if (leaf == CPUID_HYPERVISOR_FIRST) {
		v->regs.r12 = CPUID_HYPERVISOR_FIRST + 1;
		v->regs.r13 = KVM_SIGNATURE_EBX;
		v->regs.r14 = KVM_SIGNATURE_ECX;
		v->regs.r15 = KVM_SIGNATURE_EDX;
	}
	return answer(v, TDVMCALL_SUCCESS);
}

static enum exit_action hlt(struct vcpu *v)
{
	vcpu_halt(v, v->regs.r12 != 0);
	(void)answer(v, TDVMCALL_SUCCESS);
	return atomic_load(&v->run) == VCPU_RUNNABLE ? EXIT_RESUME : EXIT_LEAVE;
}

/* R15 may carry junk above the size (Linux 6.12 does so): pio_write() cuts it off. */
static enum exit_action io(struct vcpu *v)
{
	uint64_t size = v->regs.r12;
	uint64_t port = v->regs.r14;

	if ((size != 1 && size != 2 && size != 4) || v->regs.r13 > 1 || port > UINT16_MAX)
		return answer(v, TDVMCALL_INVALID_OPERAND);
	if (v->regs.r13 == 0)
		return answer_value(v, pio_read(v->vm, (uint16_t)port, (unsigned)size));
	pio_write(v->vm, (uint16_t)port, (unsigned)size, (uint32_t)v->regs.r15);
	return answer_value(v, 0);
}

static enum exit_action rdmsr(struct vcpu *v)
{
	uint64_t value;

	if (v->regs.r12 > UINT32_MAX ||
	    !msr_read(&v->apic, (uint32_t)v->regs.r12, hw_rdtsc(), &value))
		return answer(v, TDVMCALL_INVALID_OPERAND);
	return answer_value(v, value);
}

/* A deadline that is past already fires here, without the detour over the host's timer. */
static void follow_timer(struct vcpu *v, uint64_t now)
{
	if (v->apic.deadline <= now)
		vcpu_run_timer(v, now);
	if (v->apic.deadline != 0)
		cpu_queue_want_timer(v->apic.deadline);
}

static enum exit_action wrmsr(struct vcpu *v)
{
	uint64_t now = hw_rdtsc();

	if (v->regs.r12 > UINT32_MAX ||
	    !msr_write(&v->apic, (uint32_t)v->regs.r12, now, v->regs.r13))
		return answer(v, TDVMCALL_INVALID_OPERAND);
	if (v->regs.r12 == X2APIC_ICR)
		vcpu_send_ipi(v, v->apic.icr);
	else
		follow_timer(v, now);
	return answer(v, TDVMCALL_SUCCESS);
}

static uint64_t mmio_read(struct vm *vm, uint64_t at, unsigned size)
{
	uint64_t value;

	spin_lock(&vm->device_lock);
	if (!pci_mmio_read(&vm->pci, at, size, &value))
		value = UINT64_MAX;
	spin_unlock(&vm->device_lock);
	return value & (UINT64_MAX >> (64 - 8 * size));
}

static void mmio_write(struct vm *vm, uint64_t at, unsigned size, uint64_t value)
{
	bool has_output;

	spin_lock(&vm->device_lock);
	(void)pci_mmio_write(&vm->pci, at, size, value);
	has_output = vm->console.is_read && virtio_console_has_output(&vm->console);
	spin_unlock(&vm->device_lock);
	if (has_output)
		cpu_queue_call_bsp();
}

static enum exit_action mmio(struct vcpu *v)
{
	uint64_t size = v->regs.r12;
	uint64_t at = v->regs.r14 & ~TD_SHARED_BIT;

	if ((size != 1 && size != 2 && size != 4 && size != 8) || v->regs.r13 > 1)
		return answer(v, TDVMCALL_INVALID_OPERAND);
	if ((v->regs.r14 & TD_SHARED_BIT) == 0 || at >= TD_SHARED_BIT || vm_is_ram(v->vm, at))
		return answer(v, TDVMCALL_INVALID_OPERAND);
	if (v->regs.r13 == 0)
		return answer_value(v, mmio_read(v->vm, at, (unsigned)size));
	mmio_write(v->vm, at, (unsigned)size, v->regs.r15);
	return answer_value(v, 0);
}

static enum exit_action map_gpa_result(struct vcpu *v, enum status s)
{
	if (s == STATUS_OK)
		return answer(v, TDVMCALL_SUCCESS);
	if (s == STATUS_BUSY)
		return answer(v, TDVMCALL_RETRY);
	if (s == STATUS_NO_MEMORY)
		return answer(v, TDVMCALL_INVALID_OPERAND);
	vm_end(v->vm, VM_CRASHED, "vCPU %u: MapGPA at %#lx: %s", v->td.index, v->regs.r11,
	       status_name(s));
	return EXIT_LEAVE;
}

/* The shared bit of the start says what the range is to become; R11 tells where it stopped. */
static enum exit_action map_gpa(struct vcpu *v)
{
	uint64_t start = v->regs.r12 & ~TD_SHARED_BIT;
	uint64_t size = v->regs.r13;
	bool to_shared = (v->regs.r12 & TD_SHARED_BIT) != 0;
	uint64_t done;
	enum status s;

	v->regs.r11 = v->regs.r12;
	if (start % PAGE_SIZE != 0 || size % PAGE_SIZE != 0)
		return answer(v, TDVMCALL_ALIGN_ERROR);
	if (size == 0 || start >= TD_SHARED_BIT || size > TD_SHARED_BIT - start)
		return answer(v, TDVMCALL_INVALID_OPERAND);
	hw_irq_restore(true);
	s = convert_range(v->vm, start, size, to_shared, &done);
	hw_irq_disable();
	v->regs.r11 = v->regs.r12 + done;
	return map_gpa_result(v, s);
}

static enum exit_action get_quote(struct vcpu *v)
{
	uint64_t status = quote_refuse(&v->vm->shared, v->regs.r12, v->regs.r13);

	if (status == TDVMCALL_SUCCESS && v->event_vector != 0)
		vcpu_post_interrupt(v, v->event_vector);
	return answer(v, status);
}

/* Eight registers of text, in this order; what is no text becomes '.'. */
static void fatal_text(const struct seamcall_regs *r, char text[65])
{
	const uint64_t words[8] = {r->r14, r->r15, r->rbx, r->rdi,
				   r->rsi, r->r8,  r->r9,  r->rdx};

	for (unsigned i = 0; i < 64; i++) {
		char c = (char)(words[i / 8] >> (8 * (i % 8)));

		text[i] = c == '\0' || (c >= ' ' && c <= '~') ? c : '.';
	}
	text[64] = '\0';
}

static enum exit_action report_fatal_error(struct vcpu *v)
{
	char text[65];

	fatal_text(&v->regs, text);
	vm_end(v->vm, VM_CRASHED, "vCPU %u reported fatal error %#lx: %s", v->td.index,
	       v->regs.r12, text);
	return EXIT_LEAVE;
}

static enum exit_action get_info(struct vcpu *v)
{
	uint64_t which = v->regs.r12;

	if (which > 1)
		return answer(v, TDVMCALL_INVALID_OPERAND);
	v->regs.r12 = v->regs.r13 = v->regs.r14 = 0;
	return answer_value(v, which == 1 ? INFO_GET_QUOTE | INFO_EVENT_NOTIFY : 0);
}

static enum exit_action setup_event_notify(struct vcpu *v)
{
	if (v->regs.r12 < EVENT_VECTOR_FIRST || v->regs.r12 > EVENT_VECTOR_LAST)
		return answer(v, TDVMCALL_INVALID_OPERAND);
	v->event_vector = (uint8_t)v->regs.r12;
	return answer(v, TDVMCALL_SUCCESS);
}

/* WBINVD: every device here is the host itself, and coherent. */
static enum exit_action succeed(struct vcpu *v) { return answer(v, TDVMCALL_SUCCESS); }

/* Service, too: it is optional, and there is no service to ask. */
static enum exit_action unsupported(struct vcpu *v)
{
	return answer(v, TDVMCALL_SUBFUNC_UNSUPPORTED);
}

static enum exit_action vendor_call(struct vcpu *v)
{
	return answer(v, (uint64_t)(int64_t)KVM_ENOSYS);
}

struct call {
	enum exit_action (*handle)(struct vcpu *v);
	enum exit_kind kind;
};

/* R11 is an exit reason, or counts from TDVMCALL_GET_TD_VM_CALL_INFO. */
static const struct call by_reason[] = {
	[EXIT_CPUID] = {cpuid, EXIT_KIND_CPUID},
	[EXIT_HLT] = {hlt, EXIT_KIND_HLT},
	[EXIT_IO] = {io, EXIT_KIND_IO},
	[EXIT_RDMSR] = {rdmsr, EXIT_KIND_RDMSR},
	[EXIT_WRMSR] = {wrmsr, EXIT_KIND_WRMSR},
	[EXIT_EPT_VIOLATION] = {mmio, EXIT_KIND_MMIO},
	[EXIT_WBINVD] = {succeed, EXIT_KIND_WBINVD},
};
static const struct call by_function[] = {
	{get_info, EXIT_KIND_GET_INFO},
	{map_gpa, EXIT_KIND_MAP_GPA},
	{get_quote, EXIT_KIND_GET_QUOTE},
	{report_fatal_error, EXIT_KIND_FATAL_ERROR},
	{setup_event_notify, EXIT_KIND_EVENT_NOTIFY},
	{unsupported, EXIT_KIND_SERVICE},
};
static const struct call unknown = {unsupported, EXIT_KIND_UNKNOWN_CALL};
static const struct call vendor = {vendor_call, EXIT_KIND_VENDOR};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
STATIC_ASSERT(TDVMCALL_SERVICE - TDVMCALL_GET_TD_VM_CALL_INFO == COUNT(by_function) - 1,
	      "by_function is in the order of their numbers");

static const struct call *find_call(uint64_t r10, uint64_t r11)
{
	uint64_t function = r11 - TDVMCALL_GET_TD_VM_CALL_INFO;

	if (r10 != 0)
		return &vendor;
	if (r11 < COUNT(by_reason) && by_reason[r11].handle != NULL)
		return &by_reason[r11];
	return function < COUNT(by_function) ? &by_function[function] : &unknown;
}

enum exit_action vcpu_handle_tdvmcall(struct vcpu *v)
{
	const struct call *c = find_call(v->regs.r10, v->regs.r11);

	v->exits[c->kind]++;
	return c->handle(v);
}
