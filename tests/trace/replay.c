/* SPDX-License-Identifier: MIT */
#include "tests/trace/replay.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/trace/rules.h"

#define EVENT_VALID   UINT32_C(0x80000000)
#define CS_64_BIT     0xa09b
#define REASON_CPUID  10
#define REASON_RDMSR  31
#define REASON_TDCALL 77
#define TDCALL_LENGTH 4

static const char register_name[TDX_GPR_COUNT][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						     "rsi", "rdi", "r8",  "r9",  "r10", "r11",
						     "r12", "r13", "r14", "r15"};

static void run_items(struct replay *r, size_t end);

/* ---- divergences ---------------------------------------------------------- */

/* Prints where, what was expected and what came, the rule that says so, and the line. */
__attribute__((format(printf, 4, 5), noreturn)) static void
diverge(struct replay *r, size_t line, const char *rule, const char *format, ...)
{
	va_list args;

	if (!r->quiet) {
		printf("%s:%zu: ", r->path, line + 1);
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		printf("\n    rule: %s\n    %.400s\n", rule, r->text.line[line]);
	}
	longjmp(r->failed, 1);
}

/*
 * One register against a word of the trace; NULL: it must be `unlisted`. The rule is that of
 * registers other than RAX.
 */
static void compare(struct replay *r, size_t at, const char *rule, unsigned reg, uint64_t got,
		    const char *want, uint64_t unlisted)
{
	uint64_t value = want ? parse_number(want) : unlisted;

	if (want && want[0] == '~')
		return;
	if (got == value || reg == TDX_RSP)
		return;
	if (reg == TDX_RAX)
		diverge(r, at, rule_of_status(value, got),
			"rax: expected %#" PRIx64 " %s, got %#" PRIx64 " %s", value,
			tdx_model_status_name(value), got, tdx_model_status_name(got));
	diverge(r, at, rule, "%s: expected %#" PRIx64 "%s, got %#" PRIx64, register_name[reg],
		value, want ? "" : " (unlisted)", got);
}

static const char *result_of(const struct line *line, unsigned reg)
{
	return line_text(line, RESULT, register_name[reg]);
}

/* ---- memory and injections ------------------------------------------------ */

/* The length of a store, which the platform's memory must be able to hold. */
static uint64_t length_of(struct replay *r, size_t at, const struct line *line)
{
	uint64_t length = line_number(line, "len", 0);

	if (length > r->machine.memory_size)
		diverge(r, at, RULE_TRACE, "more bytes than the platform has");
	return length;
}

/* The digits of the bytes at the line's end, `length` bytes. */
static const char *bytes_of(struct replay *r, size_t at, const struct line *line,
			    uint64_t length)
{
	const char *hex = line->word[line->count - 1];

	if (strlen(hex) != 2 * length)
		diverge(r, at, RULE_TRACE, "not as many bytes as it says");
	return hex;
}

static void host_write(struct replay *r, size_t at, uint64_t hpa, const struct line *line)
{
	uint64_t length = length_of(r, at, line);
	const char *hex = bytes_of(r, at, line, length);

	for (uint64_t i = 0; i < length; i++)
		*machine_memory(&r->machine, hpa + i) = (uint8_t)parse_byte(hex + 2 * i);
}

static void host_read(struct replay *r, size_t at, uint64_t hpa, const struct line *line)
{
	uint64_t length = length_of(r, at, line);
	const char *hex = bytes_of(r, at, line, length);

	for (uint64_t i = 0; i < length; i++) {
		int want = parse_byte(hex + 2 * i);
		int got = *machine_memory(&r->machine, hpa + i);

		if (want >= 0 && want != got)
			diverge(r, at, RULE_MEMORY, "byte %" PRIu64 ": expected %02x, got %02x",
				i, want, got);
	}
}

static void host_fill(struct replay *r, size_t at, const struct line *line)
{
	uint64_t pa = line_number(line, "pa", 0), length = length_of(r, at, line);
	uint8_t byte = (uint8_t)line_number(line, "byte", 0);

	for (uint64_t i = 0; i < length; i++)
		*machine_memory(&r->machine, pa + i) = byte;
}

