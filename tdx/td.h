/* SPDX-License-Identifier: MIT */
/*
 * One TD as mechanism: key, control pages, measured build, Secure EPT with its
 * mirror, private/shared map, vCPUs' module side, teardown. Policy (who runs
 * when, what an exit means, shared memory) is vm/.
 *
 * Life: td_create -> td_vcpu_create... -> td_add_measured... -> td_populate ->
 * td_finalize -> td_vcpu_enter... -> td_release_keyid -> td_reclaim -> td_destroyed.
 * Every function that fails leaves the TD in the state before, or marks it dead
 * (td->is_dead): then only teardown is possible, and teardown always is.
 * Unless stated otherwise a function may be called on any CPU, without locks held.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/cpu.h"
#include "core/spinlock.h"
#include "core/status.h"
#include "tdx/gpa_map.h"
#include "tdx/sept_mirror.h"
#include "tdx/tdx_abi.h"

#define TD_MAX_VCPUS 64

struct td_params {
	uint64_t attributes; /* TDX_ATTR_* */
	uint16_t max_vcpus;
	uint64_t tsc_khz;   /* host TSC; the TD's is the nearest 25 MHz multiple */
	gpa_t ram_low_end;  /* RAM is [0, low_end) and [4 GiB, high_end) */
	gpa_t ram_high_end; /* 4 GiB when there is none */
};

/* The module's side of a vCPU. */
struct td_vcpu {
	struct td *td;
	uint32_t index;
	tdvpr_t tdvpr;
	hpa_t tdcx[16];
	unsigned tdcx_count;
	atomic_int assoc_cpu; /* CPU it is associated with, -1 = none */
};

/*
 * Pages on their way back, dealt out in units of 2M GPA up to the end of RAM: each is one CPU's
 * alone, so that any number of them work without meeting; what is above them comes last.
 */
struct td_reclaim {
	atomic_flag is_busy; /* one CPU at a time after the last unit */
	atomic_uint_least64_t next, units_left;
	/* Unit + 1 that a CPU left for later; whoever finds no new one takes it. */
	atomic_uint_least64_t left[MAX_CPUS];
};

/* How far the KeyID has come on its way back. */
enum td_key_stage { TD_KEY_NONE, TD_KEY_ASSIGNED, TD_KEY_FLUSHED, TD_KEY_FREED, TD_KEY_LOST };

struct td {
	char name[32];
	tdr_t tdr;
	uint16_t hkid;
	enum td_key_stage key_stage;
	atomic_bool is_dead;
	bool is_finalized;
	struct td_params params;
	hpa_t tdcx[16];
	unsigned tdcx_count;
	/* The virtual TSC, constant from td_create() on: (host * multiplier >> 48) + offset. */
	uint64_t tsc_hz_virtual, tsc_offset, tsc_multiplier;
	struct gpa_map map;
	struct sept_mirror sept;
	atomic_bool must_track; /* something was BLOCKed after the last TRACK */
	struct spinlock unmap_lock;
	/* Range between begin and commit of an unmap, where faults wait; size 0 = none. */
	atomic_uint_least64_t unmap_base, unmap_size;
	atomic_uint_least64_t scattered; /* 2M regions in 4K pages for want of a 2M frame */
	struct td_vcpu *vcpus[TD_MAX_VCPUS];
	unsigned vcpu_count;
	atomic_uint_least64_t seamcalls; /* for this TD, all leaves but VP.ENTER */
	struct td_reclaim reclaim;
	atomic_uint_least64_t teardown_total, teardown_done; /* pages to reclaim, reclaimed */
	atomic_uint_least64_t quarantined_bytes; /* what the module would not give back */
	struct spinlock returned_lock;
	struct td_returned *returned;          /* frames that wait for td_write_back() */
	atomic_uint_least64_t returned_bytes;  /* of them; still charged to the TD */
	atomic_uint_least64_t unwritten_bytes; /* of those, not written back yet */
	atomic_uint_least64_t page_wbinvds;    /* PAGE.WBINVDs for the TD */
	atomic_uint_least64_t wbinvds;         /* times that WBINVD on every package did it */
};

/*
 * Takes a KeyID and builds the TD up to MNG.INIT. td->name is set by the caller, the
 * rest of *td is zero. On failure everything taken was given back (or quarantined and logged).
 * STATUS_NO_KEYID, STATUS_NO_MEMORY, STATUS_BAD_ARG (module refused the parameters),
 * STATUS_HW_FAULT.
 */
MUST_CHECK enum status td_create(struct td *td, const struct td_params *params);

/* Creates and initialises the next vCPU; rcx is its initial RCX/R8. *vcpu is the caller's,
 * zeroed. */
MUST_CHECK enum status td_vcpu_create(struct td *td, struct td_vcpu *vcpu, uint64_t rcx);

/* Writes posted-interrupt descriptor, vector and shared EPT root (VP.WR) before the first
 * entry, on the CPU that created the vCPU. */
MUST_CHECK enum status td_vcpu_configure(struct td_vcpu *vcpu, hpa_t pid, uint8_t vector,
					 hpa_t shared_ept_root);

/* Adds one 4K page with the content of `source` (direct-map pointer, 4K) at `at` and extends
 * MRTD with all of it. */
MUST_CHECK enum status td_add_measured_page(struct td *td, gpa_t at, const void *source);

