/* SPDX-License-Identifier: MIT */
#include "tests/random/guest.h"

#include <string.h>

#include "core/hw.h"
#include "core/oncpu.h"
#include "guest-abi/ghci.h"
#include "mm/phys.h"
#include "tests/hosted/hosted.h"
#include "tests/random/lp.h"
#include "tests/random/run.h"
#include "vmx/exit.h"

#define CS_LONG       0x2000U
#define EVENT_VE      0x80000314U
#define TDG_VMCALL    0U
#define TDG_VEINFO    3U
#define TDG_ACCEPT    6U
#define MASK_R10_R15  UINT64_C(0xfc00)
#define QUALIFY_READ  1U
#define QUALIFY_WRITE 2U
#define ZERO_PROBES   8U
#define MAP_GPA_PAGES 1100U
#define GIB_RARITY    512U /* a guest of many steps would not leave a GiB whole */

static atomic_uint_least64_t last_token;

static struct guest_vcpu *me(void) { return &lp.tenant->guests[lp.vcpu]; }

static bool translate(const struct tenant *t, gpa_t at, uint64_t *hpa)
{
	unsigned level;

	return tdx_model_translate(hosted_model(), t->td.tdr.pa.raw, at.raw, hpa, &level) ==
	       TDX_GPA_MAPPED;
}

static uint64_t load(uint64_t hpa_raw)
{
	uint64_t value;

	memcpy(&value, phys_ptr(hpa(hpa_raw)), sizeof(value));
	return value;
}

static void store(uint64_t hpa_raw, uint64_t value)
{
	memcpy(phys_ptr(hpa(hpa_raw)), &value, sizeof(value));
}

/*
 * The entry of a page, also below a table that is about to become one leaf. There it is free
 * for the moment in which the one takes the place of the other: while the table is claimed.
 */
static mirror_entry_t find_entry(const struct tenant *t, gpa_t at, struct sept_slot *slot)
{
	for (;;) {
		struct sept_slot above = sept_find(&t->td.sept, at, LEVEL_4K);
		uint64_t small = level_size(above.level) / SEPT_ENTRIES;
		mirror_entry_t table = sept_read(above), e;

		*slot = above;
		if (!mirror_is_table(table))
			return table;
		*slot = (struct sept_slot){.node = sept_child(above),
					   .index = (unsigned)(at.raw / small % SEPT_ENTRIES),
					   .level = above.level - 1,
					   .base = gpa(align_down(at.raw, small))};
		e = sept_read(*slot);
		if (mirror_state_of(e) != MIRROR_FREE ||
		    (!mirror_is_busy(table) && sept_read(above).raw == table.raw))
			return e;
		hw_pause();
	}
}

static unsigned long long gpa_of(const struct tenant *t, uint32_t page)
{
	return (unsigned long long)tenant_page_gpa(t, page).raw;
}

/* ---- TDCALL ---- */

static void tdcall(struct tdx_guest_state *s, struct tdx_exit *exit, uint64_t leaf)
{
	s->segment[TDX_CS].access_rights |= CS_LONG;
	s->gpr[TDX_RAX] = leaf;
	exit->reason = EXIT_TDCALL;
	exit->instruction_length = 4;
}

static void accept(struct tdx_guest_state *s, struct tdx_exit *exit)
{
	tdcall(s, exit, TDG_ACCEPT);
	s->gpr[TDX_RCX] = tenant_page_gpa(lp.tenant, me()->page).raw | me()->level;
}

static uint32_t pages_of(unsigned level) { return level == LEVEL_2M ? 512 : 1; }

/* Are these pages still the ones whose acceptance this vCPU began? */
static bool is_still_accepting(const struct tenant *t, const struct guest_vcpu *g)
{
	for (uint32_t i = 0; i < pages_of(g->level); i++) {
		const struct guest_page *p = &t->pages[g->page + i];

		if (p->state != PAGE_ACCEPTING || p->value != g->token)
			return false;
	}
	return true;
}

/* Whether it is shared is the converter's to say, who may be between its two steps. */
static void set_page(struct guest_page *p, enum guest_page_state state, uint64_t value)
{
	p->state = (uint8_t)state;
	p->value = value;
	p->offset = 0;
}

static void end_accept(struct tenant *t, struct guest_vcpu *g, enum guest_page_state state)
{
	for (uint32_t i = 0; i < pages_of(g->level); i++)
		set_page(&t->pages[g->page + i], state, 0);
}