static void host_pattern(struct replay *r, size_t at, const struct line *line)
{
	uint64_t pa = line_number(line, "pa", 0), length = length_of(r, at, line);
	uint64_t state = line_number(line, "seed", 0);

	for (uint64_t i = 0; i + 8 <= length; i += 8) {
		uint64_t value = pattern_next(&state);

		memcpy(machine_memory(&r->machine, pa + i), &value, 8);
	}
}

static void inject_cpuid(struct replay *r, const struct line *line)
{
	struct cpuid_override override = {
		.leaf = (uint32_t)line_number(line, "leaf", 0),
		.subleaf = (uint32_t)line_number(line, "subleaf", 0),
		.regs = {(uint32_t)line_number(line, "eax", 0),
			 (uint32_t)line_number(line, "ebx", 0),
			 (uint32_t)line_number(line, "ecx", 0),
			 (uint32_t)line_number(line, "edx", 0)},
	};

	machine_set_cpuid(&r->machine, &override);
}

static void inject(struct replay *r, const struct line *line)
{
	struct machine *m = &r->machine;
	const char *what = line->count > 1 ? line->word[1] : "";
	unsigned lp = (unsigned)line_number(line, "lp", 0);

	if (strcmp(what, "intr") == 0) {
		m->interrupts[lp].after = line_number(line, "after", 0);
		m->interrupts[lp].times = (int64_t)line_number(line, "times", 0);
	} else if (strcmp(what, "rflags_if") == 0) {
		m->interrupts[lp].blocked = line_number(line, "value", 1) == 0;
	} else if (strcmp(what, "pconfig") == 0) {
		m->pconfig_code = (unsigned)line_number(line, "code", 0);
		m->pconfig_failures = line_number(line, "count", 0);
	} else if (strcmp(what, "rng") == 0) {
		m->rdrand_failures = line_number(line, "rdrand", 0);
		m->rdseed_failures = line_number(line, "rdseed", 0);
	} else if (strcmp(what, "msr") == 0) {
		machine_set_msr(m, lp, (uint32_t)line_number(line, "msr", 0),
				line_number(line, "value", 0));
	} else if (strcmp(what, "cpuid") == 0) {
		inject_cpuid(r, line);
	} else {
		diverge(r, r->at, RULE_TRACE, "unknown injection");
	}
}

/* ---- SEAMCALLs ------------------------------------------------------------ */

static void load_registers(const struct line *line, uint64_t gpr[TDX_GPR_COUNT])
{
	for (unsigned i = 0; i < line->arrow; i++) {
		int reg = parse_register(line->word[i]);

		if (reg >= 0)
			gpr[reg] = parse_number(strchr(line->word[i], '=') + 1);
	}
}

static uint64_t rax_of(const struct line *line)
{
	const char *raw = line_text(line, INPUT, "raxin");

	if (raw)
		return parse_number(raw);
	return line_number(line, "leaf", 0) | line_number(line, "ver", 0) << 16;
}

static void compare_call(struct replay *r, size_t at, const struct line *line,
			 const struct tdx_regs *before, const struct tdx_regs *after)
{
	for (unsigned reg = 0; reg < TDX_GPR_COUNT; reg++) {
		const char *want = result_of(line, reg);

		if ((reg != TDX_RAX && r->level < 2) || (!want && r->level < 3))
			continue;
		compare(r, at, want ? RULE_OUTPUTS : RULE_UNTOUCHED, reg, after->gpr[reg], want,
			before->gpr[reg]);
	}
}

static uint64_t repetitions(const struct line *line)
{
	if (line->count > 2 && line->word[2][0] == 'x')
		return parse_number(line->word[2] + 1);
	return 1;
}

