/* SPDX-License-Identifier: MIT */
/*
 * What the software TDX module makes of a TD's instructions where no recording shows it:
 * control registers, XSETBV, the MSRs it writes itself, reports, #VE from the shared EPT.
 */
#include "core/cpu.h"
#include "mm/phys.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/model_td.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define CR_ACCESS     28
#define XSETBV        55
#define LENGTH        3
#define CODE          UINT64_C(0x1000)
#define CS_LONG       0x2000
#define NONE          0
#define GP            0x80000b0d
#define VE            0x80000314
#define MOV_CR0       0x000 /* exit qualifications: MOV to CR from RAX */
#define MOV_CR4       0x004
#define CLTS          0x020
#define LMSW(word)    (0x030 | (uint64_t)(word) << 16)
#define CR0_LONG_MODE 0x80050033
#define CR4_LONG_MODE 0x000000e0
#define TDG_VEINFO    3
#define TDG_REPORT    4
#define TDG_ACCEPT    6
#define TDG_VERIFY    22

/* One instruction that exits, and the event that it must give. */
struct step {
	uint32_t reason;
	uint64_t qualification;
	uint64_t rax, rcx, rdx, r8;
	uint32_t event;
	uint64_t result; /* RAX afterwards, of a TDCALL */
};

static const struct step *steps;
static unsigned step_count, at;
static bool reading_veinfo;
static struct tdx_guest_state last;

static void execute(struct tdx_guest_state *s, struct tdx_exit *exit, const struct step *step)
{
	s->rip = CODE;
	s->gpr[TDX_RAX] = step->rax;
	s->gpr[TDX_RCX] = step->rcx;
	s->gpr[TDX_RDX] = step->rdx;
	s->gpr[TDX_R8] = step->r8;
	exit->reason = step->reason;
	exit->qualification = step->qualification;
	exit->instruction_length = LENGTH;
}

static void check(const struct tdx_guest_state *s, const struct step *step)
{
	if (s->event != step->event || s->rip != (step->event ? CODE : CODE + LENGTH))
		test_fail(__FILE__, __LINE__, "step %u: event %#x, expected %#x; RIP %#llx",
			  at - 1, s->event, step->event, (unsigned long long)s->rip);
	if (step->reason == EXIT_TDCALL && !step->event)
		EXPECT_EQ(s->gpr[TDX_RAX], step->result);
}

/* Plays `steps`, reading the information of each #VE, then waits for an interrupt. */
static void play(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	static const struct step veinfo = {.reason = EXIT_TDCALL, .rax = TDG_VEINFO};
	struct tdx_guest_state *s = view->state;

	(void)cpu;
	s->segment[TDX_CS].access_rights |= CS_LONG;
	if (reading_veinfo) {
		EXPECT_EQ(s->gpr[TDX_RAX], TDX_SUCCESS);
		EXPECT_EQ(s->gpr[TDX_RCX], steps[at - 1].reason);
		EXPECT_EQ(s->gpr[TDX_RDX], steps[at - 1].qualification);
		reading_veinfo = false;
	} else if (at > 0) {
		check(s, &steps[at - 1]);
		reading_veinfo = s->event == VE;
	}
	s->event = 0;
	last = *s;
	if (reading_veinfo)
		execute(s, exit, &veinfo);
	else if (at < step_count)
		execute(s, exit, &steps[at++]);
}

static void start(void) { model_td_start(TDX_ATTR_SEPT_VE_DISABLE); }

static void run(const struct step *of, unsigned count)
{
	struct seamcall_regs regs = {0};

	steps = of;
	step_count = count;
	at = 0;
	hosted_set_guest(play);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&model_vcpu[0], &regs)), TDX_SUCCESS);
	EXPECT_EQ(at, count);
}

#define RUN(table) run(table, sizeof(table) / sizeof((table)[0]))

TEST(model_cr0_refuses_what_the_cpu_refuses_and_reports_the_rest)
{
	static const struct step table[] = {
		{.reason = CR_ACCESS, .qualification = MOV_CR0, .rax = CR0_LONG_MODE},
		{.reason = CR_ACCESS, .qualification = LMSW(0x8)},
		{.reason = CR_ACCESS, .qualification = LMSW(0x0)},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR0,
		 .rax = CR0_LONG_MODE & ~UINT64_C(0x20), /* NE: the CPU insists */
		 .event = GP},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR0,
		 .rax = CR0_LONG_MODE | 0x40000000, /* CD */
		 .event = VE},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR0,
		 .rax = CR0_LONG_MODE | 0x20000000, /* NW */
		 .event = VE},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR0,
		 .rax = CR0_LONG_MODE & ~UINT64_C(0x80000001), /* protection */
		 .event = VE},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR0,
		 .rax = CR0_LONG_MODE & ~UINT64_C(1), /* paging without protection */
		 .event = GP},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR0,
		 .rax = CR0_LONG_MODE | UINT64_C(1) << 40,
		 .event = GP},
	};

	start();
	RUN(table);
	EXPECT_EQ(last.cr0 & 0x80010021, 0x80010021);
	EXPECT_EQ(last.cr0 & 0x60000008, 0);
	EXPECT_EQ(last.cr0_shadow, 0x21);
}

