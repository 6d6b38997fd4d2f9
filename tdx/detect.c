/* SPDX-License-Identifier: MIT */
#include "tdx/detect.h"

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "core/string.h"
#include "core/x86.h"
#include "tdx/keyid.h"
#include "vmx/vmx.h"

#define MSR_MTRR_DEF_TYPE 0x2ffU
#define MSR_MTRR_VARIABLE 0x200U

#define MTRRCAP_SEAMRR          (UINT64_C(1) << 15)
#define MISC_ENABLE_LIMIT_CPUID (UINT64_C(1) << 22)
#define TME_ACTIVATE_ENABLED    UINT64_C(3) /* locked and enabled */
#define SEAMRR_BASE_CONFIGURED  (UINT64_C(1) << 3)
#define SEAMRR_MASK_ENABLED     (UINT64_C(3) << 10) /* locked and enabled */
#define CPUID_1_ECX_VMX         (1U << 5)
#define CPUID_7_ECX_MOVDIR64B   (1U << 28)
#define PRIVATE_KEYIDS_NEEDED   2U /* the module's and one TD's */

static const uint32_t mtrr_fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
				      0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

enum fact {
	TSC_ADJUST,
	APIC_BASE,
	KEYIDS,
	MICROCODE,
	MTRRCAP,
	MISC_ENABLE,
	PAT,
	TME_ACTIVATE,
	SEAMRR_BASE,
	SEAMRR_MASK,
	FEATURE_CONTROL,
	MTRRS, /* all of them in one number, to be compared between CPUs */
	FACTS,
};

static const uint32_t msr_of[MTRRS] = {
	[TSC_ADJUST] = 0x3b,
	[APIC_BASE] = 0x1b,
	[KEYIDS] = 0x87,
	[MICROCODE] = 0x8b,
	[MTRRCAP] = 0xfe,
	[MISC_ENABLE] = 0x1a0,
	[PAT] = 0x277,
	[TME_ACTIVATE] = 0x982,
	[SEAMRR_BASE] = 0x1400,
	[SEAMRR_MASK] = 0x1401,
	[FEATURE_CONTROL] = MSR_FEATURE_CONTROL,
};

/* What one CPU answers. An MSR whose reading took #GP is 0, and not known. */
struct facts {
	uint64_t value[FACTS];
	bool is_known[FACTS];
	bool has_vmx, has_movdir64b;
};

static struct facts facts_of[MAX_CPUS];

#define MAX_ROWS 24
static struct tdx_check rows[MAX_ROWS];
static unsigned row_count;
static const struct tdx_check *refused; /* the first row that rules TDX out */

/* ---- Reading ---- */

static uint64_t msr_or_zero(uint32_t msr)
{
	uint64_t value = 0;

	return hw_rdmsr_safe(msr, &value) ? 0 : value;
}

static uint64_t mtrr_digest(unsigned variable)
{
	uint64_t digest = msr_or_zero(MSR_MTRR_DEF_TYPE);

	for (unsigned i = 0; i < sizeof(mtrr_fixed) / sizeof(mtrr_fixed[0]); i++)
		digest = digest * UINT64_C(1099511628211) ^ msr_or_zero(mtrr_fixed[i]);
	for (unsigned i = 0; i < 2 * variable; i++)
		digest = digest * UINT64_C(1099511628211) ^ msr_or_zero(MSR_MTRR_VARIABLE + i);
	return digest;
}

static void read_this_cpu(void *arg)
{
	struct facts *f = &facts_of[this_cpu()];

	(void)arg;
	*f = (struct facts){0};
	for (unsigned i = 0; i < MTRRS; i++)
		f->is_known[i] = !hw_rdmsr_safe(msr_of[i], &f->value[i]);
	f->value[MTRRS] = mtrr_digest(f->value[MTRRCAP] & 0xff);
	f->has_vmx = hw_cpuid(1, 0).ecx & CPUID_1_ECX_VMX;
	f->has_movdir64b = hw_cpuid(7, 0).ecx & CPUID_7_ECX_MOVDIR64B;
}

/* The module refuses CPUs whose offsets differ; nobody writes the MSR again afterwards. */
static void equalise_tsc_adjust(void *arg)
{
	uint64_t *mine = &facts_of[this_cpu()].value[TSC_ADJUST];
	uint64_t wanted = facts_of[0].value[TSC_ADJUST];

	(void)arg;
	if (*mine != wanted && !hw_wrmsr_safe(msr_of[TSC_ADJUST], wanted))
		*mine = wanted;
}