static void run_call(struct replay *r, size_t at, const struct line *line)
{
	unsigned lp = (unsigned)line_number(line, "lp", 0);
	struct tdx_regs before = {{0}};

	load_registers(line, before.gpr);
	before.gpr[TDX_RAX] = rax_of(line);
	for (uint64_t i = repetitions(line); i > 0; i--) {
		struct tdx_regs regs = before;

		tdx_model_seamcall(r->model, lp, &regs);
		compare_call(r, at, line, &before, &regs);
	}
}

/* ---- guest blocks --------------------------------------------------------- */

static bool line_has_lp(const struct line *line, unsigned lp)
{
	return line_number(line, "lp", ~UINT64_C(0)) == lp;
}

static void compare_event(struct replay *r, size_t at, const struct line *line,
			  struct tdx_guest_state *state, enum side side)
{
	const char *event = line_text(line, side, "event");
	const char *error = line_text(line, side, "err");
	uint64_t want = event ? parse_number(event) : 0;

	if (state->event != want)
		diverge(r, at, RULE_EVENTS, "event: expected %#" PRIx64 ", got %#x", want,
			state->event);
	if (error && state->event_error != parse_number(error))
		diverge(r, at, RULE_EVENTS, "error code: expected %s, got %#x", error,
			state->event_error);
	state->event = 0;
}

static void compare_entry(struct replay *r, size_t at, const struct line *line,
			  struct tdx_guest_state *state)
{
	for (unsigned reg = 0; reg < TDX_GPR_COUNT; reg++)
		compare(r, at, RULE_ENTRY, reg, state->gpr[reg],
			line_text(line, INPUT, register_name[reg]), 0);
	compare_event(r, at, line, state, INPUT);
}

/* Values of CPUID and RDMSR come from a CPU that the trace does not describe. */
static bool value_is_foreign(const struct replay *r, const struct line *line)
{
	uint64_t reason = line_number(line, "reason", 0);

	return r->lenient_values && line_text(line, INPUT, "reason") &&
	       (reason == REASON_CPUID || reason == REASON_RDMSR);
}

static void compare_resume(struct replay *r, size_t at, const struct line *line,
			   const struct block *block, struct tdx_guest_state *state)
{
	bool foreign = value_is_foreign(r, line);

	if (line->arrow >= line->count || strcmp(line->word[line->arrow], "ret") != 0)
		diverge(r, at, RULE_EXITS, "expected a TD exit, but the guest was resumed");
	compare_event(r, at, line, state, RESULT);
	for (unsigned reg = 0; reg < TDX_GPR_COUNT; reg++) {
		const char *want = result_of(line, reg);
		uint64_t value = want && want[0] != '~' ? parse_number(want) : block->gpr[reg];

		if (!foreign) {
			compare(r, at, RULE_GUEST, reg, state->gpr[reg], want, block->gpr[reg]);
		} else if (reg != TDX_RSP && state->gpr[reg] != value) {
			state->gpr[reg] = value;
			r->not_compared++;
		}
	}
}

static void guest_memory(struct replay *r, size_t at, const struct line *line,
			 const struct tdx_vcpu_view *vcpu)
{
	uint64_t gpa = line_number(line, "gpa", 0), want = line_number(line, "hpa", 0);
	uint64_t hpa = 0;
	unsigned level;

	if (tdx_model_translate(r->model, vcpu->tdr_hpa, gpa, &hpa, &level) != TDX_GPA_MAPPED ||
	    hpa != want)
		diverge(r, at, RULE_MAPPING,
			"gpa %#" PRIx64 " maps to %#" PRIx64 ", expected %#" PRIx64, gpa, hpa,
			want);
	if (line_is(line, "gwrite"))
		host_write(r, at, hpa, line);
	else
		host_read(r, at, hpa, line);
}

