/* SPDX-License-Identifier: MIT */
/* mrtd.txt and sysrd.txt: measurements and enumeration without recorded calls. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/model/leaves.h"
#include "tests/trace/replay.h"

#define PAGE      UINT64_C(0x1000)
#define NULL_ID   (~UINT64_C(0))
#define TDMR_BASE UINT64_C(0x100000000)
#define PAMT_BASE UINT64_C(0x40000000)
#define SCRATCH   UINT64_C(0x50000000) /* host memory for operands */
#define KEYID     8

/* A small machine for the measurements: one GiB of TDMR, its PAMT below. */
static const struct tdx_platform measuring_platform = {
	.lp_count = 1,
	.package_count = 1,
	.max_pa_bits = 52,
	.keyid_bits = 6,
	.first_private_keyid = KEYID,
	.private_keyid_count = 8,
	.wbinvd_blocks = 1,
	.cmr_count = 2,
	.cmr = {{PAMT_BASE, UINT64_C(0x20000000)}, {TDMR_BASE, UINT64_C(0x40000000)}},
	.seamrr = {UINT64_C(0x7c000000), UINT64_C(0x4000000)},
};

struct bench {
	struct replay *replay;
	uint64_t tdr, vcpu, next_page;
	bool failed;
};

static uint64_t call(struct bench *b, unsigned leaf, uint64_t rcx, uint64_t rdx, uint64_t r8,
		     uint64_t r9)
{
	struct tdx_regs regs = {{0}};

	regs.gpr[TDX_RCX] = rcx;
	regs.gpr[TDX_RDX] = rdx;
	regs.gpr[TDX_R8] = r8;
	regs.gpr[TDX_R9] = r9;
	return replay_call(b->replay, 0, leaf, &regs);
}

static void must(struct bench *b, unsigned leaf, uint64_t rcx, uint64_t rdx, uint64_t r8,
		 uint64_t r9)
{
	uint64_t status = call(b, leaf, rcx, rdx, r8, r9);

	if (status != 0) {
		printf("%s: %s: %s\n", b->replay->path, tdx_model_leaf_name(leaf),
		       tdx_model_status_name(status));
		b->failed = true;
	}
}

static uint64_t new_page(struct bench *b)
{
	uint64_t page = b->next_page;

	b->next_page += PAGE;
	return page;
}

static void put64(struct bench *b, uint64_t hpa, uint64_t value)
{
	memcpy(machine_memory(&b->replay->machine, hpa), &value, sizeof(value));
}