/* ---- Rows ---- */

void tdx_check_add(const char *name, bool ok, const char *found, const char *needed,
		   const char *hint)
{
	struct tdx_check *row = &rows[row_count];

	if (row_count == MAX_ROWS)
		return;
	row_count++;
	row->name = name;
	row->ok = ok;
	row->hint = ok ? "" : hint;
	(void)string_copy(row->found, sizeof(row->found), found);
	(void)string_copy(row->needed, sizeof(row->needed), needed);
}

/* The same for a row that rules TDX out unless it is ok. */
static void demand(const char *name, bool ok, const char *found, const char *needed,
		   const char *hint)
{
	tdx_check_add(name, ok, found, needed, hint);
	if (!ok && !refused)
		refused = &rows[row_count - 1];
}

void tdx_check_each(void (*emit)(void *ctx, const struct tdx_check *row), void *ctx)
{
	for (unsigned i = 0; i < row_count; i++)
		emit(ctx, &rows[i]);
}

/* A condition on one CPU's facts: says what it found, and whether it holds. */
struct rule {
	const char *name;
	bool (*holds)(const struct facts *f, char *found, size_t size);
	const char *needed, *hint;
	bool rules_out;
};

static void describe_msr(const struct facts *f, enum fact msr, char *found, size_t size)
{
	if (f->is_known[msr])
		format(found, size, "%#llx", (unsigned long long)f->value[msr]);
	else
		format(found, size, "no such MSR");
}

static uint32_t private_keyids(const struct facts *f)
{
	return (uint32_t)(f->value[KEYIDS] >> 32);
}
static uint32_t shared_keyids(const struct facts *f) { return (uint32_t)f->value[KEYIDS]; }

static bool vmx_ok(const struct facts *f, char *found, size_t size)
{
	format(found, size, "%s", f->has_vmx ? "present" : "absent");
	return f->has_vmx;
}

static bool feature_control_ok(const struct facts *f, char *found, size_t size)
{
	uint64_t v = f->value[FEATURE_CONTROL];

	describe_msr(f, FEATURE_CONTROL, found, size);
	return f->is_known[FEATURE_CONTROL] &&
	       (!(v & FEATURE_CONTROL_LOCK) || (v & FEATURE_CONTROL_VMX_NO_SMX));
}

static bool keyids_ok(const struct facts *f, char *found, size_t size)
{
	describe_msr(f, KEYIDS, found, size);
	if (f->is_known[KEYIDS])
		format(found, size, "%u private, %u shared", private_keyids(f),
		       shared_keyids(f));
	return private_keyids(f) >= PRIVATE_KEYIDS_NEEDED && private_keyids(f) <= UINT16_MAX &&
	       shared_keyids(f) < UINT16_MAX;
}

static bool tme_ok(const struct facts *f, char *found, size_t size)
{
	describe_msr(f, TME_ACTIVATE, found, size);
	return (f->value[TME_ACTIVATE] & TME_ACTIVATE_ENABLED) == TME_ACTIVATE_ENABLED;
}

static bool seamrr_ok(const struct facts *f, char *found, size_t size)
{
	describe_msr(f, SEAMRR_MASK, found, size);
	if (f->is_known[SEAMRR_BASE] && f->is_known[SEAMRR_MASK])
		format(found, size, "base %#llx mask %#llx",
		       (unsigned long long)f->value[SEAMRR_BASE],
		       (unsigned long long)f->value[SEAMRR_MASK]);
	return (f->value[MTRRCAP] & MTRRCAP_SEAMRR) &&
	       (f->value[SEAMRR_BASE] & SEAMRR_BASE_CONFIGURED) &&
	       (f->value[SEAMRR_MASK] & SEAMRR_MASK_ENABLED) == SEAMRR_MASK_ENABLED;
}

static bool apic_ok(const struct facts *f, char *found, size_t size)
{
	describe_msr(f, APIC_BASE, found, size);
	return !f->is_known[APIC_BASE] || (f->value[APIC_BASE] & APIC_BASE_ENABLE);
}

static bool cpuid_limit_ok(const struct facts *f, char *found, size_t size)
{
	describe_msr(f, MISC_ENABLE, found, size);
	return !(f->value[MISC_ENABLE] & MISC_ENABLE_LIMIT_CPUID);
}