/* Loads what the guest does next into the state and the exit record. */
static void act(const struct line *line, struct tdx_guest_state *state, struct tdx_exit *exit)
{
	load_registers(line, state->gpr);
	if (strcmp(line->word[2], "tdcall") == 0) {
		state->gpr[TDX_RAX] = rax_of(line);
		state->segment[TDX_CS].access_rights = CS_64_BIT;
		exit->reason = REASON_TDCALL;
		exit->instruction_length = TDCALL_LENGTH;
	} else {
		exit->reason = (uint32_t)line_number(line, "reason", 0);
		exit->instruction_length = (uint32_t)line_number(line, "ilen", 0);
	}
	exit->qualification = line_number(line, "qual", 0);
	exit->gpa = line_number(line, "gpa", 0);
	exit->gla = line_number(line, "gla", 0);
	exit->interruption_info = (uint32_t)line_number(line, "intr", 0);
	exit->instruction_info = (uint32_t)line_number(line, "iinfo", 0);
	exit->rip_advance = line_number(line, "rip_advance", 4096);
	exit->tsc_in_guest = 1000000;
	state->rip += exit->rip_advance;
}

/* Consumes lines until this LP's guest acts; everything else happens on the way. */
static void next_action(struct replay *r, unsigned lp, struct tdx_vcpu_view *vcpu,
			struct tdx_exit *exit)
{
	struct block *block = &r->block[lp];

	for (;;) {
		size_t at = r->at;
		struct line line;
		bool acted = false;

		if (at >= r->text.count)
			diverge(r, at - 1, RULE_TRACE, "the file ends inside a block");
		line_parse(&line, r->text.line[at]);
		if (line_is(&line, "guest") && line_has_lp(&line, lp)) {
			act(&line, vcpu->state, exit);
			memcpy(block->gpr, vcpu->state->gpr, sizeof(block->gpr));
			block->expected = at;
			acted = true;
			r->at++;
		} else if (line_is(&line, "leave") && line_has_lp(&line, lp)) {
			diverge(r, at, RULE_EXITS, "the guest was resumed, but the block ends");
		} else if ((line_is(&line, "gwrite") || line_is(&line, "gread")) &&
			   line_has_lp(&line, lp)) {
			guest_memory(r, at, &line, vcpu);
			r->at++;
		} else {
			run_items(r, at + 1);
		}
		line_free(&line);
		if (acted)
			return;
	}
}

static void run_guest(void *ctx, unsigned lp, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	struct replay *r = ctx;
	struct block *block = &r->block[lp];
	struct line line;

	if (!block->open)
		diverge(r, r->at, RULE_ENTRY,
			"the guest was entered, but the call should have failed");
	if (block->first) {
		line_parse(&line, r->text.line[r->at]);
		compare_entry(r, r->at, &line, vcpu->state);
		block->first = false;
		r->at++;
	} else {
		line_parse(&line, r->text.line[block->expected]);
		compare_resume(r, block->expected, &line, block, vcpu->state);
	}
	line_free(&line);
	next_action(r, lp, vcpu, exit);
}

static void compare_leave(struct replay *r, const struct line *enter,
			  const struct tdx_regs *before, const struct tdx_regs *after)
{
	unsigned lp = (unsigned)line_number(enter, "lp", 0);
	struct line line;

	line_parse(&line, r->text.line[r->block[lp].expected]);
	if (line.arrow >= line.count || strcmp(line.word[line.arrow], "exit") != 0)
		diverge(r, r->block[lp].expected, RULE_EXITS,
			"TD exit %#" PRIx64 ", expected a resume", after->gpr[TDX_RAX]);
	line_free(&line);
	line_parse(&line, r->text.line[r->at]);
	if (!line_is(&line, "leave") || !line_has_lp(&line, lp))
		diverge(r, r->at, RULE_TRACE, "expected the end of the block on LP %u", lp);
	for (unsigned reg = 0; reg < TDX_GPR_COUNT; reg++)
		if (reg == TDX_RAX || r->level >= 2)
			compare(r, r->at, RULE_EXITS, reg, after->gpr[reg],
				result_of(&line, reg), reg == TDX_RSP ? before->gpr[reg] : 0);
	line_free(&line);
	r->at++;
}

