/* SPDX-License-Identifier: MIT */
/*
 * What Secure EPT and GPA map of a TD look like, for people and tests. Read while the TD runs:
 * each figure was true at some moment, not all at the same. Not during its teardown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tdx/td.h"

/* Why private memory is mapped in 4K pages: seen in the entries of its 2M, not remembered. */
enum td_small_reason {
	TD_SMALL_MEASURED, /* the measured build adds 4K pages only */
	TD_SMALL_SHARED,   /* some of its 2M is shared */
	TD_SMALL_CHANGING, /* blocked or claimed: a conversion or a split is under way */
	TD_SMALL_ABSENT,   /* some of its 2M has no page */
	TD_SMALL_SPLIT,    /* one 2M frame, split: the guest accepted, or converted, 4K of it */
	TD_SMALL_FRAMES,   /* frames of several 2M: host memory was, or is, in pieces */
};

const char *td_small_reason_text(enum td_small_reason reason);

/* 4K pages of neighbouring 2M, all for one reason. */
struct td_small_run {
	gpa_t from, to; /* 2M multiples */
	uint64_t pages;
	enum td_small_reason reason;
};

/*
 * The first such run at or above *at, 2M aligned; *at moves behind what was looked at. False
 * when there is none in it. A call looks at a bounded part: go on until params.ram_high_end; of
 * a run longer than that the rest is the next run.
 */
bool td_next_small_run(const struct td *td, gpa_t *at, struct td_small_run *run);

/* RAM of one kind. */
struct td_gpa_run {
	gpa_t from, to;
	enum gpa_kind kind;
};

/* The run that holds `at` or, if that is no RAM, the next above; false when there is none. */
bool td_next_gpa_run(const struct td *td, gpa_t at, struct td_gpa_run *run);
