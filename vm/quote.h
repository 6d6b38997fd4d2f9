/* SPDX-License-Identifier: MIT */
/* GetQuote on a host without a quoting service. */
#pragma once

#include <stdint.h>

#include "vm/shared_mem.h"

/*
 * Answers the request in the shared buffer [at, at+size) with "service unavailable", as the
 * GHCI lays the buffer out. Returns what goes into R10.
 */
uint64_t quote_refuse(struct shared_mem *mem, uint64_t at, uint64_t size);
