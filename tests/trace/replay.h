/* SPDX-License-Identifier: MIT */
/* The replayer: a trace file against the model. */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/model/tdx_model.h"
#include "tests/trace/machine.h"
#include "tests/trace/text.h"

/* What a replay compares: 1 = RAX, 2 = listed registers too, 3 = unlisted ones too. */
#define LEVEL_STRICTEST 3

/* A guest block that is open on one LP. */
struct block {
	bool open;
	bool first;                  /* the entry line is still to be compared */
	size_t expected;             /* line of the guest action whose result comes next */
	uint64_t gpr[TDX_GPR_COUNT]; /* as the guest set them for that action */
};

/* "Run these lines when the call on this LP has come so far." */
struct trigger {
	bool armed, counting;
	unsigned long count, at;
	size_t from, to; /* lines */
};

struct replay {
	const char *path;
	struct text text;
	int level;
	struct machine machine;
	struct tdx_model *model;
	size_t at; /* line */
	struct block block[TDX_MODEL_MAX_LPS];
	struct trigger trigger;
	bool lenient_values; /* tag guest-instr: CPUID and MSR values are the CPU's */
	unsigned long not_compared;
	bool quiet;
	jmp_buf failed;
};

enum outcome {
	PASSED,
	FAILED,
	SKIPPED,
};

/* Replays one .trace file. */
enum outcome replay_trace(struct replay *replay, const char *path);
/* Replays mrtd.txt; counts its cases. */
void replay_mrtd(struct replay *replay, const char *path, unsigned outcomes[3]);
/* Checks sysrd.txt; one outcome per platform. */
void replay_sysrd(struct replay *replay, const char *path, unsigned outcomes[3]);

/* ---- shared by the three -------------------------------------------------- */

/* Takes a "platform", "cmr", "seamrr", "cpuid_config" or "module" line; false: another. */
bool header_line(struct machine *machine, const struct line *line);
/* Empty memory, a freshly loaded module. */
void replay_reset(struct replay *replay);
/* One SEAMCALL from outside any trace line: RAX in and out as in `regs`. */
uint64_t replay_call(struct replay *replay, unsigned lp, unsigned leaf, struct tdx_regs *regs);
void replay_free(struct replay *replay);
