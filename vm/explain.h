/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/compiler.h"
#include "core/status.h"
#include "vm/vm.h"

/* Leaves the line in *why and returns `s`. */
enum status explain(struct vm_error *why, enum status s, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
