/* SPDX-License-Identifier: MIT */
#include "tests/random/ops.h"

#include "tests/random/tenant.h"

uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t rng_below(struct rng *r, uint32_t bound)
{
	return (uint32_t)((rng_next(r) >> 32) * bound >> 32);
}

const char *op_words(unsigned kind)
{
	static const char *const words[OP_KINDS] = {
#define X(name, text) [OP_##name] = (text),
		OP_LIST(X)
#undef X
	};

	return kind < OP_KINDS ? words[kind] : "?";
}

/* How far a TD has probably come when an operation is reached. */
enum guess { GUESS_NONE, GUESS_EMPTY, GUESS_BUILDING, GUESS_LIVE, GUESS_DYING, GUESSES };

struct weight {
	uint8_t kind, weight;
};

#define WEIGHTS_MAX 16

/* What is done to a TD in each stage, and to the machine at any time. */
static const struct weight weights[GUESSES + 1][WEIGHTS_MAX] = {
	[GUESS_NONE] = {{OP_CREATE, 100}, {OP_RECLAIM, 1}},
	/* Without a vCPU. */
	[GUESS_EMPTY] = {{OP_ADD_VCPU, 60},
			 {OP_ADD_MEASURED, 20},
			 {OP_POPULATE, 20},
			 {OP_FINALIZE, 1},
			 {OP_RELEASE, 2}},
	[GUESS_BUILDING] = {{OP_ADD_VCPU, 30},
			    {OP_ADD_MEASURED, 25},
			    {OP_POPULATE, 20},
			    {OP_FAULT, 3},
			    {OP_PEEK, 2},
			    {OP_FINALIZE, 16},
			    {OP_FLUSH, 2},
			    {OP_RELEASE, 2}},
	[GUESS_LIVE] = {{OP_RUN, 90},
			{OP_FAULT, 14},
			{OP_POPULATE, 10},
			{OP_CONVERT, 22},
			{OP_BEGIN, 8},
			{OP_COMMIT, 10},
			{OP_CANCEL, 6},
			{OP_MARK_PRIVATE, 16},
			{OP_DROP_TABLES, 6},
			{OP_PROMOTE, 14},
			{OP_PROMOTE_HALF, 3},
			{OP_PROMOTE_GIB, 8},
			{OP_WRITE_BACK, 6},
			{OP_FLUSH, 14},
			{OP_PEEK, 6},
			{OP_RELEASE, 1}},
	[GUESS_DYING] = {{OP_RECLAIM, 40}, {OP_RELEASE, 4}, {OP_RUN, 1}, {OP_CONVERT, 1}},
	[GUESSES] = {{OP_HOG, 4},
		     {OP_UNHOG, 6},
		     {OP_INJECT, 40},
		     {OP_ENTROPY, 3},
		     {OP_INTERRUPTS, 4},
		     {OP_NO_HEAP, 4},
		     {OP_OVERLAP, 60}},
};

static unsigned choose(struct rng *r, const struct weight *row)
{
	uint32_t sum = 0;
	uint32_t at;

	for (unsigned i = 0; i < WEIGHTS_MAX; i++)
		sum += row[i].weight;
	at = rng_below(r, sum);
	for (; at >= row->weight; row++)
		at -= row->weight;
	return row->kind;
}

static enum guess next_guess(struct rng *r, enum guess now, unsigned kind)
{
	switch (kind) {
	case OP_CREATE:
		return now == GUESS_NONE ? GUESS_EMPTY : now;
	case OP_ADD_VCPU:
		return now == GUESS_EMPTY ? GUESS_BUILDING : now;
	case OP_FINALIZE:
		return now == GUESS_BUILDING ? GUESS_LIVE : now;
	case OP_RELEASE:
		return now == GUESS_NONE ? now : GUESS_DYING;
	case OP_RECLAIM:
		return now == GUESS_DYING && rng_below(r, 6) == 0 ? GUESS_NONE : now;
	default:
		return now;
	}
}

void ops_generate(struct op *ops, uint32_t count, uint64_t seed)
{
	enum guess guess[TENANTS] = {GUESS_NONE};
	struct rng r = {seed};

	for (uint32_t i = 0; i < count; i++) {
		unsigned td = rng_below(&r, TENANTS);
		bool is_global = rng_below(&r, 8) == 0;
		unsigned kind = choose(&r, weights[is_global ? GUESSES : guess[td]]);

		guess[td] = next_guess(&r, guess[td], kind);
		ops[i] = (struct op){
			.kind = (uint8_t)kind,
			.cpu = (uint8_t)rng_below(&r, 256),
			.td = (uint8_t)td,
			.vcpu = (uint8_t)rng_below(&r, 256),
			.a = (uint32_t)rng_next(&r),
			.b = (uint32_t)rng_next(&r),
			.c = (uint32_t)rng_next(&r),
		};
	}
}
