/* SPDX-License-Identifier: MIT */
/*
 * Private to shared and back. Each conversion holds the TD's convert token, which is waited
 * for while draining this CPU's mailbox; call with interrupts on and no lock held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vm/object.h"

/* One MapGPA converts at most this much before it answers RETRY. */
#define CONVERT_CHUNK (UINT64_C(16) << 20)

/*
 * Converts [at, at+size), 4K multiples below the shared bit, as far as one call goes; *done
 * bytes are as wanted, also on failure. What is no RAM counts as converted. STATUS_BUSY:
 * call again for the rest. STATUS_NO_MEMORY: the rest is private still.
 */
MUST_CHECK enum status convert_range(struct vm *vm, uint64_t at, uint64_t size, bool to_shared,
				     uint64_t *done);

/*
 * Makes one page of what is split in the 2M or 1G region of private RAM. STATUS_OK: done.
 * STATUS_BUSY: not yet, or a conversion is under way. Else not as it is.
 */
MUST_CHECK enum status convert_promote(struct vm *vm, uint64_t region, enum page_level level);

/* A vCPU met nothing at shared GPA `at`. STATUS_BAD_ARG: nothing belongs there. */
MUST_CHECK enum status convert_shared_fault(struct vm *vm, uint64_t at);
