/* SPDX-License-Identifier: MIT */
/*
 * The hosted machine: the software TDX module of tests/model/ under the project's own tdx/,
 * mm/ and vm/, in one process. Physical memory is an arena that costs nothing until
 * it is touched; a logical processor is whoever fake_set_this_cpu() says the calling
 * thread is. Defines seamcall_raw() and the VMX instructions.
 *
 * Follows the cache lines of all memory (tests/hosted/cache.h): what would corrupt it on a
 * real machine fails the running test.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/boot_info.h"
#include "tdx/tdx_abi.h"
#include "tests/model/tdx_model.h"

struct seamcall_regs;

struct hosted_config {
	unsigned cpus, packages;
	uint64_t ram;             /* bytes; RAM is [0, ram) without the hole */
	uint64_t hole, hole_size; /* no RAM there and between two CMRs; size 0 = none */
	unsigned private_keyids;  /* the module's own included */
	unsigned wbinvd_blocks;
};

/* 4 CPUs in 2 packages, 4 GiB with a hole, 8 private KeyIDs. */
extern const struct hosted_config hosted_default;

/* What the module is loaded onto; a test may replace a callback before hosted_start(). */
extern struct tdx_machine hosted_machine;

/* Builds the machine: RAM, CPUs, CPUID, MSRs, a freshly loaded module. Replaces the one before.
 */
void hosted_start(const struct hosted_config *config);

/* hosted_start(), then tdx_module_init(), which must succeed, and the rest of the TDMRs. */
void hosted_start_ready(const struct hosted_config *config);

/* Any memory map; both lists ascend and do not overlap. */
struct hosted_map {
	const struct hpa_range *memory;
	unsigned memory_count;
	const struct hpa_range *cmrs;
	unsigned cmr_count;
	struct hpa_range seamrr;
};

/* hosted_start() with that map below config->ram; the hole of the config does not count. */
void hosted_start_map(const struct hosted_config *config, const struct hosted_map *map);

const struct boot_info *hosted_boot_info(void);
struct tdx_model *hosted_model(void);

/* What a TD does when it is entered; NULL = it takes an external interrupt at once. */
typedef void (*hosted_guest_fn)(unsigned cpu, struct tdx_vcpu_view *vcpu,
				struct tdx_exit *exit);
void hosted_set_guest(hosted_guest_fn guest);

/* Gets every SEAMCALL instead of the module; NULL = nobody. hosted_seamcall() passes it on. */
typedef uint64_t (*hosted_seamcall_fn)(uint64_t rax, struct seamcall_regs *regs);
void hosted_set_seamcall(hosted_seamcall_fn fn);
uint64_t hosted_seamcall(uint64_t rax, struct seamcall_regs *regs);

/*
 * The `nth` next call of `leaf` (1 = the next) and the `count` - 1 after it return `status` and
 * do not reach the module. Replaces the injection before; hosted_inject_count() tells how often
 * it struck.
 */
void hosted_inject(unsigned leaf, unsigned nth, unsigned count, uint64_t status);
void hosted_inject_none(void);
unsigned hosted_inject_count(void);

/* Counts the calls of each leaf since hosted_start(), injected ones included. */
uint64_t hosted_calls(unsigned leaf);
uint64_t hosted_calls_all(void);

/* Entropy sources: fail this many times from now on. */
void hosted_fail_entropy(unsigned rdrand, unsigned rdseed);

/* CACHE.WB finds an interrupt pending this many times. */
void hosted_interrupt_times(unsigned times);

/* Does the module own the 4K page at `hpa`? */
bool hosted_is_owned(uint64_t hpa);

/* The PAMT type of a 4K page (PHYMEM.PAGE.RDMD); HOSTED_PAGE_FREE: no page of the module. */
#define HOSTED_PAGE_FREE 0
tdx_status_t hosted_page_type(hpa_t page, uint64_t *type);

/* Bytes that the module owns, PAMT not counted. */
uint64_t hosted_owned_bytes(void);

/* Is this CPU (the calling thread's) in VMX operation? */
bool hosted_vmx_is_on(unsigned cpu);

/* What happens at each INVEPT of any CPU; NULL = nothing. */
void hosted_set_invept(void (*fn)(void));
