/* SPDX-License-Identifier: MIT */
#define LOG_TAG "vm"
#include "vm/vm.h"

#include <stddef.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "core/string.h"
#include "drivers/timer.h"
#include "vm/background.h"
#include "vm/cpu_queue.h"
#include "vm/launch.h"
#include "vm/registry.h"
#include "vm/teardown.h"
#include "vm/vcpu.h"

#define RECLAIM_US      1000U /* between two looks at the mailbox */
#define SHUTDOWN_US_MAX UINT64_C(60000000)

/* CPU of the next vCPU: round robin, the BSP with its shell last. */
static unsigned next_cpu;

void vm_init(const struct boot_info *bi)
{
	launch_init(bi);
	cpu_queue_init();
}

enum status explain(struct vm_error *why, enum status s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)format_v(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return s;
}

const char *vm_state_name(enum vm_state s)
{
	static const char *const names[] = {
		[VM_CREATED] = "created", [VM_RUNNING] = "running", [VM_STOPPED] = "stopped",
		[VM_CRASHED] = "crashed", [VM_DYING] = "dying",
	};

	return names[s];
}

/* ---- Life ---- */

void vm_end(struct vm *vm, enum vm_state state, const char *fmt, ...)
{
	va_list ap;

	if ((atomic_fetch_or(&vm->gate, GATE_STOP | GATE_ENDED) & GATE_ENDED) != 0)
		return;
	va_start(ap, fmt);
	(void)format_v(vm->end.reason, sizeof(vm->end.reason), fmt, ap);
	va_end(ap);
	atomic_store(&vm->end.state, state);
	if (state == VM_CRASHED)
		log_warn("%s crashed: %s", vm->config.name, vm->end.reason);
	else
		log_info("%s stopped: %s", vm->config.name, vm->end.reason);
	cpu_queue_call_bsp();
}

static enum status cannot_start(const struct vm *vm, struct vm_error *why)
{
	if (atomic_load(&vm->end.state) != VM_CREATED)
		return explain(why, STATUS_BAD_STATE,
			       "'%s' %s (%s), expected a created TD: destroy it first",
			       vm->config.name, vm_state_name(vm->state), vm->end.reason);
	return explain(why, STATUS_BAD_STATE, "'%s' is %s, expected a created TD",
		       vm->config.name, vm_state_name(vm->state));
}

static enum status place_vcpus(struct vm *vm, struct vm_error *why)
{
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = vm->vcpus[i];

		next_cpu = (next_cpu + 1) % cpu_count;
		if (cpu_queue_move(v, next_cpu) != STATUS_OK)
			return explain(why, STATUS_HW_FAULT,
				       "'%s': vCPU %u cannot be moved to CPU %u",
				       vm->config.name, i, next_cpu);
		atomic_store(&v->run, VCPU_RUNNABLE);
	}
	return STATUS_OK;
}

enum status vm_start(const char *name, struct vm_error *why)
{
	struct vm *vm = registry_find(name);
	enum status s;

	if (vm == NULL)
		return explain(why, STATUS_NOT_FOUND, "there is no TD '%s'", name);
	if (vm->state != VM_CREATED)
		return cannot_start(vm, why);
	s = place_vcpus(vm, why);
	if (s != STATUS_OK)
		return s;
	vm->state = VM_RUNNING;
	atomic_fetch_and(&vm->gate, ~GATE_STOP);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		cpu_queue_kick(vm->vcpus[i]->cpu);
	log_info("%s runs, %u vCPUs", vm->config.name, vm->vcpu_count);
	return STATUS_OK;
}

enum status vm_destroy(const char *name, struct vm_error *why)
{
	struct vm *vm = registry_find(name);
	enum status s;

	if (vm == NULL)
		return explain(why, STATUS_NOT_FOUND, "there is no TD '%s'", name);
	if (vm->state == VM_DYING)
		return explain(why, STATUS_BAD_STATE, "'%s' is being destroyed already", name);
	vm->state = VM_DYING;
	s = teardown_begin(vm);
	if (s == STATUS_BUSY)
		return explain(why, s,
			       "'%s': the module stays busy, expected it to give the "
			       "KeyID back: destroy it again",
			       name);
	if (s != STATUS_OK)
		(void)explain(why, s, "'%s': the module did not give its KeyID back (see log)",
			      name);
	registry_free_dead();
	return s;
}

