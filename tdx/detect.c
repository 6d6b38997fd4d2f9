/* SPDX-License-Identifier: MIT */
#include "tdx/detect.h"

#include <stddef.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "core/string.h"
#include "vmx/vmx.h"

#define MSR_TSC_ADJUST         0x3bU
#define MSR_APIC_BASE          0x1bU
#define MSR_KEYID_PARTITIONING 0x87U
#define MSR_MICROCODE          0x8bU
#define MSR_MTRRCAP            0xfeU
#define MSR_MISC_ENABLE        0x1a0U
#define MSR_PAT                0x277U
#define MSR_MTRR_DEF_TYPE      0x2ffU
#define MSR_MTRR_VARIABLE      0x200U
#define MSR_TME_ACTIVATE       0x982U
#define MSR_SEAMRR_BASE        0x1400U
#define MSR_SEAMRR_MASK        0x1401U

#define APIC_BASE_ENABLE        (UINT64_C(1) << 11)
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

/* What one CPU answers. A row of zeros in `has` bits means that reading took #GP. */
struct facts {
	uint64_t tsc_adjust, apic_base, keyids, microcode, mtrrcap, misc_enable, pat, mtrrs;
	uint64_t tme_activate, seamrr_base, seamrr_mask, feature_control;
	bool has_keyids, has_tme, has_seamrr, has_apic_base, has_feature_control;
	bool has_vmx, has_movdir64b;
};

static struct facts facts_of[MAX_CPUS];

#define MAX_ROWS 24
static struct tdx_check rows[MAX_ROWS];
static unsigned row_count;

/* ---- Reading ---- */

static uint64_t msr_or_zero(uint32_t msr)
{
	uint64_t value = 0;

	return hw_rdmsr_safe(msr, &value) ? 0 : value;
}

/* All MTRRs in one number, to be compared between CPUs. */
static uint64_t mtrr_digest(void)
{
	uint64_t digest = msr_or_zero(MSR_MTRR_DEF_TYPE);
	unsigned variable = (unsigned)(msr_or_zero(MSR_MTRRCAP) & 0xff);

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
	f->tsc_adjust = msr_or_zero(MSR_TSC_ADJUST);
	f->has_apic_base = !hw_rdmsr_safe(MSR_APIC_BASE, &f->apic_base);
	f->has_keyids = !hw_rdmsr_safe(MSR_KEYID_PARTITIONING, &f->keyids);
	f->has_tme = !hw_rdmsr_safe(MSR_TME_ACTIVATE, &f->tme_activate);
	f->has_seamrr = !hw_rdmsr_safe(MSR_SEAMRR_BASE, &f->seamrr_base) &&
			!hw_rdmsr_safe(MSR_SEAMRR_MASK, &f->seamrr_mask);
	f->has_feature_control = !hw_rdmsr_safe(MSR_FEATURE_CONTROL, &f->feature_control);
	f->microcode = msr_or_zero(MSR_MICROCODE);
	f->mtrrcap = msr_or_zero(MSR_MTRRCAP);
	f->misc_enable = msr_or_zero(MSR_MISC_ENABLE);
	f->pat = msr_or_zero(MSR_PAT);
	f->mtrrs = mtrr_digest();
	f->has_vmx = hw_cpuid(1, 0).ecx & CPUID_1_ECX_VMX;
	f->has_movdir64b = hw_cpuid(7, 0).ecx & CPUID_7_ECX_MOVDIR64B;
}

