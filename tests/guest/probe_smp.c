/* SPDX-License-Identifier: MIT */
/* The other vCPUs: ACPI's wakeup mailbox, IPIs. */
#include <stddef.h>

#include "guest-abi/acpi_tables.h"
#include "guest-abi/ghci.h"
#include "guest-abi/tdcall_insn.h"
#include "tests/guest/lapic.h"
#include "tests/guest/probe.h"
#include "tests/guest/probe_insn.h"
#include "tests/guest/tap.h"
#include "tests/guest/trap.h"

#define MAX_VCPUS   64
#define STACK_SIZE  4096
#define PATIENCE_MS UINT64_C(5000)

/* probe_entry.S loads it for the vCPU that is being woken. */
extern uint64_t ap_stack_top;
uint64_t ap_stack_top;
extern const uint8_t ap_entry[];
_Noreturn void probe_ap_main(void);

static _Alignas(16) uint8_t stacks[MAX_VCPUS][STACK_SIZE];
static volatile unsigned online_index;
static volatile unsigned ready;

static bool signature_is(const struct acpi_header *h, const char *signature)
{
	for (unsigned i = 0; i < 4; i++) {
		if (h->signature[i] != signature[i])
			return false;
	}
	return true;
}

static const struct acpi_madt *find_madt(void)
{
	const struct acpi_rsdp *rsdp = (const void *)(uintptr_t)probe_rsdp;
	const struct acpi_header *xsdt = (const void *)(uintptr_t)rsdp->xsdt;
	const uint8_t *entry = (const uint8_t *)(xsdt + 1);

	for (; entry < (const uint8_t *)xsdt + xsdt->length; entry += 8) {
		const struct acpi_header *table;
		uint64_t at = 0;

		for (unsigned i = 8; i > 0; i--)
			at = at << 8 | entry[i - 1];
		table = (const void *)(uintptr_t)at;
		if (signature_is(table, "APIC"))
			return (const void *)table;
	}
	return NULL;
}

/* The n-th MADT entry of `type`, or NULL. */
static const void *madt_entry(const struct acpi_madt *madt, uint8_t type, unsigned n)
{
	const uint8_t *entry = (const uint8_t *)(madt + 1);

	for (; entry < (const uint8_t *)madt + madt->header.length; entry += entry[1]) {
		if (entry[0] == type && n-- == 0)
			return entry;
	}
	return NULL;
}

static volatile struct acpi_mp_mailbox *mailbox(void)
{
	const struct acpi_madt_mp_wakeup *wakeup =
		madt_entry(find_madt(), ACPI_MADT_MP_WAKEUP, 0);

	return wakeup == NULL ? NULL : (volatile void *)(uintptr_t)wakeup->mailbox;
}

static bool wait_for(volatile unsigned *value, unsigned wanted)
{
	uint64_t until = rdtsc() + PATIENCE_MS * probe_tsc_per_ms();

	while (*value != wanted && rdtsc() < until)
		cpu_relax();
	return *value == wanted;
}

_Noreturn void probe_ap_main(void)
{
	struct tdcall_regs regs = {.rax = TDG_VP_INFO};

	tdcall(&regs);
	lapic_enable();
	online_index = (uint32_t)regs.r9;
	ready++;
	for (;;)
		(void)sti_and_halt();
}

static bool wake(uint32_t apic_id)
{
	volatile struct acpi_mp_mailbox *box = mailbox();
	unsigned before = ready;

	ap_stack_top = (uintptr_t)stacks[apic_id % MAX_VCPUS] + STACK_SIZE;
	box->wakeup_vector = (uintptr_t)ap_entry;
	box->apic_id = apic_id;
	box->command = ACPI_MP_WAKEUP_WAKEUP;
	return wait_for(&ready, before + 1) && tap_equal("command", box->command, 0) &&
	       tap_equal("vCPU index", online_index, apic_id);
}

static bool wake_all(void)
{
	const struct acpi_madt *madt = find_madt();
	const struct acpi_madt_lapic *lapic;
	bool ok = mailbox() != NULL;

	for (unsigned n = 0; (lapic = madt_entry(madt, ACPI_MADT_LAPIC, n)) != NULL; n++) {
		if (lapic->apic_id != 0)
			ok = ok && wake(lapic->apic_id);
	}
	tap_value("vCPUs woken", ready);
	return ok;
}

static bool ipi_to_each(void)
{
	const struct acpi_madt *madt = find_madt();
	const struct acpi_madt_lapic *lapic;
	bool ok = true;

	for (unsigned n = 0; (lapic = madt_entry(madt, ACPI_MADT_LAPIC, n)) != NULL; n++) {
		unsigned before = trap_interrupts[VECTOR_IPI];

		if (lapic->apic_id == 0)
			continue;
		td_wrmsr(X2APIC_ICR, ICR_TO(lapic->apic_id) | VECTOR_IPI);
		ok = wait_for(&trap_interrupts[VECTOR_IPI], before + 1) && ok;
	}
	return ok;
}

const struct probe_test smp_tests[] = {
	{"every other vCPU leaves the mailbox when it is woken", wake_all},
	{"an IPI reaches every other vCPU, out of HLT", ipi_to_each},
	{NULL, NULL},
};