/*
 * Makes [at, at+size) of private RAM present and pending, 2M where GPA alignment and free
 * frames allow, else 4K; skips what is present. Before or after finalize. What host memory
 * made 4K is counted in td->scattered, and logged once.
 */
MUST_CHECK enum status td_populate(struct td *td, gpa_t at, uint64_t size);

MUST_CHECK enum status td_finalize(struct td *td);

/* MRTD, bytes in order, read from the module. */
MUST_CHECK enum status td_read_mrtd(struct td *td, uint8_t mrtd[48]);

/*
 * One TDH.VP.ENTER of this vCPU on this CPU, interrupts disabled by the caller. The raw
 * completion status; never retries. The vCPU must be associated with this CPU or none. *regs:
 * inputs before, outputs after.
 */
tdx_status_t td_vcpu_enter(struct td_vcpu *vcpu, struct seamcall_regs *regs);

/* Is a virtual interrupt pending for this vCPU (VCPU_STATE_DETAILS bit 0)? On the vCPU's CPU.
 */
MUST_CHECK enum status td_vcpu_interrupt_pending(struct td_vcpu *vcpu, bool *pending);

/* PEND_NMI. On the vCPU's CPU. */
MUST_CHECK enum status td_vcpu_pend_nmi(struct td_vcpu *vcpu);

/* TDH.VP.FLUSH on this CPU: afterwards another CPU may enter it. */
MUST_CHECK enum status td_vcpu_flush(struct td_vcpu *vcpu);

/*
 * Resolves an EPT violation on private GPA `at`: installs a pending page of at most `limit`
 * (ACCEPT's level hint; LEVEL_2M otherwise), demoting a larger one if the guest accepts at 4K.
 * OK: enter again. BUSY: enter again, it faults again. BAD_ARG: not private RAM of this TD.
 */
MUST_CHECK enum status td_resolve_fault(struct td *td, gpa_t at, enum page_level limit);

/*
 * Private -> shared, two halves (design §4). begin blocks every present private page of
 * [at, at+size) (edges demoted first if need be) and TRACKs once; afterwards vm/ kicks and
 * observes every vCPU out of the old epoch; commit then REMOVEs the pages, returns their
 * frames, and marks the range shared in td->map. BUSY: quiesce the TD's vCPUs and repeat.
 * NO_MEMORY, of either: cancelled, all is as before.
 */
MUST_CHECK enum status td_unmap_private_begin(struct td *td, gpa_t at, uint64_t size);
MUST_CHECK enum status td_unmap_private_commit(struct td *td, gpa_t at, uint64_t size);

/*
 * Frames that left the Secure EPT wait until their cache lines, dirty under the TD's key, are
 * written back: by PAGE.WBINVD of up to `budget` 4K pages, from an idle CPU, or by WBINVD on
 * every package when more wait than the caches can hold; the latter waits for other CPUs, so
 * no lock may be held. *done when none waits. Memory that is short and the end of the TD do
 * it, too. STATUS_BUSY.
 */
MUST_CHECK enum status td_write_back(struct td *td, unsigned budget, bool *done);

/* Shared -> private in td->map, after vm/ unmapped the shared pages; pages appear by
 * td_populate/fault. */
MUST_CHECK enum status td_mark_private(struct td *td, gpa_t at, uint64_t size);

/*
 * After td_mark_private(): takes Secure EPT pages out that have no entries left, where all of
 * their 2M is private, so that the guest can have 2M there again. One TRACK for all.
 * STATUS_BUSY: kick the vCPUs and repeat; what is not repeated is done by the next fault there.
 */
MUST_CHECK enum status td_drop_tables(struct td *td, gpa_t at, uint64_t size);

/*
 * 512 pages of the level below in the 2M or 1G region become one, two halves as above. begin
 * blocks the table if the host knows of nothing against it. NOT_FOUND: the region cannot be
 * promoted as it is; BUSY: not yet, come again. commit: OK, promoted; NOT_FOUND: the module
 * refused, all is as before; BUSY: kick the vCPUs and repeat. Between the halves the range is
 * not accessible, and whoever meets it (a fault, an unmap) ends the promotion.
 */
MUST_CHECK enum status td_promote_begin(struct td *td, gpa_t region, enum page_level level);
MUST_CHECK enum status td_promote_commit(struct td *td, gpa_t region, enum page_level level);

/* Drops what is between begin and commit: unblocks, everything private as before. BUSY as
 * above. */
MUST_CHECK enum status td_unmap_private_cancel(struct td *td);

/* Is `at` private in the map, and what is the largest level uniform around it? */
bool td_is_private(const struct td *td, gpa_t at, enum page_level *uniform);

/*
 * Teardown, first half: every vCPU was flushed. VPFLUSHDONE, CACHE.WB on every package,
 * FREEID; the KeyID is free afterwards. Works from every stage after td_create().
 */
MUST_CHECK enum status td_release_keyid(struct td *td);

/*
 * Second half, in steps: each reclaims one page at most (and resets 2M of it at most); *done
 * when nothing (TDR included) is left. Any number of CPUs at once. STATUS_BAD_STATE before the
 * KeyID is free or lost.
 */
MUST_CHECK enum status td_reclaim(struct td *td, bool *done);

/* S-EPT state of `at` for people, e.g. "2M MAPPED frame 0x..."; for td-info and logs. */
void td_describe_gpa(struct td *td, gpa_t at, char *buf, size_t size);
