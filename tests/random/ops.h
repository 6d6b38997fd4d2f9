/* SPDX-License-Identifier: MIT */
/* The list of operations that one seed stands for. */
#pragma once

#include <stdint.h>

/* Kind, and what it does in words. */
/* clang-format off */
#define OP_LIST(X)                                                                             \
	X(CREATE, "creates")                                                                   \
	X(ADD_VCPU, "adds a vCPU to")                                                          \
	X(ADD_MEASURED, "adds measured pages to")                                              \
	X(FINALIZE, "finalizes")                                                               \
	X(POPULATE, "populates")                                                               \
	X(RUN, "runs a vCPU of")                                                               \
	X(FAULT, "resolves a fault of")                                                        \
	X(CONVERT, "converts to shared in")                                                    \
	X(BEGIN, "begins an unmap in")                                                         \
	X(COMMIT, "commits the unmap of")                                                      \
	X(CANCEL, "cancels the unmap of")                                                      \
	X(MARK_PRIVATE, "makes private again in")                                              \
	X(DROP_TABLES, "drops empty tables of")                                                \
	X(PROMOTE, "promotes in")                                                              \
	X(PROMOTE_HALF, "begins to promote in")                                                \
	X(PROMOTE_GIB, "makes a page of 1G in")                                                \
	X(WRITE_BACK, "writes back for")                                                       \
	X(FLUSH, "flushes a vCPU of")                                                          \
	X(PEEK, "reads metadata of")                                                           \
	X(RELEASE, "releases the KeyID of")                                                    \
	X(RECLAIM, "reclaims pages of")                                                        \
	X(HOG, "takes and fragments host memory")                                              \
	X(UNHOG, "gives host memory back")                                                     \
	X(INJECT, "makes coming SEAMCALLs fail")                                               \
	X(ENTROPY, "lets entropy run out")                                                     \
	X(INTERRUPTS, "has interrupts pending")                                                \
	X(NO_HEAP, "lets an allocation of the next operation fail")                            \
	X(OVERLAP, "runs the next operation inside the one after it")
/* clang-format on */

enum op_kind {
#define X(name, words) OP_##name,
	OP_LIST(X)
#undef X
		OP_KINDS
};

/*
 * `a`, `b`, `c` are random: what they choose among depends on the state in which the operation
 * finds the machine. What comes too early or too late in a TD's life is replaced by its next
 * step.
 */
struct op {
	uint8_t kind, cpu, td, vcpu;
	uint32_t a, b, c;
};

/* SplitMix64. */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* Below `bound`, which is not 0. */
uint32_t rng_below(struct rng *r, uint32_t bound);

/* Fills `ops`: the same seed and count give the same list. */
void ops_generate(struct op *ops, uint32_t count, uint64_t seed);

const char *op_words(unsigned kind);
