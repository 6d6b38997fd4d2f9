/* SPDX-License-Identifier: MIT */
/* The operations: what the host does to its TDs, and what it expects of tdx/ in return. */
#pragma once

#include "tests/random/ops.h"
#include "tests/random/tenant.h"

/* After hosted_start_ready(): the pages that all TDs share with the host. */
void host_init(void);

/* One operation, as the calling thread's present LP. */
void host_do(const struct op *op);

/* Ends the TD, however far it has come: key, pages, books. Alone. */
void host_destroy(struct tenant *t);

/* Gives all memory back that HOG took. */
void host_unhog(void);
uint64_t host_hog_bytes(void);
/* Bytes that host_init() took. */
uint64_t host_shared_bytes(void);