/* The module refuses CPUs whose offsets differ; nobody writes the MSR again afterwards. */
static void equalise_tsc_adjust(void *arg)
{
	struct facts *f = &facts_of[this_cpu()];

	(void)arg;
	if (f->tsc_adjust != facts_of[0].tsc_adjust &&
	    !hw_wrmsr_safe(MSR_TSC_ADJUST, facts_of[0].tsc_adjust))
		f->tsc_adjust = facts_of[0].tsc_adjust;
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

void tdx_check_each(void (*emit)(void *ctx, const struct tdx_check *row), void *ctx)
{
	for (unsigned i = 0; i < row_count; i++)
		emit(ctx, &rows[i]);
}

/* A condition on one CPU's facts. */
struct rule {
	const char *name;
	bool (*holds)(const struct facts *f);
	void (*describe)(const struct facts *f, char *buf, size_t size);
	const char *needed, *hint;
	bool rules_out;
};

static void hex(char *buf, size_t size, bool known, uint64_t v)
{
	if (known)
		format(buf, size, "%#llx", (unsigned long long)v);
	else
		format(buf, size, "no such MSR");
}

static uint32_t private_keyids(const struct facts *f) { return (uint32_t)(f->keyids >> 32); }

static bool vmx_ok(const struct facts *f) { return f->has_vmx; }
static void vmx_text(const struct facts *f, char *b, size_t n)
{
	format(b, n, "%s", f->has_vmx ? "present" : "absent");
}

static bool feature_control_ok(const struct facts *f)
{
	return f->has_feature_control && (!(f->feature_control & FEATURE_CONTROL_LOCK) ||
					  (f->feature_control & FEATURE_CONTROL_VMX_NO_SMX));
}
static void feature_control_text(const struct facts *f, char *b, size_t n)
{
	hex(b, n, f->has_feature_control, f->feature_control);
}

static bool keyids_ok(const struct facts *f)
{
	return f->has_keyids && private_keyids(f) >= PRIVATE_KEYIDS_NEEDED &&
	       private_keyids(f) <= UINT16_MAX && (uint32_t)f->keyids < UINT16_MAX;
}
static void keyids_text(const struct facts *f, char *b, size_t n)
{
	if (f->has_keyids)
		format(b, n, "%u private, %u shared", private_keyids(f), (uint32_t)f->keyids);
	else
		hex(b, n, false, 0);
}

static bool tme_ok(const struct facts *f)
{
	return f->has_tme && (f->tme_activate & TME_ACTIVATE_ENABLED) == TME_ACTIVATE_ENABLED;
}
static void tme_text(const struct facts *f, char *b, size_t n)
{
	hex(b, n, f->has_tme, f->tme_activate);
}

static bool seamrr_ok(const struct facts *f)
{
	return (f->mtrrcap & MTRRCAP_SEAMRR) && f->has_seamrr &&
	       (f->seamrr_base & SEAMRR_BASE_CONFIGURED) &&
	       (f->seamrr_mask & SEAMRR_MASK_ENABLED) == SEAMRR_MASK_ENABLED;
}
static void seamrr_text(const struct facts *f, char *b, size_t n)
{
	if (f->has_seamrr)
		format(b, n, "base %#llx mask %#llx", (unsigned long long)f->seamrr_base,
		       (unsigned long long)f->seamrr_mask);
	else
		hex(b, n, false, 0);
}

static bool apic_ok(const struct facts *f)
{
	return !f->has_apic_base || (f->apic_base & APIC_BASE_ENABLE);
}
static void apic_text(const struct facts *f, char *b, size_t n)
{
	hex(b, n, f->has_apic_base, f->apic_base);
}

static bool cpuid_limit_ok(const struct facts *f)
{
	return !(f->misc_enable & MISC_ENABLE_LIMIT_CPUID);
}
static void misc_text(const struct facts *f, char *b, size_t n)
{
	hex(b, n, true, f->misc_enable);
}

static bool movdir64b_ok(const struct facts *f) { return f->has_movdir64b; }
static void movdir64b_text(const struct facts *f, char *b, size_t n)
{
	format(b, n, "%s", f->has_movdir64b ? "present" : "absent, plain stores are used");
}

static const struct rule rules[] = {
	{"VMX (CPUID.1:ECX.5)", vmx_ok, vmx_text, "present", "enable Intel VT-x", true},
	{"FEATURE_CONTROL (MSR 0x3a)", feature_control_ok, feature_control_text,
	 "unlocked, or bits 0 and 2", "enable Intel VT-x", true},
	{"KeyID partition (MSR 0x87)", keyids_ok, keyids_text, "2 or more private KeyIDs",
	 "enable TME-MT and TDX, TDX key split > 0", true},
	{"TME (MSR 0x982)", tme_ok, tme_text, "bits 0 and 1", "enable TME", false},
	{"SEAMRR (MSRs 0x1400, 0x1401)", seamrr_ok, seamrr_text, "configured, locked, enabled",
	 "enable TDX and the SEAM loader", false},
	{"local APIC (MSR 0x1b)", apic_ok, apic_text, "enabled (bit 11)",
	 "enable the local APIC", true},
	{"CPUID limit (MSR 0x1a0)", cpuid_limit_ok, misc_text, "bit 22 clear",
	 "disable Limit CPUID Maximum", true},
	{"MOVDIR64B (CPUID.7:ECX.28)", movdir64b_ok, movdir64b_text, "present", "", false},
};

/* MSRs that must read the same everywhere. */
static const struct {
	const char *name;
	size_t offset;
} equal[] = {
	{"TSC_ADJUST (MSR 0x3b) equal", offsetof(struct facts, tsc_adjust)},
	{"KeyID partition equal", offsetof(struct facts, keyids)},
	{"TME equal", offsetof(struct facts, tme_activate)},
	{"SEAMRR base equal", offsetof(struct facts, seamrr_base)},
	{"SEAMRR mask equal", offsetof(struct facts, seamrr_mask)},
	{"PAT equal", offsetof(struct facts, pat)},
	{"MTRRs equal", offsetof(struct facts, mtrrs)},
	{"microcode equal", offsetof(struct facts, microcode)},
};

/* Judges a rule by the worst CPU. */
static bool apply_rule(const struct rule *rule)
{
	char found[sizeof(rows[0].found)];
	unsigned worst = 0;

	for (unsigned i = 0; i < cpu_count; i++)
		if (!rule->holds(&facts_of[i])) {
			worst = i;
			break;
		}
	rule->describe(&facts_of[worst], found, sizeof(found));
	tdx_check_add(rule->name, rule->holds(&facts_of[worst]), found, rule->needed,
		      rule->hint);
	return rows[row_count - 1].ok || !rule->rules_out;
}

static uint64_t fact_at(unsigned cpu, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)&facts_of[cpu] + offset, sizeof(value));
	return value;
}

