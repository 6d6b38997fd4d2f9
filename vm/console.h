/* SPDX-License-Identifier: MIT */
/* Which TD's console is attached. BSP only; vm/vm.h has the operator's side. */
#pragma once

#include "vm/object.h"

/* Shows what the attached TD printed since the last call, at most a ring full. */
void console_flush(void);

/* Detaches the TD if it is the attached one. */
void console_forget(const struct vm *vm);
