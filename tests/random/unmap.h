/* SPDX-License-Identifier: MIT */
/* Operations that make private memory shared and back, and promote it, as a hypervisor above
 * tdx/ does it. */
#pragma once

#include "tests/random/ops.h"
#include "tests/random/tenant.h"

/* Both halves with vCPUs kicked in between; only the first; only the second; the way back. */
void unmap_convert(struct tenant *t, const struct op *op);
void unmap_begin(struct tenant *t, const struct op *op);
void unmap_commit(struct tenant *t, const struct op *op);
void unmap_cancel(struct tenant *t, const struct op *op);
void unmap_mark_private(struct tenant *t, const struct op *op);
void unmap_drop_tables(struct tenant *t, const struct op *op);

/* A region of 2M: both halves of its promotion; only the first. A whole GiB. */
void unmap_promote(struct tenant *t, const struct op *op);
void unmap_promote_half(struct tenant *t, const struct op *op);
void unmap_promote_gib(struct tenant *t, const struct op *op);

/* The same for a range that a guest names. */
void unmap_to_shared(struct tenant *t, gpa_t at, uint64_t size);
void unmap_to_private(struct tenant *t, gpa_t at, uint64_t size);
