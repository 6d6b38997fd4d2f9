/* SPDX-License-Identifier: MIT */
/* What a TD starts from: its files, their digests, the measured pages (design §6, route A). */
#pragma once

#include "vm/object.h"

/* Remembers where the boot modules are. */
void launch_init(const struct boot_info *bi);

/* Are the files here and whole? If not, one line in *why: which file, what was expected. */
MUST_CHECK enum status launch_check(const struct td_config *config, struct vm_error *why);

/* After launch_check(): maps the files, adds and extends the measured pages. The TD owns
 * vm->cmdline afterwards. One call at a time. */
MUST_CHECK enum status launch_load(struct vm *vm);
