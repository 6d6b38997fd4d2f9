/* SPDX-License-Identifier: MIT */
/* The TDs there are, in order of creation. BSP only, unless stated otherwise. */
#pragma once

#include "vm/object.h"

struct vm *registry_first(void);
struct vm *registry_find(const char *name);
void registry_add(struct vm *vm);

/*
 * Any CPU: the TD after `vm`, the first one after NULL, or NULL. It stays until it is released;
 * `vm` is released here.
 */
struct vm *registry_hold_next(struct vm *vm);
void registry_release(struct vm *vm);

/* Frees every TD whose destruction was asked for and of which the module has nothing left. */
void registry_free_dead(void);

/* Frees a TD object that is in no list. */
void vm_free(struct vm *vm);
