/* SPDX-License-Identifier: MIT */
/*
 * Where tdx/ and vm/ call the module. Each call of a tdh_*() wrapper is a site: the build of
 * `make check-faults` turns the wrappers into macros that put a record of the place into a
 * section of its own, so the linker collects the list and a new call is in it at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct seamcall_regs;

struct fault_site {
	const char *wrapper, *file, *function;
	uint64_t line;
};

/* Two calls of one wrapper may share a line, hardly a place: they are sites of their own. */
#define FAULT_SITE(wrapper_, ...)                                                              \
	({                                                                                     \
		static const struct fault_site fault_site_                                     \
			__attribute__((section("fault_sites"), used, aligned(32))) = {         \
				#wrapper_, __FILE__, __func__, __LINE__};                      \
		fault_site_enter(&fault_site_);                                                \
		__auto_type fault_status_ = wrapper_(__VA_ARGS__);                             \
		fault_site_leave();                                                            \
		fault_status_;                                                                 \
	})

void fault_site_enter(const struct fault_site *site);
void fault_site_leave(void);

#define FAULT_SITES_MAX 256

unsigned fault_site_count(void);
const struct fault_site *fault_site(unsigned i);

/* How a status comes back. */
enum fault_effect {
	FAULT_REFUSES,  /* the module does nothing; no way back may be needed */
	FAULT_CONTENDS, /* it does nothing, and the same call again works */
	FAULT_INFORMS,  /* it does the work and says more than success */
	FAULT_EXITS,    /* VP.ENTER: a TD exit, its registers zero */
};

/*
 * Calls `nth` (1 = the next) to `nth` + `count` - 1 from `site` return `status`. Replaces what
 * was armed before; fault_disarm() ends it.
 */
void fault_arm(const struct fault_site *site, unsigned nth, unsigned count, uint64_t status,
	       enum fault_effect effect);
void fault_disarm(void);
/* How often it struck since fault_arm(). */
unsigned fault_struck(void);

/* Calls for this vCPU are left alone: it is not the one that is tried. */
void fault_spare(uint64_t tdvpr);

/* Until fault_disarm(): counts calls per site, by the site's index; and the leaf of each. */
void fault_count_into(unsigned *hits, unsigned *leaves);

/* Between these two the test itself calls the module: nothing is injected or counted. */
void fault_pause(void);
void fault_resume(void);

/* Puts itself between tdx/ and the module of the hosted machine. */
void fault_attach(void);
