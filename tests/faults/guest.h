/* SPDX-License-Identifier: MIT */
/* The machine of the scenarios: 4 CPUs in 2 packages, and two TDs that people could run. */
#pragma once

#include <stdbool.h>

#include "vm/object.h"
#include "vm/vm.h"

#define GUEST_CPUS 4U

/* RAM, CPUs, a freshly loaded module, a kernel as boot module; vm_init() follows bring-up. */
void guest_machine(void);
void guest_vm_init(void);

/* "web", with a guest that does everything once; "other", which only runs. */
const struct td_config *guest_config(const char *name);

struct vm *guest_find(const char *name);

/* web's guest starts anew. */
void guest_restart(void);

/* Did web's guest get to the end of what it does? */
bool guest_is_done(void);

/* Every CPU's loop goes round once; `after`, if any, is called after each CPU's turn. */
void guest_round(void (*after)(void));
