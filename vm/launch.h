/* SPDX-License-Identifier: MIT */
/* What a TD starts from: its files, their digests, the measured pages (design §6, route A). */
#pragma once

#include "vm/object.h"

/* Remembers where the boot modules are. */
void launch_init(const struct boot_info *bi);

struct launch {
	const struct boot_module *kernel;
	const struct boot_module *initrd; /* NULL = none */
};

/* Finds and checks the files. On failure one line in *why: which file, what was expected. */
MUST_CHECK enum status launch_find(const struct td_config *config, struct launch *l,
				   struct vm_error *why);

/* Maps the files, adds and extends the measured pages. The TD owns vm->cmdline afterwards. */
MUST_CHECK enum status launch_load(struct vm *vm, const struct launch *l, struct vm_error *why);