TEST(model_cr4_never_changes_a_bit_that_it_owns)
{
	static const struct step table[] = {
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR4,
		 .rax = CR4_LONG_MODE | 0x2000, /* VMXE */
		 .event = VE},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR4,
		 .rax = CR4_LONG_MODE & ~UINT64_C(0x40), /* MCE */
		 .event = VE},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR4,
		 .rax = CR4_LONG_MODE | UINT64_C(1) << 24, /* PKS, not an attribute */
		 .event = GP},
		{.reason = CR_ACCESS,
		 .qualification = MOV_CR4,
		 .rax = UINT64_C(1) << 40,
		 .event = GP},
	};

	start();
	RUN(table);
	EXPECT_EQ(last.cr4, 0x2040);
	EXPECT_EQ(last.cr4_shadow, 0x40);
}

TEST(model_owns_the_control_register_bits_that_the_cpu_or_the_td_fixes)
{
	static const struct step table[] = {{.reason = EXIT_RDMSR, .rcx = 0x1d9}};

	start();
	RUN(table);
	/* MP, EM, TS, ET, WP, AM, PG are the guest's. */
	EXPECT_EQ(last.cr0_mask, ~UINT64_C(0x8005001e));
	/* No PKE, CET, PKS, key locker in this TD; MCE, VMXE, SMXE never. */
	EXPECT_EQ(last.cr4_mask & 0x1ffffff, 0x1c86040 | 0x8000);
	EXPECT_EQ(last.cr4_mask >> 25, ~UINT64_C(0) >> 25);
}

TEST(model_kills_a_td_at_an_exit_that_nobody_asked_for)
{
	const struct tdx_exit exit = {.reason = CR_ACCESS, .qualification = CLTS};
	struct seamcall_regs regs;

	start();
	EXPECT_EQ(model_td_exit(0, &exit, &regs), UINT64_C(0x600000020000001c));
	EXPECT_EQ(regs.rcx, CLTS);
	EXPECT_EQ(model_td_exit(0, &exit, &regs), UINT64_C(0xe000060400000000));
}

TEST(model_xsetbv_takes_what_xfam_and_the_cpu_allow)
{
	static const struct step table[] = {
		{.reason = XSETBV, .rax = 0x3},
		{.reason = XSETBV, .rax = 0x2, .event = GP},
		{.reason = XSETBV, .rax = 0x5, .event = GP},
		{.reason = XSETBV, .rax = 0x3, .rcx = 1, .event = GP},
		{.reason = XSETBV, .rax = 0x3, .rdx = 1, .event = GP},
		{.reason = XSETBV, .rax = 0x20003, .event = GP},
	};

	start();
	RUN(table);
	EXPECT_EQ(last.xcr0, 3);
}

TEST(model_tells_the_size_of_the_xsave_area_that_is_enabled_now)
{
	static const struct step legacy[] = {
		{.reason = XSETBV, .rax = 0x3},
		{.reason = EXIT_CPUID, .rax = 0xd},
	};
	static const struct step avx[] = {
		{.reason = XSETBV, .rax = 0x7},
		{.reason = EXIT_CPUID, .rax = 0xd},
	};
	static const struct step compacted[] = {{.reason = EXIT_CPUID, .rax = 0xd, .rcx = 1}};

	start();
	RUN(legacy);
	EXPECT_EQ(last.gpr[TDX_RBX], 0x240);
	RUN(avx);
	EXPECT_EQ(last.gpr[TDX_RBX], 0x340);
	RUN(compacted);
	EXPECT_EQ(last.gpr[TDX_RBX], 0x340);
}

TEST(model_shows_syscall_in_long_mode)
{
	static const struct step table[] = {{.reason = EXIT_CPUID, .rax = 0x80000001}};

	start();
	RUN(table);
	EXPECT_EQ(last.gpr[TDX_RDX] >> 11 & 1, 1);
}

TEST(model_injects_gp_or_ve_for_the_msrs_of_features_that_the_td_lacks)
{
	static const struct step table[] = {
		{.reason = EXIT_RDMSR, .rcx = 0xc1, .event = GP},   /* PERFMON */
		{.reason = EXIT_RDMSR, .rcx = 0x122, .event = GP},  /* TSX */
		{.reason = EXIT_RDMSR, .rcx = 0x1c4, .event = GP},  /* XFD */
		{.reason = EXIT_RDMSR, .rcx = 0x1f8, .event = GP},  /* DCA */
		{.reason = EXIT_RDMSR, .rcx = 0x329, .event = GP},  /* PERF_METRICS */
		{.reason = EXIT_RDMSR, .rcx = 0x981, .event = GP},  /* TME */
		{.reason = EXIT_RDMSR, .rcx = 0x87, .event = GP},   /* MKTME */
		{.reason = EXIT_RDMSR, .rcx = 0x6e1, .event = GP},  /* PKS */
		{.reason = EXIT_RDMSR, .rcx = 0x98, .event = GP},   /* never */
		{.reason = EXIT_RDMSR, .rcx = 0x10, .event = NONE}, /* always */
		{.reason = EXIT_RDMSR, .rcx = 0x481, .event = VE},
		{.reason = EXIT_WRMSR, .rcx = 0x480, .event = GP},
		{.reason = EXIT_WRMSR, .rcx = 0x10, .event = VE},
		{.reason = EXIT_WRMSR, .rcx = 0x1a0, .event = VE},
		{.reason = EXIT_WRMSR, .rcx = 0x345, .event = GP},
		{.reason = EXIT_WRMSR, .rcx = 0x3a, .event = VE}, /* not in the table */
	};

	start();
	RUN(table);
}

