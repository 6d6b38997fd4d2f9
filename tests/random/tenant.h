/* SPDX-License-Identifier: MIT */
/*
 * The TDs of the random operations: struct td, and what the test knows of each without asking
 * tdx/ or the module: which pages are shared, and what its guest wrote to which page.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/spinlock.h"
#include "tdx/td.h"

#define TENANTS        6U
#define MAX_VCPUS      4U
#define LOW_PAGES_MAX  (12U * 512)
#define HIGH_PAGES_MAX (2U * 512)
#define GIB_PAGES      (512U * 512) /* the high RAM of a TD that can have a page of 1G */

enum stage { STAGE_NONE, STAGE_BUILDING, STAGE_LIVE, STAGE_DYING };

/* What the guest knows of a page of its RAM. */
enum guest_page_state {
	PAGE_UNACCEPTED,
	PAGE_ACCEPTING, /* `value` tells by which TDCALL */
	PAGE_OWNED,     /* holds `value` at `offset` */
	PAGE_UNKNOWN,   /* given up, and taken back half way: accepted or not */
};

struct guest_page {
	uint64_t value;
	uint16_t offset;
	uint8_t state; /* enum guest_page_state */
	bool is_shared;
};

/* What a vCPU executes when it is next entered. */
enum instruction { INSN_NONE, INSN_ACCEPT, INSN_TOUCH, INSN_VEINFO, INSN_VMCALL };

struct guest_vcpu {
	atomic_flag is_entered; /* by one LP at a time */
	atomic_bool is_inside;  /* between VP.ENTER and its return */
	atomic_uint exits;
	uint8_t instruction; /* enum instruction */
	uint8_t level;
	bool is_write;
	bool is_own; /* a touch of what the guest owned when it faulted */
	uint32_t page;
	uint64_t token;  /* of the pages being accepted */
	unsigned faults; /* on `fault_at`, in a row */
	uint64_t fault_at;
};

struct tenant {
	unsigned index;
	struct td td;
	struct td_vcpu vcpus[MAX_VCPUS];
	_Atomic enum stage stage;
	/* How many LPs are inside, -1: one that changes the stage. Taken by tenant_enter(). */
	atomic_int users;
	atomic_bool is_wanted; /* somebody waits to be alone */
	atomic_bool is_quiet;  /* vCPUs stay out */
	atomic_uint kicks;     /* counts up to make vCPUs leave */
	atomic_flag is_converting;
	bool is_begun;            /* an unmap began completely; of who has is_converting */
	bool was_killed;          /* by a failure while it was built */
	atomic_bool is_reclaimed; /* to be forgotten by the next who is alone */
	uint32_t low_pages, high_pages;
	struct spinlock guest_lock;
	/* Protected by guest_lock while the TD is live. */
	struct guest_page *pages;
	struct guest_vcpu guests[MAX_VCPUS];
};

extern struct tenant tenants[TENANTS];

/* Empty slots; with `has_gib` room for TDs that have a GiB of high RAM. */
void tenants_init(bool has_gib);
bool tenants_have_gib(void);

/*
 * Alone: nobody else is inside until tenant_leave(). They wait; false with one thread if an
 * operation around this one is in the way.
 */
bool tenant_enter(struct tenant *t);
bool tenant_enter_alone(struct tenant *t);
void tenant_leave(struct tenant *t);

/* Nothing is left of a TD that was reclaimed: the slot is empty. Alone. */
void tenant_forget(struct tenant *t);

static inline uint32_t tenant_pages(const struct tenant *t)
{
	return t->low_pages + t->high_pages;
}

static inline bool tenant_has_gib(const struct tenant *t) { return t->high_pages == GIB_PAGES; }

/* The page of RAM that a random number chooses: one in a whole GiB in 1 of `rarity` cases. */
uint32_t tenant_choose(const struct tenant *t, uint32_t a, uint32_t rarity);

/* GPA of a page of RAM by number, and back; UINT32_MAX if it is no RAM. */
gpa_t tenant_page_gpa(const struct tenant *t, uint32_t page);
uint32_t tenant_page_at(const struct tenant *t, gpa_t at);

/* A range of RAM that the two random numbers choose. */
struct span {
	uint32_t first, count; /* pages */
	gpa_t at;
	uint64_t size;
};
struct span tenant_span(const struct tenant *t, uint32_t a, uint32_t b);

bool tenant_is_shared(struct tenant *t, uint32_t page);

/* What the pages of [at, at + size) are from now on. */
void tenant_set_shared(struct tenant *t, gpa_t at, uint64_t size, bool is_shared);
void tenant_set_state(struct tenant *t, gpa_t at, uint64_t size, enum guest_page_state state);
