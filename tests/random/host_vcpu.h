/* SPDX-License-Identifier: MIT */
/* Operations on vCPUs, and pages that they all use. */
#pragma once

#include "core/addr.h"
#include "tests/random/ops.h"
#include "tests/random/tenant.h"

hpa_t host_pid_page(void);
hpa_t host_shared_ept(void);

/* Enters a vCPU a few times and handles what it exits for. */
void host_run_vcpu(struct tenant *t, const struct op *op);
/* The same, of a guest that first accepts the GiB of high RAM. */
void host_accept_gib(struct tenant *t, const struct op *op);

void host_flush_vcpu(struct tenant *t, const struct op *op);

/* Reads what the module says about TD and vCPU; pends an NMI. */
void host_peek(struct tenant *t, const struct op *op);
