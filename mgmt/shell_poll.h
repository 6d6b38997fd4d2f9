/* SPDX-License-Identifier: MIT */
/* shell_init() in two halves, so that tests can give other operations and poll by hand. */
#pragma once

#include "mgmt/cmd.h"

/* Prints the prompt and takes the log's sink; nothing else happens before shell_poll(). */
void shell_start(const struct cmd_ops *ops, const struct boot_info *bi,
		 const struct config *config);

/* One round: never blocks, but for the command that is executed. */
void shell_poll(void);
