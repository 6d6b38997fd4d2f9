/* SPDX-License-Identifier: MIT */
#include "vm/registry.h"

#include <stddef.h>

#include "core/string.h"
#include "mm/heap.h"
#include "vm/background.h"
#include "vm/console.h"

/* Held to change the links and by who is not the BSP to follow them. */
static struct spinlock lock;
static struct vm *first;

struct vm *registry_first(void) { return first; }

struct vm *registry_find(const char *name)
{
	for (struct vm *vm = first; vm != NULL; vm = vm->next) {
		if (strcmp(vm->config.name, name) == 0)
			return vm;
	}
	return NULL;
}

void registry_add(struct vm *vm)
{
	struct vm **link = &first;

	while (*link != NULL)
		link = &(*link)->next;
	spin_lock(&lock);
	*link = vm;
	spin_unlock(&lock);
}

/* The one before is let go last: until then the BSP frees neither it nor what follows it. */
struct vm *registry_hold_next(struct vm *vm)
{
	struct vm *next;

	spin_lock(&lock);
	next = vm != NULL ? vm->next : first;
	if (next != NULL)
		atomic_fetch_add(&next->users, 1);
	spin_unlock(&lock);
	if (vm != NULL)
		registry_release(vm);
	return next;
}

void registry_release(struct vm *vm) { atomic_fetch_sub(&vm->users, 1); }

void vm_free(struct vm *vm)
{
	for (unsigned i = 0; i < TD_MAX_VCPUS; i++)
		heap_free(vm->vcpus[i], sizeof(*vm->vcpus[i]));
	heap_free(vm, sizeof(*vm));
}

void registry_free_dead(void)
{
	struct vm **link = &first;

	while (*link != NULL) {
		struct vm *vm = *link;

		if (vm->state != VM_DYING || atomic_load(&vm->teardown) != TEARDOWN_DONE) {
			link = &vm->next;
			continue;
		}
		spin_lock(&lock);
		*link = vm->next;
		spin_unlock(&lock);
		background_settle(vm);
		console_forget(vm);
		vm_free(vm);
	}
}
