/* SPDX-License-Identifier: MIT */
/* Private KeyIDs: the module's own and the pool for TDs. Private to tdx/. */
#pragma once

#include <stdint.h>

#include "core/addr.h"
#include "core/status.h"

#define KEYID_MAX 2048

/*
 * `count` private KeyIDs, 1 at least, from `first`; the first one is the module's (global), the
 * others are for TDs. `shift`: where KeyIDs start in a physical address.
 */
void keyid_init(uint16_t first, uint16_t count, unsigned shift);

uint16_t keyid_global(void);

/* How many there are for TDs. */
unsigned keyid_count(void);

/* STATUS_NO_KEYID when all are in use. */
MUST_CHECK enum status keyid_alloc(uint16_t *out);
void keyid_free(uint16_t keyid);

/* `at` as seen through `keyid`: the operand of PHYMEM.PAGE.WBINVD. */
uint64_t keyid_address(hpa_t at, uint16_t keyid);
