/* SPDX-License-Identifier: MIT */
/* One TD on the hosted machine, at the level of tdx/: no vm/ around it. */
#pragma once

#include "tdx/td.h"
#include "tests/hosted/hosted.h"

#define PLAIN_TD_VCPUS 4U

/* The TD of the tests that include this. */
extern struct td td;
extern struct td_vcpu vcpus[PLAIN_TD_VCPUS];
extern hpa_t shared; /* four frames: PID, shared EPT root, source page, one to spare */

/* The machine, and the host's frames. */
void ready(void);
void ready_with(const struct hosted_config *config);

/* With RAM at [0, ram). */
struct td_params plain_params(uint64_t ram);

/* The steps of a creation; the first forgets the TD before. */
enum status create_td(uint64_t ram);
enum status create_vcpu(unsigned i);
enum status measure(uint64_t at);

/* All of them: `count` vCPUs, one measured page, finalized. */
void create_finalized(uint64_t ram, unsigned count);

/* KeyID first, then all pages, of which none is lost sight of. */
void destroy(void);
