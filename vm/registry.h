/* SPDX-License-Identifier: MIT */
/* The TDs there are, in order of creation. BSP only. */
#pragma once

#include "vm/object.h"

/* TDs at a time, the dying ones included. */
#define VM_MAX 64

struct vm *registry_first(void);
struct vm *registry_find(const char *name);
unsigned registry_count(void);
void registry_add(struct vm *vm);

/* Frees every TD whose destruction was asked for and of which the module has nothing left. */
void registry_free_dead(void);

/* Frees a TD object that is in no list. */
void vm_free(struct vm *vm);