static void run_block(struct replay *r, const struct line *enter)
{
	unsigned lp = (unsigned)line_number(enter, "lp", 0);
	struct tdx_regs before = {{0}}, regs;
	size_t at = r->at;

	load_registers(enter, before.gpr);
	before.gpr[TDX_RAX] = 0;
	regs = before;
	r->block[lp] = (struct block){.open = true, .first = true};
	r->at++;
	tdx_model_seamcall(r->model, lp, &regs);
	if (r->block[lp].first)
		diverge(r, at, rule_of_status(0, regs.gpr[TDX_RAX]),
			"the guest was not entered: rax %#" PRIx64 " %s", regs.gpr[TDX_RAX],
			tdx_model_status_name(regs.gpr[TDX_RAX]));
	r->block[lp].open = false;
	compare_leave(r, enter, &before, &regs);
}

/* ---- two LPs inside the module at once ------------------------------------ */

/* The lines from "overlap" to "endoverlap". */
struct overlap {
	size_t first; /* of the inner items */
	size_t outer, end;
};

/* Runs the inner calls when the outer one has come to the chosen point. */
static void tick(void *ctx)
{
	struct replay *r = ctx;
	struct trigger *t = &r->trigger;
	size_t at = r->at;

	if (!t->armed)
		return;
	t->count++;
	if (t->counting || t->count != t->at)
		return;
	t->armed = false;
	r->at = t->from;
	run_items(r, t->to);
	r->at = at;
}

/* The last point of a call is its end, when it has let go of everything. */
static void run_outer(struct replay *r, size_t outer)
{
	struct line line;

	line_parse(&line, r->text.line[outer]);
	run_call(r, outer, &line);
	line_free(&line);
	tick(r);
}

/*
 * In a copy of this process: does everything agree if the inner calls come at `at`, up to
 * line `until`?
 */
static bool try_at(struct replay *r, const struct overlap *o, size_t until, unsigned long at)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		r->quiet = true;
		if (setjmp(r->failed) != 0)
			_exit(1);
		r->trigger = (struct trigger){
			.armed = true, .at = at, .from = o->first, .to = o->outer};
		run_outer(r, o->outer);
		if (r->trigger.armed)
			_exit(1);
		r->at = o->end + 1;
		run_items(r, until);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* How many points the outer call passes when it runs alone. */
static unsigned long count_points(struct replay *r, size_t outer)
{
	unsigned long count = 0;
	int channel[2];
	pid_t child;

	if (pipe(channel) != 0)
		return 0;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		r->quiet = true;
		r->trigger = (struct trigger){.armed = true, .counting = true};
		if (setjmp(r->failed) == 0)
			run_outer(r, outer);
		_exit(write(channel[1], &r->trigger.count, sizeof(count)) == sizeof(count) ? 0
											   : 1);
	}
	close(channel[1]);
	if (read(channel[0], &count, sizeof(count)) != sizeof(count))
		count = 0;
	close(channel[0]);
	waitpid(child, NULL, 0);
	return count;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static struct overlap find_overlap(struct replay *r)
{
	struct overlap o = {.first = r->at + 1, .end = r->at + 1};

	while (o.end < r->text.count && !starts_with(r->text.line[o.end], "endoverlap ")) {
		if (starts_with(r->text.line[o.end], "call "))
			o.outer = o.end;
		o.end++;
	}
	if (o.end == r->text.count || o.outer == 0)
		diverge(r, r->at, RULE_TRACE, "an overlap without an outer call or an end");
	return o;
}

/* The items after an overlap, up to where it is no longer this function's to run them. */
static size_t end_of_aftermath(const struct replay *r, size_t from)
{
	static const char *const stop[] = {"overlap ", "guest ", "leave ",     "gwrite ",
					   "gread ",   "end ",   "endoverlap "};

	for (size_t at = from; at < r->text.count; at++)
		for (unsigned i = 0; i < sizeof(stop) / sizeof(stop[0]); i++)
			if (starts_with(r->text.line[at], stop[i]))
				return at;
	return r->text.count;
}

