/* SPDX-License-Identifier: MIT */
#define LOG_TAG "vm"
#include "vm/teardown.h"

#include <stddef.h>

#include "core/log.h"
#include "mm/frame.h"
#include "vm/background.h"
#include "vm/console.h"
#include "vm/cpu_queue.h"
#include "vm/registry.h"

/* One that the module does not let go of is in the log; the KeyID then stays, too. */
static void remove_vcpus(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		atomic_store(&vm->vcpus[i]->run, VCPU_STOPPED);
		(void)!cpu_queue_remove(vm->vcpus[i]);
	}
}

/* The console's output stays readable; its queues lay in memory that is about to go. */
static void release_shared(struct vm *vm)
{
	spin_lock(&vm->device_lock);
	virtio_pci_stop(&vm->console.virtio);
	spin_unlock(&vm->device_lock);
	shared_mem_destroy(&vm->shared);
	if (vm->posted_page.raw != 0)
		frame_free(vm->posted_page, PAGE_SIZE);
	if (vm->cmdline.raw != 0)
		frame_free(vm->cmdline, PAGE_SIZE);
	vm->posted_page = hpa(0);
	vm->cmdline = hpa(0);
}

enum status teardown_begin(struct vm *vm)
{
	enum status s;

	if (atomic_load(&vm->teardown) != TEARDOWN_NONE)
		return STATUS_OK;
	atomic_fetch_or(&vm->gate, GATE_STOP);
	background_settle(vm);
	remove_vcpus(vm);
	release_shared(vm);
	s = td_release_keyid(&vm->td);
	if (s == STATUS_BUSY) {
		log_error("%s: the module stays busy; its KeyID and pages wait",
			  vm->config.name);
		vm->state = VM_CRASHED;
		return s;
	}
	if (s != STATUS_OK)
		log_error("%s: its KeyID and pages are lost: %s", vm->config.name,
			  status_name(s));
	/* Of a lost KeyID, reclaim counts the pages as quarantined. */
	atomic_store(&vm->teardown, TEARDOWN_RECLAIM);
	background_call_all();
	return s == STATUS_OK ? STATUS_OK : STATUS_HW_FAULT;
}

/* The state that people see follows what the TD's CPUs found. */
static void end_if_ended(struct vm *vm)
{
	int ended = atomic_load(&vm->end.state);

	if (ended == VM_CREATED || vm->state != VM_RUNNING)
		return;
	vm->state = (enum vm_state)ended;
	if (teardown_begin(vm) != STATUS_OK)
		vm->state = VM_CRASHED;
}

void teardown_bsp_work(void)
{
	for (struct vm *vm = registry_first(); vm != NULL; vm = vm->next)
		end_if_ended(vm);
	registry_free_dead();
	console_flush();
}
