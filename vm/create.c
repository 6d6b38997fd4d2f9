/* SPDX-License-Identifier: MIT */
#define LOG_TAG "vm"
#include <stddef.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/string.h"
#include "drivers/timer.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/tdmr_init.h"
#include "vm/launch.h"
#include "vm/registry.h"
#include "vm/teardown.h"
#include "vm/vcpu.h"

/* What Linux needs to unpack itself and to set its bounce buffers aside. */
#define TD_MEMORY_MIN (UINT64_C(64) << 20)
#define TD_MEMORY_MAX (UINT64_C(16) << 40)

/* Control pages, measured pages and the upper Secure EPT levels of any TD. */
#define FIXED_PAGES 128U

STATIC_ASSERT(sizeof(struct posted_interrupts) == 64, "posted-interrupt descriptor layout");
STATIC_ASSERT(TD_MAX_VCPUS * sizeof(struct posted_interrupts) <= PAGE_SIZE,
	      "all descriptors of a TD fit one page");

/* Pages that a TD of that size takes at most: 4K mappings take a Secure EPT page per 2M. */
static uint64_t pages_needed(const struct td_config *c)
{
	return c->memory / PAGE_SIZE + c->memory / SIZE_2M + FIXED_PAGES;
}

static enum status check_limits(const struct td_config *c, struct vm_error *why)
{
	if (c->vcpus == 0 || c->vcpus > TD_MAX_VCPUS)
		return explain(why, STATUS_BAD_ARG, "%s: vcpus = %u, expected 1 to %u", c->name,
			       c->vcpus, TD_MAX_VCPUS);
	if (c->memory < TD_MEMORY_MIN || c->memory > TD_MEMORY_MAX || c->memory % SIZE_2M != 0)
		return explain(
			why, STATUS_BAD_ARG,
			"%s: memory = %lu KiB, expected a multiple of 2M from %lu MiB up",
			c->name, c->memory >> 10, TD_MEMORY_MIN >> 20);
	return STATUS_OK;
}

/* Now, or when the rest of the TDMRs is initialised. */
static uint64_t free_for_tds(void)
{
	uint64_t pending = tdmr_init_pending_bytes();

	return pending + frame_free_tdx(LEVEL_4K) * PAGE_SIZE;
}

/* What TDs that are dying still hold comes back: better to wait than to refuse. */
static enum status find_memory(uint64_t needed)
{
	enum status s = tdmr_init_need(needed);

	if (s != STATUS_NO_MEMORY)
		return s;
	vm_finish_reclaim();
	return tdmr_init_need(needed);
}

static enum status check_resources(const struct td_config *c, struct vm_error *why)
{
	const struct tdx_module_info *module = tdx_module_info();
	uint64_t needed = pages_needed(c) * PAGE_SIZE;

	if (!module->is_ready)
		return explain(why, STATUS_UNSUPPORTED, "%s: no TDX here: %s", c->name,
			       module->refusal);
	if (registry_find(c->name) != NULL)
		return explain(why, STATUS_EXISTS, "'%s' exists: destroy it first", c->name);
	if (tdx_keyid_free_count() == 0)
		return explain(why, STATUS_NO_KEYID,
			       "%s: no KeyID is left: all %u are in use, expected one free",
			       c->name, module->keyid_count);
	if (find_memory(needed) != STATUS_OK)
		return explain(
			why, STATUS_NO_MEMORY,
			"%s: memory = %lu MiB takes %lu MiB, but only %lu MiB are free for "
			"TDs",
			c->name, c->memory >> 20, needed >> 20, free_for_tds() >> 20);
	return STATUS_OK;
}

static uint64_t min64(uint64_t a, uint64_t b) { return a < b ? a : b; }

static struct td_params params_of(const struct td_config *c)
{
	uint64_t low = min64(c->memory, TD_LOW_RAM_MAX);

	return (struct td_params){
		.attributes = c->attributes,
		.max_vcpus = (uint16_t)c->vcpus,
		.tsc_khz = timer_tsc_khz(),
		.ram_low_end = gpa(low),
		.ram_high_end = gpa(TD_HIGH_RAM_BASE + c->memory - low),
	};
}

static void init_devices(struct vm *vm)
{
	pci_root_init(&vm->pci);
	virtio_console_init(&vm->console, TD_PCI_MMIO_BASE);
	vm->console.virtio.mem = &vm->shared;
	vm->console.virtio.msi = (struct msi_sink){.deliver = vm_deliver_msi, .ctx = vm};
	vm->pci.slot[1] = &vm->console.virtio.pci;
}

/*
 * Shared GPAs below 4 GiB that are no RAM belong to devices: the guest gets #VE for them
 * and asks. RAM entries come with MapGPA, files with launch_load().
 */
static enum status init_shared(struct vm *vm)
{
	gpa_t end = vm->td.params.ram_low_end;
	enum status s = shared_mem_init(&vm->shared);

	if (s != STATUS_OK)
		return s;
	s = frame_alloc(LEVEL_4K, FRAME_SHARED, &vm->posted_page);
	if (s != STATUS_OK)
		return s;
	memset(phys_ptr(vm->posted_page), 0, PAGE_SIZE);
	return shared_mem_set_mmio(&vm->shared, end, TD_HIGH_RAM_BASE - end.raw);
}