static bool apply_equal(const char *name, size_t offset)
{
	char found[sizeof(rows[0].found)];
	unsigned other = 0;

	for (unsigned i = 1; i < cpu_count && other == 0; i++)
		if (fact_at(i, offset) != fact_at(0, offset))
			other = i;
	if (other == 0)
		format(found, sizeof(found), "equal");
	else
		format(found, sizeof(found), "cpu%u %#llx", other,
		       (unsigned long long)fact_at(other, offset));
	tdx_check_add(name, other == 0, found, "as on cpu0",
		      "update the firmware: CPUs are set up differently");
	return other == 0;
}

static bool apply_all_cpus(void)
{
	char found[sizeof(rows[0].found)];

	format(found, sizeof(found), "%u online, %u missing", cpu_count, cpu_missing_count);
	tdx_check_add("all CPUs", cpu_missing_count == 0, found, "every CPU online",
		      "the module wants every logical processor");
	return cpu_missing_count == 0;
}

/* KeyIDs take the uppermost physical-address bits. */
static unsigned keyid_shift(void)
{
	unsigned maxphyaddr = hw_cpuid(0x80000008, 0).eax & 0xff;
	unsigned keyid_bits = (unsigned)(facts_of[0].tme_activate >> 32 & 0xf);

	return maxphyaddr > keyid_bits ? maxphyaddr - keyid_bits : 52;
}

const struct tdx_check *tdx_detect(struct tdx_platform_facts *facts)
{
	const struct tdx_check *refused = NULL;

	row_count = 0;
	oncpu_each(read_this_cpu, NULL);
	oncpu_each(equalise_tsc_adjust, NULL);
	if (!apply_all_cpus())
		refused = &rows[row_count - 1];
	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!apply_rule(&rules[i]) && !refused)
			refused = &rows[row_count - 1];
	for (unsigned i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
		if (!apply_equal(equal[i].name, equal[i].offset) && !refused)
			refused = &rows[row_count - 1];
	tdx_check_add("DMA protection (VT-d)", false, "no DMA protection",
		      "VT-d, empty domains", "");
	facts->first_private_keyid = (uint32_t)facts_of[0].keyids + 1;
	facts->private_keyid_count = private_keyids(&facts_of[0]);
	facts->keyid_shift = keyid_shift();
	return refused;
}