TEST(model_emulates_the_msrs_that_it_owns)
{
	static const struct step table[] = {
		/* EFER: SCE may change, LME may not. */
		{.reason = EXIT_WRMSR, .rcx = 0xc0000080, .rax = 0x900},
		{.reason = EXIT_WRMSR, .rcx = 0xc0000080, .rax = 0x801, .event = VE},
		{.reason = EXIT_WRMSR, .rcx = 0xda0, .rax = 0},
		{.reason = EXIT_WRMSR, .rcx = 0xda0, .rax = 1, .event = GP},
		{.reason = EXIT_WRMSR, .rcx = 0x1d9, .rax = 0x1},
		{.reason = EXIT_WRMSR, .rcx = 0x1d9, .rax = 0x40, .event = VE},
		{.reason = EXIT_WRMSR, .rcx = 0x1d9, .rax = 0x10000, .event = GP},
		{.reason = EXIT_RDMSR, .rcx = 0x1b, .event = VE},
		{.reason = EXIT_RDMSR, .rcx = 0xc1, .event = GP}, /* no PERFMON */
		{.reason = EXIT_RDMSR, .rcx = 0x1d9},
	};

	start();
	RUN(table);
	EXPECT_EQ(last.gpr[TDX_RAX], 1);
	EXPECT_EQ(last.efer, 0x900);
	EXPECT_EQ(last.debugctl, 1);
}

TEST(model_shows_a_td_no_capability_that_is_the_hosts)
{
	static const struct step capabilities[] = {{.reason = EXIT_RDMSR, .rcx = 0x10a}};
	static const struct step perfmon[] = {
		{.reason = EXIT_RDMSR, .rcx = 0x329, .event = GP},
		{.reason = EXIT_RDMSR, .rcx = 0x345},
	};

	start();
	RUN(capabilities);
	EXPECT_EQ(last.gpr[TDX_RAX], 0xd6b & ~0xc00); /* package controls, energy filtering */
	EXPECT_EQ(last.gpr[TDX_RDX], 0);
	RUN(perfmon);
	EXPECT_EQ(last.gpr[TDX_RAX], 0);
}

TEST(model_verifies_its_own_reports_only)
{
	static const struct step first[] = {
		{.reason = EXIT_TDCALL, .rax = TDG_ACCEPT, .rcx = 1},
		{.reason = EXIT_TDCALL, .rax = TDG_REPORT, .rcx = 0x2000, .rdx = 0x3000},
		{.reason = EXIT_TDCALL, .rax = TDG_VERIFY, .rcx = 0x2000},
	};
	static const struct step then[] = {
		{.reason = EXIT_TDCALL,
		 .rax = TDG_VERIFY,
		 .rcx = 0x2000,
		 .result = UINT64_C(0xc000100100000000)},
		{.reason = EXIT_TDCALL,
		 .rax = TDG_VERIFY,
		 .rcx = 0x2080,
		 .result = UINT64_C(0xc000010000000001)},
	};
	uint64_t at_hpa;
	unsigned level;

	start();
	EXPECT_EQ(td_populate(&model_td, gpa(0), SIZE_2M), STATUS_OK);
	RUN(first);
	EXPECT_EQ(tdx_model_translate(hosted_model(), model_td.tdr.pa.raw, 0x2000, &at_hpa,
				      &level),
		  TDX_GPA_MAPPED);
	*(uint8_t *)phys_ptr(hpa(at_hpa + 128)) ^= 1;
	RUN(then);
}

static void violate_twice(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	const struct tdx_exit violation = {
		.reason = EXIT_EPT_VIOLATION, .qualification = 0x81, .gpa = UINT64_C(1) << 47};

	(void)cpu;
	EXPECT_TRUE(tdx_model_deliver_ept_ve(hosted_model(), view, &violation));
	EXPECT_EQ(view->state->event, VE);
	view->state->event = 0;
	EXPECT_TRUE(!tdx_model_deliver_ept_ve(hosted_model(), view, &violation));
	EXPECT_EQ(view->state->event, NONE);
	*exit = violation;
}

TEST(model_has_one_ve_at_a_time)
{
	struct seamcall_regs regs = {0};

	start();
	hosted_set_guest(violate_twice);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&model_vcpu[0], &regs)), TDX_SUCCESS);
	EXPECT_EQ(regs.r8, UINT64_C(1) << 47);
}
