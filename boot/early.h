/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The first thing in C on the BSP: exceptions work, this_cpu() is 0, the log goes to
 * COM1 until the configuration says otherwise.
 */
void early_init(void);