/* The last point at which all agrees up to `until`; 0: there is none. */
static unsigned long find_point(struct replay *r, const struct overlap *o, size_t until,
				unsigned long points)
{
	while (points > 0 && !try_at(r, o, until, points))
		points--;
	return points;
}

/*
 * The trace says at which of its own steps the inner calls came. This module has
 * other steps; the recorded results must be possible at one of them, best at one that
 * explains what came afterwards too.
 */
static void run_overlap(struct replay *r)
{
	struct overlap o = find_overlap(r);
	bool taken = strstr(r->text.line[o.end], "taken") != NULL;
	unsigned long points = taken ? count_points(r, o.outer) : 0;
	unsigned long at = find_point(r, &o, end_of_aftermath(r, o.end + 1), points);

	if (at == 0)
		at = find_point(r, &o, o.end + 1, points);
	r->trigger = (struct trigger){
		.armed = taken, .at = at > 0 ? at : 1, .from = o.first, .to = o.outer};
	run_outer(r, o.outer);
	if (taken && r->trigger.armed)
		diverge(r, o.outer, RULE_LOCKS, "the inner calls never came to run");
	r->trigger.armed = false;
	r->at = o.end + 1;
}

/* ---- items ---------------------------------------------------------------- */

static void run_item(struct replay *r, const struct line *line)
{
	size_t at = r->at;

	if (line_is(line, "enter")) {
		run_block(r, line);
		return;
	}
	if (line_is(line, "overlap")) {
		run_overlap(r);
		return;
	}
	if (line_is(line, "call"))
		run_call(r, at, line);
	else if (line_is(line, "mem"))
		host_write(r, at, line_number(line, "pa", 0), line);
	else if (line_is(line, "fill"))
		host_fill(r, at, line);
	else if (line_is(line, "pattern"))
		host_pattern(r, at, line);
	else if (line_is(line, "read"))
		host_read(r, at, line_number(line, "pa", 0), line);
	else if (line_is(line, "inject"))
		inject(r, line);
	else if (line->count > 0 && line->word[0][0] != '#')
		diverge(r, at, RULE_TRACE, "unexpected line");
	r->at = at + 1;
}

static void run_items(struct replay *r, size_t end)
{
	while (r->at < end) {
		struct line line;

		line_parse(&line, r->text.line[r->at]);
		run_item(r, &line);
		line_free(&line);
	}
}

/* ---- files ---------------------------------------------------------------- */

static void take_packages(struct tdx_platform *p, const char *list)
{
	unsigned lp = 0;

	for (const char *at = list ? list : ""; *at != '\0' && lp < TDX_MODEL_MAX_LPS; lp++) {
		p->lp_package[lp] = (uint8_t)strtoul(at, NULL, 10);
		at += strcspn(at, ",");
		at += *at == ',';
	}
}

static void take_platform(struct machine *m, const struct line *line)
{
	struct tdx_platform *p = &m->platform;

	p->lp_count = (unsigned)line_number(line, "lps", 1);
	p->package_count = (unsigned)line_number(line, "packages", 1);
	take_packages(p, line_text(line, INPUT, "lp_package"));
	p->max_pa_bits = (unsigned)line_number(line, "max_pa_bits", 52);
	p->keyid_bits = p->max_pa_bits - (unsigned)line_number(line, "keyid_shift", 46);
	p->first_private_keyid = (unsigned)line_number(line, "first_private_keyid", 0);
	p->private_keyid_count = (unsigned)line_number(line, "num_private_keyids", 0);
	p->wbinvd_blocks = (unsigned)line_number(line, "wbinvd_blocks", 1);
	p->cmr_count = 0;
	m->memory_size = line_number(line, "memory", 0);
	m->cpu_fms = (uint32_t)line_number(line, "cpu_fms", 0);
	m->cpuid_allowed_count = 0;
}

static void take_cpuid_config(struct machine *m, const struct line *line)
{
	static const char key[6][8] = {"leaf", "subleaf", "eax", "ebx", "ecx", "edx"};
	uint32_t *row;

	if (m->cpuid_allowed_count == 16)
		return;
	row = m->cpuid_allowed[m->cpuid_allowed_count++];
	for (unsigned i = 0; i < 6; i++)
		row[i] = (uint32_t)line_number(line, key[i], 0);
}

