/* SPDX-License-Identifier: MIT */
/*
 * The machine on which recorded conversations are replayed: the platform of a
 * trace's header, sparse memory, and the events that a trace injects.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/model/tdx_model.h"

struct msr_override {
	unsigned lp;
	uint32_t msr;
	uint64_t value;
};

struct cpuid_override {
	uint32_t leaf, subleaf; /* UINT32_MAX: any */
	uint32_t regs[4];
};

struct interrupt_plan {
	uint64_t after;
	int64_t times; /* -1: for ever */
	bool blocked;  /* RFLAGS.IF is 0 */
};

struct machine {
	struct tdx_platform platform;
	uint32_t cpu_fms;
	uint64_t memory_size;
	uint32_t cpuid_allowed[16][6]; /* header lines: leaf, sub-leaf, four masks */
	unsigned cpuid_allowed_count;

	uint8_t *memory;
	uint8_t *beyond; /* one page for addresses that no machine has */
	uint64_t tsc, random;
	struct interrupt_plan interrupts[TDX_MODEL_MAX_LPS];
	unsigned pconfig_code;
	uint64_t pconfig_failures, rdrand_failures, rdseed_failures;
	struct msr_override *msr;
	unsigned msr_count;
	struct cpuid_override *cpuid;
	unsigned cpuid_count;

	/* Called at every callback of the model with the LP, if known, or -1. */
	void (*tick)(void *ctx);
	void (*run_guest)(void *ctx, unsigned lp, struct tdx_vcpu_view *vcpu,
			  struct tdx_exit *exit);
	void *ctx;
};

/* Empty memory and no events; the platform stays. */
void machine_reset(struct machine *machine);
void machine_free(struct machine *machine);
/* The callbacks for tdx_model_init(). */
struct tdx_machine machine_callbacks(struct machine *machine);
uint8_t *machine_memory(struct machine *machine, uint64_t hpa);
void machine_set_msr(struct machine *machine, unsigned lp, uint32_t msr, uint64_t value);
void machine_set_cpuid(struct machine *machine, const struct cpuid_override *override);
/* 8 bytes of "pattern(size, seed)" at each step of the generator. */
uint64_t pattern_next(uint64_t *state);