static bool movdir64b_ok(const struct facts *f, char *found, size_t size)
{
	format(found, size, "%s",
	       f->has_movdir64b ? "present" : "absent, plain stores are used");
	return f->has_movdir64b;
}

static const struct rule rules[] = {
	{"VMX (CPUID.1:ECX.5)", vmx_ok, "present", "enable Intel VT-x", true},
	{"FEATURE_CONTROL (MSR 0x3a)", feature_control_ok, "unlocked, or bits 0 and 2",
	 "enable Intel VT-x", true},
	{"KeyID partition (MSR 0x87)", keyids_ok, "2 or more private KeyIDs",
	 "enable TME-MT and TDX, TDX key split > 0", true},
	{"TME (MSR 0x982)", tme_ok, "bits 0 and 1", "enable TME", false},
	{"SEAMRR (MSRs 0x1400, 0x1401)", seamrr_ok, "configured, locked, enabled",
	 "enable TDX and the SEAM loader", false},
	{"local APIC (MSR 0x1b)", apic_ok, "enabled (bit 11)", "enable the local APIC", true},
	{"CPUID limit (MSR 0x1a0)", cpuid_limit_ok, "bit 22 clear",
	 "disable Limit CPUID Maximum", true},
	{"MOVDIR64B (CPUID.7:ECX.28)", movdir64b_ok, "present", "", false},
};

/* What must read the same everywhere. */
static const struct {
	const char *name;
	enum fact fact;
} equal[] = {
	{"TSC_ADJUST (MSR 0x3b) equal", TSC_ADJUST},
	{"KeyID partition equal", KEYIDS},
	{"TME equal", TME_ACTIVATE},
	{"SEAMRR base equal", SEAMRR_BASE},
	{"SEAMRR mask equal", SEAMRR_MASK},
	{"PAT equal", PAT},
	{"MTRRs equal", MTRRS},
	{"microcode equal", MICROCODE},
};

/* Judges by a CPU on which the rule does not hold or, if there is none, by the BSP. */
static void apply_rule(const struct rule *rule)
{
	char found[sizeof(rows[0].found)];
	bool ok = true;

	for (unsigned cpu = cpu_count; ok && cpu-- > 0;)
		ok = rule->holds(&facts_of[cpu], found, sizeof(found));
	if (rule->rules_out)
		demand(rule->name, ok, found, rule->needed, rule->hint);
	else
		tdx_check_add(rule->name, ok, found, rule->needed, rule->hint);
}

static void apply_equal(const char *name, enum fact fact)
{
	char found[sizeof(rows[0].found)] = "equal";
	unsigned cpu = cpu_count - 1;

	while (cpu > 0 && facts_of[cpu].value[fact] == facts_of[0].value[fact])
		cpu--;
	if (cpu > 0)
		format(found, sizeof(found), "cpu%u %#llx", cpu,
		       (unsigned long long)facts_of[cpu].value[fact]);
	demand(name, cpu == 0, found, "as on cpu0",
	       "update the firmware: CPUs are set up differently");
}

static void apply_all_cpus(void)
{
	char found[sizeof(rows[0].found)];

	format(found, sizeof(found), "%u online, %u missing", cpu_count, cpu_missing_count);
	demand("all CPUs", cpu_missing_count == 0, found, "every CPU online",
	       "the module wants every logical processor");
}

/* KeyIDs take the uppermost physical-address bits. */
static unsigned keyid_shift(void)
{
	unsigned maxphyaddr = hw_cpuid(0x80000008, 0).eax & 0xff;
	unsigned keyid_bits = (unsigned)(facts_of[0].value[TME_ACTIVATE] >> 32 & 0xf);

	return maxphyaddr > keyid_bits ? maxphyaddr - keyid_bits : 52;
}

const struct tdx_check *tdx_detect(void)
{
	row_count = 0;
	refused = NULL;
	oncpu_each(read_this_cpu, NULL);
	oncpu_each(equalise_tsc_adjust, NULL);
	apply_all_cpus();
	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		apply_rule(&rules[i]);
	for (unsigned i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
		apply_equal(equal[i].name, equal[i].fact);
	tdx_check_add("DMA protection (VT-d)", false, "no DMA protection",
		      "VT-d, empty domains", "");
	if (!refused)
		keyid_init((uint16_t)(shared_keyids(&facts_of[0]) + 1),
			   (uint16_t)private_keyids(&facts_of[0]), keyid_shift());
	return refused;
}