static enum status create_vcpu(struct vm *vm, unsigned i)
{
	struct vcpu *v = heap_alloc(sizeof(*v));
	struct posted_interrupts *posted = phys_ptr(vm->posted_page);
	enum status s;

	if (v == NULL)
		return STATUS_NO_MEMORY;
	v->vm = vm;
	v->cpu = this_cpu();
	v->posted = &posted[i];
	atomic_init(&v->run, VCPU_STOPPED);
	atomic_init(&v->posted->control, (uint32_t)VECTOR_POSTED_NOTIFY << POSTED_VECTOR_SHIFT);
	vlapic_init(&v->apic, i, &vm->clock);
	/* The TD knows a vCPU that it created in part, so the object lives as long as the TD.
	 */
	vm->vcpus[i] = v;
	s = td_vcpu_create(&vm->td, &v->td, 0);
	if (s != STATUS_OK)
		return s;
	vm->vcpu_count = i + 1;
	return td_vcpu_configure(&v->td, hpa_add(vm->posted_page, i * sizeof(*posted)),
				 VECTOR_POSTED_NOTIFY, vm->shared.ept.root);
}

static enum status create_vcpus(struct vm *vm)
{
	enum status s = STATUS_OK;

	for (unsigned i = 0; i < vm->config.vcpus && s == STATUS_OK; i++)
		s = create_vcpu(vm, i);
	return s;
}

static enum status init_clock(struct vm *vm)
{
	if (vm->td.tsc_multiplier == 0)
		return STATUS_HW_FAULT;
	vclock_init(&vm->clock, vm->td.tsc_multiplier, vm->td.tsc_offset,
		    vm->td.tsc_hz_virtual);
	return STATUS_OK;
}

static enum status populate(struct vm *vm)
{
	uint64_t high = vm->td.params.ram_high_end.raw - TD_HIGH_RAM_BASE;
	enum status s = td_populate(&vm->td, gpa(0), vm->td.params.ram_low_end.raw);

	if (s == STATUS_OK && high != 0)
		s = td_populate(&vm->td, gpa(TD_HIGH_RAM_BASE), high);
	return s;
}

static enum status finalize(struct vm *vm) { return td_finalize(&vm->td); }

static enum status failed(const struct vm *vm, const char *what, enum status s,
			  struct vm_error *why)
{
	return explain(why, s, "%s: %s: %s (see log)", vm->config.name, what, status_name(s));
}

/* From MNG.INIT to FINALIZE; the caller tears down what a failure leaves. */
static enum status build(struct vm *vm, struct vm_error *why)
{
	static const struct {
		const char *what;
		enum status (*run)(struct vm *vm);
	} steps[] = {
		{"reading the virtual TSC", init_clock},
		{"shared memory", init_shared},
		{"creating a vCPU", create_vcpus},
		{"loading kernel and initrd", launch_load},
		{"backing its memory", populate},
		{"finalizing", finalize},
	};

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		enum status s = steps[i].run(vm);

		if (s != STATUS_OK)
			return failed(vm, steps[i].what, s, why);
	}
	promote_init(vm);
	vm->has_mrtd = td_read_mrtd(&vm->td, vm->mrtd) == STATUS_OK;
	return STATUS_OK;
}

static struct vm *new_vm(const struct td_config *config)
{
	struct vm *vm = heap_alloc(sizeof(*vm));

	if (vm == NULL)
		return NULL;
	vm->config = *config;
	vm->state = VM_CREATED;
	atomic_init(&vm->gate, GATE_STOP);
	(void)string_copy(vm->td.name, sizeof(vm->td.name), config->name);
	init_devices(vm);
	return vm;
}

static enum status create(const struct td_config *config, struct vm_error *why)
{
	uint64_t seamcalls = tdx_seamcall_count();
	struct td_params params = params_of(config);
	struct vm *vm = new_vm(config);
	enum status s;

	if (vm == NULL)
		return explain(why, STATUS_NO_MEMORY, "%s: no memory for its objects",
			       config->name);
	s = td_create(&vm->td, &params);
	if (s != STATUS_OK) {
		s = failed(vm, "creating the TD", s, why);
		vm_free(vm);
		return s;
	}
	registry_add(vm);
	s = build(vm, why);
	if (s != STATUS_OK) {
		vm->state = VM_DYING;
		(void)!teardown_begin(vm);
		return s;
	}
	vm->create_seamcalls = tdx_seamcall_count() - seamcalls;
	log_info("%s created: KeyID %u, %lu MiB, %u vCPUs, %lu SEAMCALLs", config->name,
		 vm->td.hkid, config->memory >> 20, config->vcpus, vm->create_seamcalls);
	return STATUS_OK;
}

enum status vm_create(const struct td_config *config, struct vm_error *why)
{
	enum status s = check_limits(config, why);

	if (s == STATUS_OK)
		s = check_resources(config, why);
	if (s == STATUS_OK)
		s = launch_check(config, why);
	return s == STATUS_OK ? create(config, why) : s;
}