/* TDs whose pages are still on their way; those of stopped ones, too. */
static bool is_any_dying(void)
{
	for (const struct vm *vm = registry_first(); vm != NULL; vm = vm->next) {
		if (atomic_load(&vm->teardown) == TEARDOWN_RECLAIM)
			return true;
	}
	return false;
}

/* Another CPU may have the last of them in hand: then this one waits, answering others. */
static void finish_reclaim_until(uint64_t deadline_us)
{
	while (is_any_dying() && timer_now_us() < deadline_us) {
		oncpu_drain();
		if (!background_work_until(hw_rdtsc() + timer_us_to_tsc(RECLAIM_US)))
			hw_pause();
	}
	registry_free_dead();
}

void vm_finish_reclaim(void) { finish_reclaim_until(UINT64_MAX); }

void vm_shutdown_all(void)
{
	for (struct vm *vm = registry_first(); vm != NULL; vm = vm->next) {
		vm->state = VM_DYING;
		(void)!teardown_begin(vm); /* which logs what it cannot do */
	}
	finish_reclaim_until(timer_now_us() + SHUTDOWN_US_MAX);
}

/* ---- Reports ---- */

struct td *vm_td(const char *name)
{
	struct vm *vm = registry_find(name);

	return vm != NULL && atomic_load(&vm->teardown) == TEARDOWN_NONE ? &vm->td : NULL;
}

static void fill_memory(const struct vm *vm, struct vm_info *info)
{
	uint64_t total = atomic_load(&vm->td.teardown_total);

	info->shared_bytes = atomic_load(&vm->shared.bytes);
	info->write_back_bytes = atomic_load(&vm->td.returned_bytes);
	info->quarantined_bytes = atomic_load(&vm->td.quarantined_bytes);
	if (atomic_load(&vm->teardown) == TEARDOWN_NONE) {
		info->private_bytes =
			sept_present_bytes(&vm->td.sept) + atomic_load(&vm->td.returned_bytes);
		info->hkid = vm->td.hkid;
	} else if (atomic_load(&vm->teardown) != TEARDOWN_RECLAIM) {
		info->dying_percent = 100;
	} else if (total != 0) { /* somebody has begun to reclaim */
		info->dying_percent =
			(unsigned)(atomic_load(&vm->td.teardown_done) * 100 / total);
	}
}

static void snapshot(struct vm *vm, struct vm_info *info)
{
	*info = (struct vm_info){
		.state = vm->state,
		.vcpus = vm->config.vcpus,
		.memory = vm->config.memory,
		.has_mrtd = vm->has_mrtd,
		.seamcalls = atomic_load(&vm->td.seamcalls),
		.page_wbinvds = atomic_load(&vm->td.page_wbinvds),
		.wbinvds = atomic_load(&vm->td.wbinvds),
		.create_seamcalls = vm->create_seamcalls,
	};
	(void)string_copy(info->name, sizeof(info->name), vm->config.name);
	memcpy(info->mrtd, vm->mrtd, sizeof(info->mrtd));
	if (atomic_load(&vm->end.state) != VM_CREATED)
		(void)string_copy(info->reason, sizeof(info->reason), vm->end.reason);
	for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
		for (unsigned i = 0; i < vm->vcpu_count; i++)
			info->exits_by_kind[kind] += vm->vcpus[i]->exits[kind];
		info->exits += info->exits_by_kind[kind];
	}
	fill_memory(vm, info);
}

bool vm_nth(unsigned place, struct vm_info *out)
{
	struct vm *vm = registry_first();

	while (vm != NULL && place-- > 0)
		vm = vm->next;
	if (vm != NULL)
		snapshot(vm, out);
	return vm != NULL;
}

enum status vm_get(const char *name, struct vm_info *out)
{
	struct vm *vm = registry_find(name);

	if (vm == NULL)
		return STATUS_NOT_FOUND;
	snapshot(vm, out);
	return STATUS_OK;
}

bool vm_vcpu(const char *name, unsigned index, struct vcpu_info *out)
{
	static const char *const states[] = {
		[VCPU_RUNNABLE] = "runnable",
		[VCPU_HALTED] = "halted",
		[VCPU_DEAF] = "deaf",
		[VCPU_STOPPED] = "stopped",
	};
	const struct vm *vm = registry_find(name);
	const struct vcpu *v;

	if (vm == NULL || index >= vm->vcpu_count)
		return false;
	v = vm->vcpus[index];
	*out = (struct vcpu_info){
		.cpu = v->cpu,
		.state = states[atomic_load(&v->run)],
	};
	for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++)
		out->exits += v->exits[kind];
	return true;
}
