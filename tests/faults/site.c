/* SPDX-License-Identifier: MIT */
#include "tests/faults/site.h"

#include <stddef.h>
#include <string.h>

#include "tdx/seamcall.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"

#define LEAF_MASK  UINT64_C(0xffff)
#define SPARED_MAX 4

extern const struct fault_site __start_fault_sites[], __stop_fault_sites[];

static const struct fault_site *current;
static unsigned *hits;
static unsigned *leaves;
static unsigned paused;
static uint64_t spared[SPARED_MAX];
static unsigned spared_count;

static struct {
	const struct fault_site *site;
	unsigned nth, count, struck;
	uint64_t status;
	enum fault_effect effect;
} armed;

unsigned fault_site_count(void) { return (unsigned)(__stop_fault_sites - __start_fault_sites); }

const struct fault_site *fault_site(unsigned i) { return &__start_fault_sites[i]; }

void fault_site_enter(const struct fault_site *site) { current = site; }
void fault_site_leave(void) { current = NULL; }
void fault_pause(void) { paused++; }
void fault_resume(void) { paused--; }

void fault_arm(const struct fault_site *site, unsigned nth, unsigned count, uint64_t status,
	       enum fault_effect effect)
{
	armed.site = site;
	armed.nth = nth;
	armed.count = count;
	armed.struck = 0;
	armed.status = status;
	armed.effect = effect;
}

void fault_spare(uint64_t tdvpr)
{
	if (spared_count < SPARED_MAX)
		spared[spared_count++] = tdvpr;
}

static bool is_spared(uint64_t rcx)
{
	for (unsigned i = 0; i < spared_count; i++)
		if (spared[i] == rcx)
			return true;
	return false;
}

void fault_disarm(void)
{
	armed.site = NULL;
	hits = NULL;
}

unsigned fault_struck(void) { return armed.struck; }

void fault_count_into(unsigned *to, unsigned *leaves_to)
{
	hits = to;
	leaves = leaves_to;
}

static void count(uint64_t rax)
{
	ptrdiff_t i = current - __start_fault_sites;

	if (!hits)
		return;
	hits[i]++;
	leaves[i] = (unsigned)(rax & LEAF_MASK);
}

static bool strikes(void)
{
	if (current != armed.site)
		return false;
	if (armed.nth > 1) {
		armed.nth--;
		return false;
	}
	if (armed.count == 0)
		return false;
	armed.count--;
	armed.struck++;
	return true;
}

static uint64_t inform(uint64_t rax, struct seamcall_regs *regs)
{
	uint64_t status = hosted_seamcall(rax, regs);

	return status == 0 ? armed.status : status;
}

static uint64_t intercept(uint64_t rax, struct seamcall_regs *regs)
{
	if (paused || is_spared(regs->rcx))
		return hosted_seamcall(rax, regs);
	if (!current) {
		test_fail(__FILE__, __LINE__, "leaf %u was called, but from no site",
			  (unsigned)(rax & LEAF_MASK));
		return hosted_seamcall(rax, regs);
	}
	count(rax);
	if (!strikes())
		return hosted_seamcall(rax, regs);
	if (armed.effect == FAULT_INFORMS)
		return inform(rax, regs);
	if (armed.effect == FAULT_EXITS)
		memset(regs, 0, sizeof(*regs));
	return armed.status;
}

void fault_attach(void) { hosted_set_seamcall(intercept); }
