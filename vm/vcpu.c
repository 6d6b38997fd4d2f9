/* SPDX-License-Identifier: MIT */
#include "vm/vcpu.h"

#include "core/hw.h"
#include "guest-abi/pci.h"
#include "vm/cpu_queue.h"

static bool is_inside(const struct vcpu *v) { return atomic_load(&v->entry) % 2 != 0; }

static bool wake_from(struct vcpu *v, enum vcpu_run state)
{
	int expected = (int)state;

	if (!atomic_compare_exchange_strong(&v->run, &expected, VCPU_RUNNABLE))
		return false;
	cpu_queue_kick(v->cpu);
	return true;
}

void vcpu_wake(struct vcpu *v)
{
	if (!wake_from(v, VCPU_HALTED))
		(void)wake_from(v, VCPU_DEAF);
}

/*
 * The request first, then ON, then the look at what the vCPU does: vcpu_halt() publishes
 * `halted` first and looks at the requests after that, so one of the two sees the other.
 */
void vcpu_post_interrupt(struct vcpu *v, uint8_t vector)
{
	struct posted_interrupts *p = v->posted;

	atomic_fetch_or(&p->requests[vector / 64], UINT64_C(1) << vector % 64);
	if ((atomic_fetch_or(&p->control, POSTED_ON) & POSTED_ON) != 0 && is_inside(v))
		return;
	if (wake_from(v, VCPU_HALTED))
		return;
	if (is_inside(v) && v->cpu != this_cpu())
		hw_send_ipi(v->cpu, VECTOR_POSTED_NOTIFY);
}

void vcpu_run_timer(struct vcpu *v, uint64_t now)
{
	int vector;

	if (v->apic.deadline == 0 || v->apic.deadline > now)
		return;
	vector = vlapic_timer_expired(&v->apic, now);
	if (vector >= 0)
		vcpu_post_interrupt(v, (uint8_t)vector);
}

void vcpu_post_nmi(struct vcpu *v)
{
	atomic_store(&v->nmi_wanted, true);
	vcpu_wake(v);
	if (is_inside(v))
		cpu_queue_kick(v->cpu);
}

static bool has_posted(const struct vcpu *v)
{
	const struct posted_interrupts *p = v->posted;

	return (atomic_load(&p->requests[0]) | atomic_load(&p->requests[1]) |
		atomic_load(&p->requests[2]) | atomic_load(&p->requests[3]) |
		(atomic_load(&p->control) & POSTED_ON)) != 0;
}

static bool may_go_on(struct vcpu *v, bool deaf)
{
	bool pending = false;

	if (atomic_load(&v->nmi_wanted))
		return true;
	if (deaf)
		return false;
	if (has_posted(v))
		return true;
	/* An answer that could not be had costs one entry more, never a sleep too long. */
	return td_vcpu_interrupt_pending(&v->td, &pending) != STATUS_OK || pending;
}

static bool is_whole_td_deaf(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		if (atomic_load(&vm->vcpus[i]->run) != VCPU_DEAF)
			return false;
	}
	return true;
}

void vcpu_halt(struct vcpu *v, bool deaf)
{
	int halted = deaf ? VCPU_DEAF : VCPU_HALTED;

	atomic_store(&v->run, halted);
	if (may_go_on(v, deaf))
		(void)atomic_compare_exchange_strong(&v->run, &halted, VCPU_RUNNABLE);
	else if (deaf && is_whole_td_deaf(v->vm))
		vm_end(v->vm, VM_STOPPED, "the guest halted all vCPUs with interrupts off");
}

static bool is_target(const struct vcpu *from, const struct vcpu *to, uint64_t icr)
{
	switch (icr_shorthand(icr)) {
	case IPI_SELF:
		return from == to;
	case IPI_ALL:
		return true;
	case IPI_OTHERS:
		return from != to;
	case IPI_DESTINATION:
		return icr_names(icr, to->apic.id);
	}
	return false;
}

/* INIT and SIPI have no meaning in a TD (its vCPUs wait in the MADT mailbox): dropped. */
void vcpu_send_ipi(struct vcpu *v, uint64_t icr)
{
	unsigned delivery = icr_delivery(icr);

	for (unsigned i = 0; i < v->vm->vcpu_count; i++) {
		struct vcpu *to = v->vm->vcpus[i];

		if (!is_target(v, to, icr))
			continue;
		if (delivery == ICR_DELIVERY_NMI)
			vcpu_post_nmi(to);
		else if (delivery == ICR_DELIVERY_FIXED &&
			 icr_vector(icr) >= VECTOR_FIRST_VALID)
			vcpu_post_interrupt(to, icr_vector(icr));
	}
}

/* The APIC ID is the vCPU's index; a message to nobody is lost, as on a real bus. */
void vm_deliver_msi(void *ctx, uint64_t address, uint32_t data)
{
	struct vm *vm = ctx;
	uint32_t target = (uint32_t)(address >> 12) & 0xff;

	if ((address & MSI_ADDRESS_MASK) != MSI_ADDRESS_BASE || target >= vm->vcpu_count)
		return;
	if ((data & 0xff) >= VECTOR_FIRST_VALID)
		vcpu_post_interrupt(vm->vcpus[target], (uint8_t)data);
}

/*
 * What is waited for is that the vCPU's entry counter moved or is even: it left the guest
 * after we looked. Its CPU need not answer anything, so this cannot deadlock with it.
 */
static void wait_outside(struct vcpu *v, uint64_t seen)
{
	while (atomic_load(&v->entry) == seen)
		hw_pause();
}

void vm_kick_and_wait(struct vm *vm)
{
	uint64_t seen[TD_MAX_VCPUS];

	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		seen[i] = atomic_load(&vm->vcpus[i]->entry);
		if (seen[i] % 2 != 0)
			cpu_queue_kick(vm->vcpus[i]->cpu);
	}
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		if (seen[i] % 2 != 0)
			wait_outside(vm->vcpus[i], seen[i]);
	}
}

/* The gate is closed first; an entry that is not seen here has yet to look at it. */
void vm_quiesce(struct vm *vm)
{
	atomic_fetch_add(&vm->gate, GATE_QUIESCE);
	vm_kick_and_wait(vm);
}

void vm_unquiesce(struct vm *vm) { atomic_fetch_sub(&vm->gate, GATE_QUIESCE); }
