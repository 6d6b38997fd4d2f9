/* SPDX-License-Identifier: MIT */
/*
 * TDs as the operator sees them. Called from the BSP's loop (the shell) only, except
 * where noted. Failures leave one line for people in *why: what, where, what was expected.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/boot_info.h"
#include "core/compiler.h"
#include "core/status.h"
#include "vm/exit_kind.h"
#include "vm/td_config.h"

struct td;
struct vm;

struct vm_error {
	char text[200];
};

/* Leaves the line in *why and returns `s`. */
enum status explain(struct vm_error *why, enum status s, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* After tdx_module_init(); TDs can be created only if the module is ready. */
void vm_init(const struct boot_info *bi);

/* SHA-384 of a boot module, a file of a TD or not; NULL while it is not all hashed: each call
 * does a piece. */
const uint8_t *vm_file_digest(const struct boot_module *m);

/* Builds the TD up to FINALIZE, not running. The name must be new. */
MUST_CHECK enum status vm_create(const struct td_config *config, struct vm_error *why);

/* Lets all vCPUs run. State must be `created`. */
MUST_CHECK enum status vm_start(const char *name, struct vm_error *why);

/* Stops the TD if it runs, releases its KeyID; pages are reclaimed in idle loops. Returns at
 * KEY.FREEID. */
MUST_CHECK enum status vm_destroy(const char *name, struct vm_error *why);

/* Runs background reclaim to its end; for tests, reboot and `create` of a dying name. */
void vm_finish_reclaim(void);

/* Stops and tears down all TDs, within a time limit; before reboot and poweroff. */
void vm_shutdown_all(void);

enum vm_state { VM_CREATED, VM_RUNNING, VM_STOPPED, VM_CRASHED, VM_DYING };
const char *vm_state_name(enum vm_state s);

/* A snapshot for `list` and `td-info`. */
struct vm_info {
	char name[TD_NAME_MAX];
	enum vm_state state;
	char reason[160]; /* why it stopped or crashed */
	unsigned dying_percent;
	uint32_t vcpus;
	uint64_t memory;
	uint16_t hkid;
	uint8_t mrtd[48];
	bool has_mrtd;
	uint64_t exits;
	uint64_t exits_by_kind[EXIT_KIND_COUNT];
	uint64_t seamcalls;
	uint64_t page_wbinvds;     /* of the former */
	uint64_t wbinvds;          /* times that every package executed WBINVD for it */
	uint64_t private_bytes;    /* with the next */
	uint64_t write_back_bytes; /* given up, but not yet free: deferred write-backs */
	uint64_t shared_bytes;
	uint64_t quarantined_bytes;
	uint64_t create_seamcalls; /* from td_create to the end of vm_create */
};

/* The TD of that place in order of creation; false when there are not so many. */
bool vm_nth(unsigned place, struct vm_info *out);
MUST_CHECK enum status vm_get(const char *name, struct vm_info *out);

/* A TD's vCPUs: "runnable", "halted", "deaf" (HLT with interrupts off) or "stopped". */
struct vcpu_info {
	unsigned cpu;
	const char *state;
	uint64_t exits;
};
bool vm_vcpu(const char *name, unsigned index, struct vcpu_info *out); /* false: no such one */

/* The mechanism of a TD (tdx/td_report.h), until the caller returns to the loop; NULL when
 * there is no such TD, or its teardown has begun. */
struct td *vm_td(const char *name);

/*
 * Console of a TD (its virtio console): `emit` gets what it prints while attached, first
 * what is still in its ring. One attachment at a time in all; a name that no TD has detaches,
 * so does NULL.
 */
typedef void (*vm_console_fn)(const char *bytes, size_t length);
void vm_console_attach(const char *name, vm_console_fn emit);

/* Types into the attached console; lost when its input buffer, CONSOLE_IN_SIZE, is full. */
void vm_console_input(char c);
