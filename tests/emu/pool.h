/* SPDX-License-Identifier: MIT */
/* Pages of the emulator's own memory. All of it is identity mapped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/emu/boot_args.h"

void pool_init(uint64_t base, uint64_t end);

/* Zeroed, page-aligned memory that is never given back; dies when there is none. */
void *pool_alloc(size_t bytes);

/* One zeroed page, or NULL. */
void *pool_page_get(void);
void pool_page_put(void *page);

/* Bytes handed out so far, free pages included. */
uint64_t pool_used(void);
