/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "core/hw.h"
#include "core/log.h"
#include "core/string.h"
#include "tdx/global.h"
#include "tdx/td_private.h"

#define XFAM_X87_SSE UINT64_C(3)
#define XFAM_AVX     (UINT64_C(1) << 2)

#define ALL UINT32_MAX

/* CPUID.1:ECX */
#define CPUID_TSC_DEADLINE (1U << 24)
#define CPUID_AVX          (1U << 28)
#define CPUID_F16C         (1U << 29)
/* CPUID.1:EDX */
#define CPUID_SELF_SNOOP (1U << 27)
#define CPUID_HTT        (1U << 28)
/* CPUID.7.0:EBX without what needs state beyond AVX (AVX-512, TSX) or MSRs we do not serve
 * (PQM, PQE) */
#define CPUID_7_EBX (1U << 3 | 1U << 8 | 1U << 9 | 1U << 19)
/* ECX: UMIP, RDPID, CLDEMOTE; GFNI, VAES and VPCLMULQDQ come with AVX */
#define CPUID_7_ECX     (1U << 2 | 1U << 22 | 1U << 25)
#define CPUID_7_ECX_AVX (1U << 8 | 1U << 9 | 1U << 10)
/* EDX: FSRM, SERIALIZE */
#define CPUID_7_EDX (1U << 4 | 1U << 14)
/* CPUID.7.1:EAX: fast short REP; AVX-VNNI comes with AVX */
#define CPUID_7_1_EAX     (1U << 10 | 1U << 11 | 1U << 12)
#define CPUID_7_1_EAX_AVX (1U << 4)
/* CPUID.80000008:EBX: WBNOINVD */
#define CPUID_WBNOINVD (1U << 9)

/*
 * Which bits of the host's CPUID a TD gets where the module leaves the choice to us: enough
 * for an unmodified Linux, nothing whose MSRs or state nobody serves. LA57 stays off.
 */
static const struct {
	struct tdx_cpuid_config_entry wanted;
	uint32_t with_avx_eax, with_avx_ecx;
} choices[] = {
	{{0x1, TDX_CPUID_NO_SUBLEAF, ALL, 0, CPUID_TSC_DEADLINE, CPUID_SELF_SNOOP},
	 0,
	 CPUID_AVX | CPUID_F16C},
	{{0x4, 0, ALL, ALL, ALL, ALL}, 0, 0},
	{{0x4, 1, ALL, ALL, ALL, ALL}, 0, 0},
	{{0x4, 2, ALL, ALL, ALL, ALL}, 0, 0},
	{{0x4, 3, ALL, ALL, ALL, ALL}, 0, 0},
	{{0x7, 0, 0, CPUID_7_EBX, CPUID_7_ECX, CPUID_7_EDX}, 0, CPUID_7_ECX_AVX},
	{{0x7, 1, CPUID_7_1_EAX, 0, 0, 0}, CPUID_7_1_EAX_AVX, 0},
	{{0x80000008, TDX_CPUID_NO_SUBLEAF, 0, CPUID_WBNOINVD, 0, 0}, 0, 0},
};

static struct tdx_cpuid_value wanted_bits(const struct tdx_cpuid_config_entry *e, bool has_avx)
{
	for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct tdx_cpuid_config_entry *w = &choices[i].wanted;

		if (w->leaf != e->leaf || w->subleaf != e->subleaf)
			continue;
		return (struct tdx_cpuid_value){
			w->eax | (has_avx ? choices[i].with_avx_eax : 0), w->ebx,
			w->ecx | (has_avx ? choices[i].with_avx_ecx : 0), w->edx};
	}
	return (struct tdx_cpuid_value){0, 0, 0, 0};
}

/* Topology belongs to the TD, not to the host: one package, one thread a core. */
static void set_topology(const struct tdx_cpuid_config_entry *e, uint32_t vcpus,
			 struct cpuid_regs *r)
{
	if (e->leaf == 0x1) {
		r->ebx = (r->ebx & ~UINT32_C(0x00ff0000)) | (vcpus & 0xff) << 16;
		if (vcpus > 1)
			r->edx |= CPUID_HTT;
	}
	if (e->leaf == 0x4 && (r->eax & 0x1f)) {
		uint32_t cores = (vcpus - 1) & 0x3f;
		uint32_t sharing = e->subleaf == 3 ? vcpus - 1 : 0;

		r->eax = (r->eax & UINT32_C(0x3fff)) | (sharing & 0xfff) << 14 | cores << 26;
	}
}

static struct tdx_cpuid_value choose_cpuid(const struct tdx_cpuid_config_entry *e,
					   uint32_t vcpus, bool has_avx)
{
	uint32_t subleaf = e->subleaf == TDX_CPUID_NO_SUBLEAF ? 0 : e->subleaf;
	struct cpuid_regs host = hw_cpuid(e->leaf, subleaf);
	struct tdx_cpuid_value want = wanted_bits(e, has_avx);

	set_topology(e, vcpus, &host);
	if (e->leaf == 0x1) {
		want.ebx = UINT32_C(0x00ff0000);
		want.edx |= CPUID_HTT;
	}
	return (struct tdx_cpuid_value){
		host.eax & e->eax & want.eax, host.ebx & e->ebx & want.ebx,
		host.ecx & e->ecx & want.ecx, host.edx & e->edx & want.edx};
}

/* x87 and SSE always; AVX where CPU and module know it. */
static uint64_t choose_xfam(void)
{
	const struct tdx_global *g = tdx_global();
	uint64_t cpu = hw_cpuid(0xd, 0).eax;

	return XFAM_X87_SSE | g->xfam_fixed1 | (XFAM_AVX & g->xfam_fixed0 & cpu);
}

static uint16_t choose_tsc(uint64_t tsc_khz)
{
	uint64_t units = (tsc_khz + TDX_TSC_UNIT_KHZ / 2) / TDX_TSC_UNIT_KHZ;

	if (units < TDX_TSC_UNIT_MIN)
		return TDX_TSC_UNIT_MIN;
	return units > TDX_TSC_UNIT_MAX ? TDX_TSC_UNIT_MAX : (uint16_t)units;
}

enum status td_params_build(struct td *td, struct tdx_td_params *out)
{
	const struct tdx_global *g = tdx_global();
	uint64_t attributes = td->params.attributes | g->attributes_fixed1;

	if (attributes & ~g->attributes_fixed0) {
		log_error("TD %s: attributes %#llx: the module and this CPU offer %#llx only",
			  td->name, (unsigned long long)td->params.attributes,
			  (unsigned long long)g->attributes_fixed0);
		return STATUS_BAD_ARG;
	}
	memset(out, 0, sizeof(*out));
	out->attributes = attributes;
	out->xfam = choose_xfam();
	out->max_vcpus = td->params.max_vcpus;
	out->eptp_controls = TDX_EPTP_4_LEVEL;
	out->config_flags = ((TDX_CONFIG_FLEXIBLE_PENDING_VE | TDX_CONFIG_NO_RBP_MOD) &
			     g->config_flags_fixed0) |
			    g->config_flags_fixed1;
	out->tsc_frequency = choose_tsc(td->params.tsc_khz);
	for (unsigned i = 0; i < g->cpuid_config_count; i++)
		out->cpuid[i] = choose_cpuid(&g->cpuid_config[i], td->params.max_vcpus,
					     out->xfam & XFAM_AVX);
	td->tsc_hz_virtual = out->tsc_frequency * TDX_TSC_UNIT_KHZ * 1000;
	return STATUS_OK;
}