/* An accepted page is zero. It may be blocked again by now, and is then not looked at. */
static void check_zero(struct tenant *t, uint32_t page)
{
	uint64_t at;

	if (!translate(t, tenant_page_gpa(t, page), &at))
		return;
	for (unsigned i = 0; i < ZERO_PROBES; i++) {
		uint64_t offset = rng_below(&lp.rng, 512) * UINT64_C(8);

		if (load(at + offset) != 0)
			fail("TD %u: accepted page %#llx is not zero at %#llx", t->index,
			     gpa_of(t, page), (unsigned long long)offset);
	}
}

/* The page was accepted before it was half given up: what it holds is not known. */
static void adopt(struct tenant *t, uint32_t page)
{
	uint64_t at;

	t->pages[page].state = PAGE_UNKNOWN;
	if (!translate(t, tenant_page_gpa(t, page), &at))
		return;
	set_page(&t->pages[page], PAGE_OWNED, load(at));
}

/* `before`: what the pages were, as far as the token remembers it. */
static void accept_result(struct tenant *t, struct guest_vcpu *g, uint64_t rax)
{
	tdx_status_t s = {rax};
	bool was_unknown = g->token & 1;

	if (!is_still_accepting(t, g))
		return;
	switch (tdx_code(s)) {
	case TDX_SUCCESS:
		end_accept(t, g, PAGE_OWNED);
		check_zero(t, g->page + rng_below(&lp.rng, pages_of(g->level)));
		break;
	case TDX_PAGE_ALREADY_ACCEPTED:
		end_accept(t, g, PAGE_UNACCEPTED);
		if (!was_unknown)
			fail("TD %u: page %#llx is already accepted", t->index,
			     gpa_of(t, g->page));
		else
			adopt(t, g->page);
		break;
	case TDX_PAGE_SIZE_MISMATCH:
		if (g->level == LEVEL_4K)
			fail("TD %u: 4K page %#llx has another size", t->index,
			     gpa_of(t, g->page));
		end_accept(t, g, PAGE_UNACCEPTED);
		break;
	case TDX_OPERAND_BUSY:
		if (lp_is_strict())
			fail("TD %u: page %#llx is busy for nobody", t->index,
			     gpa_of(t, g->page));
		end_accept(t, g, was_unknown ? PAGE_UNKNOWN : PAGE_UNACCEPTED);
		break;
	default:
		fail("TD %u: accepting %#llx: status %#llx", t->index, gpa_of(t, g->page),
		     (unsigned long long)rax);
	}
}

static bool can_accept(const struct tenant *t, uint32_t page, unsigned level)
{
	for (uint32_t i = page; i < page + pages_of(level); i++)
		if (t->pages[i].is_shared ||
		    (t->pages[i].state != PAGE_UNACCEPTED &&
		     (level != LEVEL_4K || t->pages[i].state != PAGE_UNKNOWN)))
			return false;
	return true;
}

static uint32_t segment_end(const struct tenant *t, uint32_t page)
{
	return page < t->low_pages ? t->low_pages : tenant_pages(t);
}

/* A token is even; odd for a page of which it is not known whether it was accepted. */
static bool begin_accept(struct tenant *t, uint32_t page, unsigned level)
{
	struct guest_vcpu *g = me();
	uint64_t token = atomic_fetch_add(&last_token, 2) + 2;

	if (level == LEVEL_2M) {
		page -= (page < t->low_pages ? page : page - t->low_pages) % 512;
		if (segment_end(t, page) - page < 512)
			return false;
	}
	if (!can_accept(t, page, level))
		return false;
	if (t->pages[page].state == PAGE_UNKNOWN)
		token |= 1;
	for (uint32_t i = 0; i < pages_of(level); i++) {
		t->pages[page + i].state = PAGE_ACCEPTING;
		t->pages[page + i].value = token;
	}
	g->instruction = INSN_ACCEPT;
	g->page = page;
	g->level = (uint8_t)level;
	g->token = token;
	return true;
}

/* ---- Reading and writing ---- */

static void violation(const struct tenant *t, const struct guest_vcpu *g, struct tdx_exit *exit)
{
	exit->reason = EXIT_EPT_VIOLATION;
	exit->gpa = tenant_page_gpa(t, g->page).raw;
	exit->qualification = g->is_write ? QUALIFY_WRITE : QUALIFY_READ;
}

static void compare(struct tenant *t, uint32_t page, uint64_t at, const char *how)
{
	const struct guest_page *p = &t->pages[page];
	uint64_t found = load(at + p->offset);

	if (found != p->value)
		fail("TD %u: %s page %#llx holds %#llx at %#x, the guest wrote %#llx", t->index,
		     how, gpa_of(t, page), (unsigned long long)found, p->offset,
		     (unsigned long long)p->value);
}

/* ---- Translations in use ---- */

