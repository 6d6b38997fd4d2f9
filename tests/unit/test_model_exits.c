/* SPDX-License-Identifier: MIT */
/* What the software TDX module tells the host of a VM exit, and what becomes of vCPU and TD. */
#include "tdx/tdh.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/model_td.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define SUCCESS            UINT64_C(0)
#define DEAD_VCPU          UINT64_C(0x4000000100000000)
#define DEAD_TD            UINT64_C(0x6000000200000000)
#define DEAD_TD_NO_ACCESS  UINT64_C(0x6000000500000000)
#define TD_FATAL           UINT64_C(0xe000060400000000)
#define VCPU_STATE_INVALID UINT64_C(0xc000070000000000)
#define SHARED             (UINT64_C(1) << 47)
#define NMI                UINT32_C(0x80000202)
#define PF                 UINT32_C(0x8000030e)
#define MC                 UINT32_C(0x80000312)
#define EVENT_VE           UINT32_C(0x80000314)
#define EVENT_GP           UINT32_C(0x80000b0d)
#define EVENT_UD           UINT32_C(0x80000306)
#define RFLAGS_RF          UINT64_C(0x10000)
#define DEBUG              UINT64_C(1)

static uint32_t event;
static struct tdx_guest_state state;

/* What the host gets; every register that is not here is zero. */
struct report {
	struct tdx_exit exit;
	uint64_t status, rcx, rdx, r8, r9;
};

static void check(unsigned vcpu, const struct report *want)
{
	struct seamcall_regs got;

	EXPECT_EQ(model_td_exit(vcpu, &want->exit, &got), want->status | want->exit.reason);
	EXPECT_EQ(got.rcx, want->rcx);
	EXPECT_EQ(got.rdx, want->rdx);
	EXPECT_EQ(got.r8, want->r8);
	EXPECT_EQ(got.r9, want->r9);
	EXPECT_EQ(got.rbx | got.rbp | got.rsi | got.rdi, 0);
	EXPECT_EQ(got.r10 | got.r11 | got.r12 | got.r13 | got.r14 | got.r15, 0);
}

/* Plays one exit that the module handles, then one that ends the run. */
static struct tdx_exit handled;
static bool is_first;

static void handle_then_stop(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	(void)cpu;
	if (is_first)
		*exit = handled;
	else
		state = *view->state;
	is_first = false;
	event = view->state->event;
	view->state->event = 0;
}

static uint32_t event_after(const struct tdx_exit *exit)
{
	struct seamcall_regs regs;

	handled = *exit;
	is_first = true;
	hosted_set_guest(handle_then_stop);
	EXPECT_EQ(model_td_enter(0, 0, &regs), 1);
	return event;
}

TEST(model_reports_an_exit_with_all_that_belongs_to_it)
{
	static const struct report table[] = {
		{{.reason = 1, .qualification = 7, .interruption_info = 0x800000ec},
		 .rcx = 7,
		 .r9 = 0x800000ec},
		{{.reason = 0, .qualification = 7, .interruption_info = NMI},
		 .rcx = 7,
		 .r9 = NMI},
		{{.reason = 6, .qualification = 2, .interruption_info = 9}, .rcx = 2, .r9 = 9},
		{{.reason = 42, .qualification = 3, .interruption_info = 9}, .rcx = 3, .r9 = 9},
		{{.reason = 3, .qualification = 5, .interruption_info = 9}, .rcx = 5},
		{{.reason = 9, .qualification = 5, .interruption_info = 9}, .rcx = 5},
		{{.reason = 74, .qualification = 5, .interruption_info = 9}, .rcx = 5},
		{{.reason = 75, .qualification = 4, .interruption_info = 9}, .rcx = 4},
		{{.reason = 49, .qualification = 4, .gpa = SHARED | 0x1234},
		 .r8 = SHARED | 0x1000},
		/* All of the linear address stays inside: bits 12:7. */
		{{.reason = 48, .qualification = 0xffff, .gpa = SHARED | 0x1234},
		 .rcx = 0xe07f,
		 .r8 = SHARED | 0x1000},
		/* Bits 33:32 name the VM: not what the CPU left there. */
		{{.reason = 9, .qualification = UINT64_C(0x700000000)},
		 .rcx = UINT64_C(0x400000000)},
	};

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		check(0, &table[i]);
}

TEST(model_never_enters_a_vcpu_again_after_its_triple_fault)
{
	const struct report fault = {
		{.reason = 2, .qualification = 5}, .status = DEAD_VCPU, .rcx = 5};
	const struct report other = {{.reason = 1, .interruption_info = 0x80000020},
				     .r9 = 0x80000020};
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	check(0, &fault);
	EXPECT_EQ(model_td_exit(0, &other.exit, &regs), VCPU_STATE_INVALID);
	check(1, &other);
}

static void check_fatal(const struct report *fatal)
{
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	check(0, fatal);
	EXPECT_EQ(model_td_exit(1, &fatal->exit, &regs), TD_FATAL);
}

TEST(model_ends_a_td_at_its_machine_check)
{
	check_fatal(&(struct report){
		{.reason = 0, .interruption_info = MC}, .status = DEAD_TD_NO_ACCESS, .r9 = MC});
}

TEST(model_ends_a_td_at_a_machine_check_smi)
{
	check_fatal(&(struct report){
		{.reason = 6, .qualification = 1}, .status = DEAD_TD_NO_ACCESS, .rcx = 1});
}

