/* SPDX-License-Identifier: MIT */
/* Between core/panic_hw.c and the exception handlers. */
#pragma once

#include <stdbool.h>

struct trap_frame;

/* As panic(), with the registers of the trap. */
_Noreturn void panic_trap(const struct trap_frame *f, const char *what);

/* Is some CPU panicking and are the others to stop? */
bool panic_is_stopping(void);

/* Never returns unless this is the panicking CPU. */
void panic_stop_this_cpu(void);