static bool tlb_lookup(struct tenant *t, uint32_t page, uint64_t *at)
{
	struct tlb *tlb = &lp.tlb;

	for (unsigned i = 0; i < tlb->count; i++)
		if (tlb->entry[i].page == page) {
			*at = tlb->entry[i].hpa;
			return true;
		}
	if (!translate(t, tenant_page_gpa(t, page), at))
		return false;
	if (tlb->count < TLB_ENTRIES) {
		tlb->entry[tlb->count].page = page;
		tlb->entry[tlb->count++].hpa = *at;
	}
	return true;
}

/* No frame is taken from a page that a vCPU inside the guest may still reach. */
static void check_tlb(struct tenant *t)
{
	for (unsigned i = 0; i < lp.tlb.count; i++) {
		gpa_t at = tenant_page_gpa(t, lp.tlb.entry[i].page);
		struct sept_slot slot;
		mirror_entry_t e = find_entry(t, at, &slot);
		uint64_t frame = mirror_frame_of(e).raw + (at.raw - slot.base.raw);

		if (!mirror_is_leaf(e) || frame != lp.tlb.entry[i].hpa ||
		    !hosted_is_owned(frame))
			fail("TD %u: page %#llx lost frame %#llx while vCPU %u, inside since "
			     "before that, could reach it",
			     t->index, (unsigned long long)at.raw,
			     (unsigned long long)lp.tlb.entry[i].hpa, lp.vcpu);
	}
}

/* True when the access faults. A page that the guest gave up meanwhile is left alone. */
static bool touch(struct tenant *t, struct guest_vcpu *g, struct tdx_exit *exit)
{
	struct guest_page *p = &t->pages[g->page];
	uint64_t at;

	g->instruction = INSN_NONE;
	if (p->is_shared)
		return false;
	if (!tlb_lookup(t, g->page, &at)) {
		g->instruction = INSN_TOUCH;
		g->is_own = p->state == PAGE_OWNED;
		violation(t, g, exit);
		return true;
	}
	if (p->state != PAGE_OWNED)
		return false;
	compare(t, g->page, at, "read");
	if (g->is_write) {
		p->offset = (uint16_t)(rng_below(&lp.rng, 512) * 8);
		p->value = rng_next(&lp.rng);
		store(at + p->offset, p->value);
	}
	return false;
}

bool guest_touches_own_page(struct tenant *t, unsigned vcpu)
{
	const struct guest_vcpu *g = &t->guests[vcpu];
	bool is_own;

	spin_lock(&t->guest_lock);
	is_own = g->instruction == INSN_TOUCH && g->is_own;
	spin_unlock(&t->guest_lock);
	return is_own;
}

/* The guest gives up what cannot be done: as if it had jumped over the instruction. */
void guest_drop_instruction(struct tenant *t, unsigned vcpu)
{
	struct guest_vcpu *g = &t->guests[vcpu];

	spin_lock(&t->guest_lock);
	if (g->instruction == INSN_ACCEPT && is_still_accepting(t, g))
		end_accept(t, g, g->token & 1 ? PAGE_UNKNOWN : PAGE_UNACCEPTED);
	g->instruction = INSN_NONE;
	spin_unlock(&t->guest_lock);
}

/* ---- What it does next ---- */

static void map_gpa(struct tenant *t, struct tdx_guest_state *s, struct tdx_exit *exit)
{
	struct span span =
		tenant_span(t, (uint32_t)rng_next(&lp.rng), (uint32_t)rng_next(&lp.rng));
	bool to_shared = rng_below(&lp.rng, 2);

	tdcall(s, exit, TDG_VMCALL);
	s->gpr[TDX_RCX] = MASK_R10_R15;
	s->gpr[TDX_R10] = 0;
	s->gpr[TDX_R11] = TDVMCALL_MAP_GPA;
	s->gpr[TDX_R12] = span.at.raw | (to_shared ? TD_SHARED_BIT : 0);
	s->gpr[TDX_R13] = span.size;
	me()->instruction = INSN_VMCALL;
}

static void other_exit(struct tdx_guest_state *s, struct tdx_exit *exit)
{
	static const uint32_t reasons[] = {EXIT_HLT, EXIT_CPUID, EXIT_RDMSR, EXIT_IO,
					   EXIT_EXTERNAL_INTERRUPT};

	exit->reason = reasons[rng_below(&lp.rng, sizeof(reasons) / sizeof(reasons[0]))];
	exit->instruction_length = 2;
	s->gpr[TDX_RAX] = rng_below(&lp.rng, 8);
	s->gpr[TDX_RCX] = rng_below(&lp.rng, 2);
}