TEST(model_ends_a_td_whose_context_a_notification_found_invalid)
{
	check_fatal(&(struct report){
		{.reason = 75, .qualification = 1}, .status = DEAD_TD, .rcx = 1});
}

TEST(model_ends_a_td_at_an_exit_of_which_it_knows_nothing)
{
	check_fatal(&(struct report){
		{.reason = 29, .qualification = 1}, .status = DEAD_TD, .rcx = 1});
}

TEST(model_ends_a_td_whose_entry_failed)
{
	check_fatal(&(struct report){
		{.reason = 0x80000021, .qualification = 2}, .status = DEAD_TD, .rcx = 2});
}

TEST(model_ends_a_td_whose_entry_met_a_machine_check)
{
	check_fatal(&(struct report){{.reason = 0x80000029, .qualification = 2},
				     .status = DEAD_TD_NO_ACCESS,
				     .rcx = 2});
}

TEST(model_tells_the_host_of_a_debuggable_td_of_every_other_exit)
{
	static const struct report table[] = {
		{{.reason = 0, .qualification = 7, .interruption_info = PF},
		 .rcx = 7,
		 .r9 = PF},
		{{.reason = 28, .qualification = 0x13}, .rcx = 0x13}, /* MOV from CR3 */
		{{.reason = 29, .qualification = 7}, .rcx = 7},
		{{.reason = 16, .qualification = 1}, .rcx = 1},
		{{.reason = 14, .qualification = 0x5000}, .rcx = 0x5000},
	};

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE | DEBUG);
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		check(0, &table[i]);
}

TEST(model_refuses_enqcmd_with_gp_and_enqcmds_with_ud)
{
	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(event_after(&(struct tdx_exit){.reason = 72}), EVENT_GP);
	EXPECT_EQ(event_after(&(struct tdx_exit){.reason = 73}), EVENT_UD);
}

TEST(model_injects_faults_with_the_resume_flag)
{
	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(event_after(&(struct tdx_exit){.reason = 12}), EVENT_VE);
	EXPECT_EQ(state.rflags & RFLAGS_RF, RFLAGS_RF);
}

TEST(model_opens_the_nmi_window_only_for_an_nmi_that_the_host_wants)
{
	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(event_after(&(struct tdx_exit){.reason = 8}), 0);
	EXPECT_EQ(td_vcpu_pend_nmi(&model_vcpu[0]), STATUS_OK);
	EXPECT_EQ(event_after(&(struct tdx_exit){.reason = 8}), NMI);
	EXPECT_EQ(event_after(&(struct tdx_exit){.reason = 8}), 0);
}

/* ---- between exit and resumption ---- */

#define OTHER_CPU  1u
#define BUS_LOCK   (UINT32_C(1) << 26)
#define EXCEPTIONS UINT64_C(0x0024000200004004)

static void while_another_ends_the_td(unsigned cpu, struct tdx_vcpu_view *view,
				      struct tdx_exit *exit)
{
	struct seamcall_regs regs;

	if (view->vcpu_index == 1) {
		exit->reason = 75;
		exit->qualification = 1;
		return;
	}
	(void)fake_set_this_cpu(OTHER_CPU);
	EXPECT_EQ(model_td_enter(1, 0, &regs), DEAD_TD | 75);
	(void)fake_set_this_cpu(cpu);
	exit->reason = 10;
	exit->qualification = 4;
}

TEST(model_takes_a_vcpu_out_of_a_td_that_another_has_ended)
{
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(td_vcpu_flush(&model_vcpu[1]), STATUS_OK);
	hosted_set_guest(while_another_ends_the_td);
	EXPECT_EQ(model_td_enter(0, 0, &regs), DEAD_TD_NO_ACCESS | 10);
	EXPECT_EQ(regs.rcx, 4);
}

TEST(model_tells_the_host_of_a_bus_lock_once)
{
	const struct tdx_exit handled_exit = {.reason = 10 | BUS_LOCK, .instruction_length = 2};
	const struct tdx_exit interrupt = {.reason = 1 | BUS_LOCK};
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(model_td_exit(0, &handled_exit, &regs), BUS_LOCK | 74);
	EXPECT_EQ(model_td_exit(0, &interrupt, &regs), BUS_LOCK | 1);
	EXPECT_EQ(model_td_exit(0, &(struct tdx_exit){.reason = 1}, &regs), 1);
}

TEST(model_stops_a_debuggable_td_before_an_exception_that_the_host_watches)
{
	const struct tdx_exit vmcall = {.reason = 18, .instruction_length = 3};
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE | DEBUG);
	EXPECT_EQ(tdh_vp_wr(&model_vcpu[0], EXCEPTIONS, 1 << 20, 1 << 20).raw, 0);
	EXPECT_EQ(model_td_exit(0, &vmcall, &regs), 0);
	EXPECT_EQ(regs.r9, EVENT_VE);
	EXPECT_EQ(event_after(&(struct tdx_exit){.reason = 72}), EVENT_GP);
}

TEST(model_clears_rbp_at_an_exit_even_of_a_td_that_leaves_it_alone)
{
	struct seamcall_regs regs;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	hosted_set_guest(NULL);
	EXPECT_EQ(model_td_enter(0, 0x1234, &regs), 1);
	EXPECT_EQ(regs.rbp, 0);
	EXPECT_EQ(model_td_call(0, (struct model_tdcall){.rcx = 1 << 10}).host.rbp,
		  MODEL_TD_FILL);
}
