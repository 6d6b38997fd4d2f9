/* SPDX-License-Identifier: MIT */
/* What is done to the module while one of its answers is a fault. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How long the fault lasts. */
enum fault_mode {
	FAULT_ONCE,    /* one call */
	FAULT_PASSING, /* every call until an operation has failed */
	FAULT_LASTING, /* every call until all was tried, teardown included */
	FAULT_MODES,
};

/* What came of one case; beside it, test_fail() was called for every broken promise. */
struct outcome {
	bool is_complete;     /* every step came to its end, as without the fault */
	uint64_t quarantined; /* bytes */
	unsigned lost;        /* KeyIDs */
};

struct scenario {
	const char *name;
	const char *wrappers; /* those whose names begin so; "" = all */
	unsigned places;      /* at most so many of a site's calls: first, last, one between */
	/* Once, nothing armed: cases are forked from what it leaves. */
	void (*prepare)(void);
	/* One case, up to the end of every TD; the fault is armed before. */
	struct outcome (*run)(enum fault_mode mode);
};

extern const struct scenario scenario_bring_up; /* the module, from its loading to ready */
extern const struct scenario scenario_td;       /* a TD as mechanism, step by step */
extern const struct scenario scenario_vm;       /* a TD as people run it, its guest active */
