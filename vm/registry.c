/* SPDX-License-Identifier: MIT */
#include "vm/registry.h"

#include <stddef.h>

#include "core/string.h"
#include "mm/heap.h"
#include "vm/background.h"
#include "vm/console.h"

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

unsigned registry_count(void)
{
	unsigned n = 0;

	for (const struct vm *vm = first; vm != NULL; vm = vm->next)
		n++;
	return n;
}

void registry_add(struct vm *vm)
{
	struct vm **link = &first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = vm;
	background_add(vm);
}

void vm_free(struct vm *vm)
{
	for (unsigned i = 0; i < TD_MAX_VCPUS; i++)
		heap_free(vm->vcpus[i]);
	heap_free(vm);
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
		*link = vm->next;
		background_remove(vm);
		console_forget(vm);
		vm_free(vm);
	}
}
