/* SPDX-License-Identifier: MIT */
/*
 * Five-level nested page tables. Levels are counted like Secure-EPT levels:
 * 0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB, 3 and 4 = tables only.
 *
 * Entries may be edited while other CPUs walk them; callers serialise editors.
 * Tables are freed only by npt_clear(), when no CPU can be inside any more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NPT_PRESENT   UINT64_C(0x1)
#define NPT_WRITE     UINT64_C(0x2)
#define NPT_USER      UINT64_C(0x4) /* TCG refuses nested entries without it */
#define NPT_LARGE     UINT64_C(0x80)
#define NPT_RWX       (NPT_PRESENT | NPT_WRITE | NPT_USER)
#define NPT_READ_ONLY (NPT_PRESENT | NPT_USER)
#define NPT_NO_EXEC   (UINT64_C(1) << 63)
#define NPT_ADDR      UINT64_C(0x000ffffffffff000)

/* Software bits of entries that are not present. */
#define NPT_MODULE UINT64_C(0x200) /* belongs to the TDX module */
#define NPT_EMU    UINT64_C(0x400) /* belongs to the emulator */

struct npt {
	uint64_t *root;
};

static inline uint64_t npt_size(unsigned level) { return UINT64_C(1) << (12 + 9 * level); }

bool npt_init(struct npt *npt);

/*
 * Writes the entry of `gpa` at `level`; larger entries on the way are split
 * into equal smaller ones, tables below it are left to npt_clear() of their
 * owner. False when the pool is empty.
 */
bool npt_set(struct npt *npt, uint64_t gpa, unsigned level, uint64_t entry);

/* npt_set() for [gpa, gpa + size) with the largest pages; `entry` is advanced if present. */
bool npt_set_range(struct npt *npt, uint64_t gpa, uint64_t size, uint64_t entry);

/* The deepest entry on the way to `gpa` and its level. */
uint64_t npt_lookup(const struct npt *npt, uint64_t gpa, unsigned *level);

/* Makes [gpa, gpa + size) not present, larger entries that overlap it included. */
void npt_drop_range(struct npt *npt, uint64_t gpa, uint64_t size);

/* Frees all tables below the root. */
void npt_clear(struct npt *npt);
