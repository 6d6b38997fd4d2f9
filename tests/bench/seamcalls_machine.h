/* SPDX-License-Identifier: MIT */
/*
 * The machine whose calls are counted: model, tdx/ and vm/ in one process, each CPU's loop a
 * thread. A guest's vCPU 0 does as it is told; the others stay inside until they are kicked,
 * as vCPUs of a busy TD do.
 */
#pragma once

#include <stdint.h>

#include "vm/vm.h"

#define BENCH_CPUS 4U

#define BENCH_LEAVES 128U

/* What happened so far, or between two moments. */
struct counts {
	uint64_t leaf[BENCH_LEAVES]; /* SEAMCALLs, refused and repeated ones included */
	uint64_t reclaims_of_cpu[BENCH_CPUS]; /* TDH.PHYMEM.PAGE.RECLAIM */
	uint64_t broadcasts;     /* rounds that reach every CPU of a TD, or every CPU */
	uint64_t private_faults; /* TD exits by EPT violations on private GPAs */
	uint64_t flushed_lines;  /* CLFLUSHes */
	uint64_t wbinvds;        /* WBINVDs, each on one package */
};

struct counts counts_now(void);
struct counts counts_since(const struct counts *before);

/* All leaves but VP.ENTER and TDMR.INIT, which is idle work for no TD. */
uint64_t counts_calls(const struct counts *c);

/* Leaves that bring memory: PAGE.ADD, PAGE.AUG, SEPT.ADD. */
uint64_t counts_memory(const struct counts *c);

/* A fresh machine of `ram` bytes, ready; waits until `td_memory` of it is usable for TDs. */
void bench_machine(uint64_t ram, uint64_t td_memory);

/* SEAMCALLs until a machine of `ram` bytes is ready; UINT64_MAX when they are beyond all
 * bounds. */
uint64_t bench_ready_calls(uint64_t ram);

/* Each returns what it cost. A failure ends the program. */
struct counts bench_create(const char *name, uint64_t memory, unsigned vcpus);
struct counts bench_destroy(const char *name); /* with all of its pages, by this CPU */

/* The same, its pages by all CPUs at once. */
struct counts bench_destroy_by_all(const char *name);

/* Starts a TD that bench_create() made. */
void bench_start(const char *name);

/* vCPU 0 of the started TD `name` accepts [at, at+size), at 4K if `by_4k`, else 2M where
 * possible. */
struct counts bench_accept(const char *name, uint64_t at, uint64_t size, bool by_4k);

/* vCPU 0 of `name` calls MapGPA until all of the range is converted. */
struct counts bench_map_gpa(const char *name, uint64_t at, uint64_t size, bool to_shared);

/* Takes private memory from a started TD that no CPU runs; nothing is written back meanwhile.
 */
void bench_unmap(const char *name, uint64_t at, uint64_t size);

/* The host uses all free memory, and frees it again. */
void bench_use_memory(void);

/* Lets idle CPUs do all that is to do for no TD. */
struct counts bench_idle(void);

/* Lets idle CPUs go round until no frame waits for its write-back. */
void bench_write_back(const char *name);

/* Some seconds go by, and idle CPUs promote what has been accepted. */
struct counts bench_pass_time(void);
