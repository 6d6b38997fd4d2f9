/* SPDX-License-Identifier: MIT */
#pragma once

#include "tests/random/run.h"

/*
 * Looks for a short part of the first `count` operations that still fails in one thread, tells
 * it in words, and how to run it again with `program`.
 */
void shrink(const struct run_options *options, const struct op *ops, uint32_t count,
	    const char *program);

/* Ends a child process without the parent's exit handlers. */
_Noreturn void shrink_exit(int code);
