/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/boot_info.h"
#include "mgmt/config.h"

/*
 * Takes the UART's input and prints the prompt; registers its poll with the BSP's loop, and
 * itself as the log's sink, so that log lines and the edited line do not mix. Autostart
 * begins with the first poll. Keeps both pointers.
 */
void shell_init(const struct boot_info *bi, const struct config *config);