static void bring_up(struct bench *b)
{
	uint64_t info = SCRATCH + 0x1000;

	must(b, TDH_SYS_INIT, 0, 0, 0, 0);
	must(b, TDH_SYS_LP_INIT, 0, 0, 0, 0);
	put64(b, SCRATCH, info);
	put64(b, info, TDMR_BASE);
	put64(b, info + 8, UINT64_C(0x40000000));
	put64(b, info + 16, PAMT_BASE);
	put64(b, info + 24, PAGE);
	put64(b, info + 32, PAMT_BASE + 0x10000);
	put64(b, info + 40, 2 * PAGE);
	put64(b, info + 48, PAMT_BASE + 0x100000);
	put64(b, info + 56, UINT64_C(0x400000));
	must(b, TDH_SYS_CONFIG, SCRATCH, 1, KEYID, 0);
	must(b, TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
	for (unsigned i = 0; i < 256; i++)
		must(b, TDH_SYS_TDMR_INIT, TDMR_BASE, 0, 0, 0);
}

static void build_td(struct bench *b)
{
	uint64_t params = SCRATCH + 0x2000;

	b->tdr = new_page(b);
	must(b, TDH_MNG_CREATE, b->tdr, KEYID + 1, 0, 0);
	must(b, TDH_MNG_KEY_CONFIG, b->tdr, 0, 0, 0);
	for (unsigned i = 0; i < 6; i++)
		must(b, TDH_MNG_ADDCX, new_page(b), b->tdr, 0, 0);
	put64(b, params + 8, 3);
	put64(b, params + 16, 1);
	put64(b, params + 24, 0x1e);
	put64(b, params + 40, 100);
	must(b, TDH_MNG_INIT, b->tdr, params, 0, 0);
	b->vcpu = new_page(b);
	must(b, TDH_VP_CREATE, b->vcpu, b->tdr, 0, 0);
	for (unsigned i = 0; i < 5; i++)
		must(b, TDH_VP_ADDCX, new_page(b), b->vcpu, 0, 0);
	must(b, TDH_VP_INIT, b->vcpu, 0, 0, 0);
}

/* Secure EPT tables down to the one that maps 4K pages around `gpa`. */
static void add_tables(struct bench *b, uint64_t gpa)
{
	for (unsigned level = 3; level >= 1; level--) {
		uint64_t base = gpa & ~((PAGE << (9 * level)) - 1);

		if (call(b, TDH_MEM_SEPT_ADD, base | level, b->tdr, b->next_page, 0) == 0)
			new_page(b);
	}
}

static void add_page(struct bench *b, uint64_t gpa, uint64_t seed)
{
	for (uint64_t i = 0; i < PAGE; i += 8)
		put64(b, SCRATCH + 0x4000 + i, pattern_next(&seed));
	add_tables(b, gpa);
	must(b, TDH_MEM_PAGE_ADD, gpa, b->tdr, new_page(b), SCRATCH + 0x4000);
}

static void mrtd_step(struct bench *b, const struct line *line)
{
	uint64_t gpa = line_number(line, "gpa", 0);

	if (line_is(line, "add")) {
		add_page(b, gpa, line_number(line, "seed", 0));
	} else if (line_is(line, "extend")) {
		must(b, TDH_MR_EXTEND, gpa, b->tdr, 0, 0);
	} else if (line_is(line, "remove")) {
		must(b, TDH_MEM_PAGE_REMOVE, gpa, b->tdr, 0, 0);
	} else if (line_is(line, "aug")) {
		add_tables(b, gpa);
		must(b, TDH_MEM_PAGE_AUG, gpa, b->tdr, new_page(b), 0);
	}
}

static bool mrtd_matches(struct bench *b, const char *hex)
{
	must(b, TDH_MR_FINALIZE, b->tdr, 0, 0, 0);
	for (unsigned i = 0; i < 6; i++) {
		struct tdx_regs regs = {{0}};

		regs.gpr[TDX_RCX] = b->tdr;
		regs.gpr[TDX_RDX] = UINT64_C(0x1310000300000000) + i;
		replay_call(b->replay, 0, TDH_MNG_RD, &regs);
		for (unsigned j = 0; j < 8; j++)
			if (parse_byte(hex + (size_t)16 * i + (size_t)2 * j) !=
			    (int)(regs.gpr[TDX_R8] >> (8 * j) & 0xff))
				return false;
	}
	return !b->failed;
}

void replay_mrtd(struct replay *r, const char *path, unsigned outcomes[3])
{
	struct bench b = {.replay = r};
	const char *name = "";

	r->path = path;
	if (!text_read(&r->text, path)) {
		outcomes[FAILED]++;
		return;
	}
	for (size_t i = 0; i < r->text.count; i++) {
		struct line line;

		line_parse(&line, r->text.line[i]);
		if (line_is(&line, "case")) {
			name = r->text.line[i];
			r->machine.platform = measuring_platform;
			r->machine.cpuid_allowed_count = 0;
			replay_reset(r);
			b = (struct bench){.replay = r, .next_page = TDMR_BASE};
			bring_up(&b);
			build_td(&b);
		} else if (line_is(&line, "mrtd")) {
			bool right = mrtd_matches(&b, line.word[1]);

			if (!right)
				printf("%s: %s: MRTD differs\n", path, name);
			outcomes[right ? PASSED : FAILED]++;
		} else {
			mrtd_step(&b, &line);
		}
		line_free(&line);
	}
	text_free(&r->text);
}

/* ---- sysrd.txt ------------------------------------------------------------ */

#define MAX_FIELDS 512

struct field {
	uint64_t id, value;
};

struct sysrd {
	struct field base[MAX_FIELDS], platform[MAX_FIELDS];
	unsigned base_count, platform_count;
	int number; /* of the platform being read; -1 before the first */
};

static uint64_t expected_value(const struct sysrd *s, uint64_t id)
{
	for (unsigned i = 0; i < s->platform_count; i++)
		if (s->platform[i].id == id)
			return s->platform[i].value;
	for (unsigned i = 0; i < s->base_count; i++)
		if (s->base[i].id == id)
			return s->base[i].value;
	return 0;
}

/* Walks the fields as a host does, and expects exactly the listed ones in order. */
static bool walk_fields(struct replay *r, const struct sysrd *s)
{
	struct tdx_regs regs = {{0}};

	regs.gpr[TDX_RDX] = NULL_ID;
	replay_call(r, 0, TDH_SYS_RD, &regs);
	for (unsigned i = 0; i < s->base_count; i++) {
		uint64_t id = regs.gpr[TDX_RDX], want = expected_value(s, s->base[i].id);

		if (id != s->base[i].id) {
			printf("%s: walk: expected %#" PRIx64 ", got %#" PRIx64 "\n", r->path,
			       s->base[i].id, id);
			return false;
		}
		if (replay_call(r, 0, TDH_SYS_RD, &regs) != 0 || regs.gpr[TDX_R8] != want) {
			printf("%s: field %#" PRIx64 ": expected %#" PRIx64 ", got %#" PRIx64
			       "\n",
			       r->path, id, want, regs.gpr[TDX_R8]);
			return false;
		}
	}
	return regs.gpr[TDX_RDX] == NULL_ID;
}

static void check_platform(struct replay *r, const struct sysrd *s, unsigned outcomes[3])
{
	struct tdx_regs regs = {{0}};
	bool right = true;

	if (s->number < 0)
		return;
	r->machine.platform.build_date = (uint32_t)expected_value(s, 0x8800000200000001);
	replay_reset(r);
	right = replay_call(r, 0, TDH_SYS_INIT, &regs) == 0;
	for (unsigned lp = 0; lp < r->machine.platform.lp_count; lp++) {
		regs = (struct tdx_regs){{0}};
		right = replay_call(r, lp, TDH_SYS_LP_INIT, &regs) == 0 && right;
	}
	right = right && walk_fields(r, s);
	outcomes[right ? PASSED : FAILED]++;
}

static void take_field(struct sysrd *s, const struct line *line)
{
	struct field field = {line_number(line, "id", 0), line_number(line, "value", 0)};

	if (s->number == 0 && s->base_count < MAX_FIELDS)
		s->base[s->base_count++] = field;
	else if (s->number > 0 && s->platform_count < MAX_FIELDS)
		s->platform[s->platform_count++] = field;
}

void replay_sysrd(struct replay *r, const char *path, unsigned outcomes[3])
{
	static struct sysrd s;

	s = (struct sysrd){.number = -1};
	r->path = path;
	if (!text_read(&r->text, path)) {
		outcomes[FAILED]++;
		return;
	}
	for (size_t i = 0; i < r->text.count; i++) {
		const char *source = r->text.line[i];
		struct line line;

		if (strncmp(source, "# platform ", 11) == 0) {
			check_platform(r, &s, outcomes);
			s.number++;
			s.platform_count = 0;
			continue;
		}
		line_parse(&line, source + (strncmp(source, "#   ", 4) == 0 ? 4 : 0));
		if (line_is(&line, "field"))
			take_field(&s, &line);
		else
			header_line(&r->machine, &line);
		line_free(&line);
	}
	check_platform(r, &s, outcomes);
	text_free(&r->text);
}
