/* SPDX-License-Identifier: MIT */
/* vCPUs: interrupts, waking, leaving the guest. Any CPU, unless stated otherwise. */
#pragma once

#include <stdint.h>

#include "vm/object.h"

/* Posts `vector` (16..255): into the running guest, or wakes the vCPU. */
void vcpu_post_interrupt(struct vcpu *v, uint8_t vector);

/* Posts the interrupt of its LAPIC timer if that is due at `now`; on the vCPU's own CPU. */
void vcpu_run_timer(struct vcpu *v, uint64_t now);

/* Asks for an NMI; its CPU injects it before the next entry. */
void vcpu_post_nmi(struct vcpu *v);

/* Makes a halted vCPU runnable and its CPU look. */
void vcpu_wake(struct vcpu *v);

/*
 * HLT, on the vCPU's own CPU: halts unless an interrupt is pending. `deaf`: interrupts
 * were off, so none of them counts.
 */
void vcpu_halt(struct vcpu *v, bool deaf);

/* Sends an IPI of the vCPU's ICR value to the vCPUs of its TD that it names. */
void vcpu_send_ipi(struct vcpu *v, uint64_t icr);

/* Delivers a device's MSI: the msi_sink of a TD, `ctx` is its struct vm. */
void vm_deliver_msi(void *ctx, uint64_t address, uint32_t data);

/* Makes every CPU that is inside this TD leave it, and waits until each has; own CPU excepted.
 */
void vm_kick_and_wait(struct vm *vm);

/* Closes the gate for a conversion and waits until no vCPU is inside. */
void vm_quiesce(struct vm *vm);
void vm_unquiesce(struct vm *vm);