bool header_line(struct machine *m, const struct line *line)
{
	struct tdx_platform *p = &m->platform;
	struct tdx_range range = {line_number(line, "base", 0), line_number(line, "size", 0)};

	if (line_is(line, "module"))
		p->build_date = (uint32_t)line_number(line, "build_date", 0);
	else if (line_is(line, "platform"))
		take_platform(m, line);
	else if (line_is(line, "cmr") && p->cmr_count < TDX_MODEL_MAX_CMRS)
		p->cmr[p->cmr_count++] = range;
	else if (line_is(line, "seamrr"))
		p->seamrr = range;
	else if (line_is(line, "cpuid_config"))
		take_cpuid_config(m, line);
	else
		return false;
	return true;
}

void replay_reset(struct replay *r)
{
	struct tdx_machine callbacks;

	machine_reset(&r->machine);
	r->machine.tick = tick;
	r->machine.run_guest = run_guest;
	r->machine.ctx = r;
	callbacks = machine_callbacks(&r->machine);
	if (!r->model)
		r->model = aligned_alloc(64, (tdx_model_size() + 63) / 64 * 64);
	tdx_model_init(r->model, &r->machine.platform, &callbacks);
	memset(r->block, 0, sizeof(r->block));
	r->trigger.armed = false;
}

void replay_free(struct replay *r)
{
	machine_free(&r->machine);
	free(r->model);
	r->model = NULL;
}

uint64_t replay_call(struct replay *r, unsigned lp, unsigned leaf, struct tdx_regs *regs)
{
	regs->gpr[TDX_RAX] = leaf;
	tdx_model_seamcall(r->model, lp, regs);
	return regs->gpr[TDX_RAX];
}

/* The header, up to and with "begin". */
static bool read_header(struct replay *r)
{
	for (r->at = 0; r->at < r->text.count; r->at++) {
		struct line line;
		bool begin;

		line_parse(&line, r->text.line[r->at]);
		begin = line_is(&line, "begin");
		if (line_is(&line, "needs"))
			for (unsigned i = 1; i < line.count; i++)
				r->lenient_values |= strcmp(line.word[i], "guest-instr") == 0;
		header_line(&r->machine, &line);
		line_free(&line);
		if (begin) {
			r->at++;
			return true;
		}
	}
	return false;
}

static size_t last_item(const struct text *text)
{
	size_t end = text->count;

	while (end > 0 && strncmp(text->line[end - 1], "end ", 4) != 0)
		end--;
	return end > 0 ? end - 1 : 0;
}

/* Apart, because longjmp() leaves the locals of its target's function undefined. */
static enum outcome run_guarded(struct replay *r)
{
	if (setjmp(r->failed) != 0)
		return FAILED;
	run_items(r, last_item(&r->text));
	return PASSED;
}

static bool platform_fits(const struct tdx_platform *p)
{
	return p->lp_count <= TDX_MODEL_MAX_LPS && p->package_count <= TDX_MODEL_MAX_PACKAGES &&
	       p->keyid_bits < p->max_pa_bits;
}

enum outcome replay_trace(struct replay *r, const char *path)
{
	enum outcome outcome = FAILED;

	r->path = path;
	r->lenient_values = false;
	r->quiet = false;
	if (!text_read(&r->text, path)) {
		printf("%s: cannot be read\n", path);
		return FAILED;
	}
	if (r->text.count == 0 || strcmp(r->text.line[0], "seamtrace 1") != 0 ||
	    !read_header(r)) {
		printf("%s: not a seamtrace 1 file\n", path);
	} else if (!platform_fits(&r->machine.platform)) {
		printf("%s: the model has no room for such a platform\n", path);
	} else {
		replay_reset(r);
		outcome = run_guarded(r);
	}
	text_free(&r->text);
	return outcome;
}