/* One step; true when it leaves the guest. */
static bool step(struct tenant *t, struct tdx_guest_state *s, struct tdx_exit *exit)
{
	struct guest_vcpu *g = me();
	uint32_t page = tenant_choose(t, (uint32_t)rng_next(&lp.rng), GIB_RARITY);
	unsigned what = rng_below(&lp.rng, 100);

	if (lp.sweep_at < lp.sweep_end) {
		lp.sweep_at += pages_of(LEVEL_2M);
		if (!begin_accept(t, lp.sweep_at - pages_of(LEVEL_2M), LEVEL_2M))
			return false;
		accept(s, exit);
		return true;
	}
	if (what < 30) {
		if (!begin_accept(t, page, what < 8 ? LEVEL_2M : LEVEL_4K))
			return false;
		accept(s, exit);
		return true;
	}
	if (what < 90) {
		/* A guest that touches what it has not accepted is rare. */
		if (t->pages[page].state != PAGE_OWNED && rng_below(&lp.rng, 64) != 0)
			return false;
		g->instruction = INSN_TOUCH;
		g->page = page;
		g->is_write = what < 60;
		return touch(t, g, exit);
	}
	if (what < 93) {
		map_gpa(t, s, exit);
		return true;
	}
	if (what < 96) {
		other_exit(s, exit);
		return true;
	}
	return false;
}

/* The exception that the module injected, if any; true when it needs a TDCALL. */
static bool take_event(struct tenant *t, struct tdx_guest_state *s, struct tdx_exit *exit)
{
	struct guest_vcpu *g = me();
	uint32_t event = s->event;

	s->event = 0;
	if (event != EVENT_VE)
		return false;
	if (g->instruction == INSN_TOUCH && g->is_own)
		fail("TD %u: page %#llx, accepted and not given up, is pending", t->index,
		     gpa_of(t, g->page));
	g->instruction = INSN_VEINFO;
	tdcall(s, exit, TDG_VEINFO);
	return true;
}

/* Goes on with the instruction that the last exit cut off; true when it leaves the guest. */
static bool resume(struct tenant *t, struct tdx_guest_state *s, struct tdx_exit *exit)
{
	struct guest_vcpu *g = me();
	enum instruction instruction = g->instruction;

	if (take_event(t, s, exit))
		return true;
	g->instruction = INSN_NONE;
	switch (instruction) {
	case INSN_ACCEPT:
		if (s->gpr[TDX_RAX] != TDG_ACCEPT)
			accept_result(t, g, s->gpr[TDX_RAX]);
		if (s->gpr[TDX_RAX] != TDG_ACCEPT || !is_still_accepting(t, g))
			return false;
		g->instruction = INSN_ACCEPT;
		accept(s, exit);
		return true;
	case INSN_TOUCH:
		return touch(t, g, exit);
	case INSN_NONE:
	case INSN_VEINFO:
	case INSN_VMCALL:
		break;
	}
	return false;
}

static bool must_leave(const struct tenant *t)
{
	return lp.steps == 0 || atomic_load(&t->kicks) != lp.kicks || oncpu_pending() ||
	       has_failed();
}

/* Operations of other LPs, while this guest runs: the first half of its steps is done. */
static void let_others_in(void)
{
	for (; lp.inside > 0; lp.inside--)
		run_inside();
	me()->faults = 0;
	check_tlb(lp.tenant);
}

void guest_run(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	struct tenant *t = lp.tenant;
	struct tdx_guest_state *s = view->state;
	bool is_out;

	(void)cpu;
	if (!t) /* entered by nobody's operation */
		return;
	spin_lock(&t->guest_lock);
	is_out = resume(t, s, exit);
	spin_unlock(&t->guest_lock);
	while (!is_out && !must_leave(t)) {
		lp.steps--;
		if (lp.steps % 8 == 4)
			let_others_in();
		spin_lock(&t->guest_lock);
		is_out = step(t, s, exit);
		spin_unlock(&t->guest_lock);
	}
	check_tlb(t);
	/* Not left by an instruction: an interrupt, as the machine presets. */
}

/* ---- Looked at from outside ---- */

void guest_check_memory(struct tenant *t)
{
	for (uint32_t page = 0; page < tenant_pages(t); page++) {
		gpa_t at = tenant_page_gpa(t, page);
		struct sept_slot slot;
		mirror_entry_t e;

		if (t->pages[page].state != PAGE_OWNED || t->pages[page].is_shared)
			continue;
		e = find_entry(t, at, &slot);
		if (!mirror_is_leaf(e)) {
			fail("TD %u: page %#llx, accepted and not given up, is gone (%s)",
			     t->index, gpa_of(t, page), mirror_state_name(mirror_state_of(e)));
			return;
		}
		compare(t, page, mirror_frame_of(e).raw + (at.raw - slot.base.raw),
			mirror_state_name(mirror_state_of(e)));
	}
}
