/* SPDX-License-Identifier: MIT */
#include "tests/unit/model_td.h"

#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define CS_LONG       0x2000
#define TDCALL_LENGTH 4

struct td model_td;
struct td_vcpu model_vcpu[MODEL_TD_VCPUS];
hpa_t model_shared;

static struct tdx_exit next_exit;

void model_td_start(uint64_t attributes)
{
	const struct td_params params = {
		.attributes = attributes,
		.max_vcpus = MODEL_TD_VCPUS,
		.tsc_khz = 1000000,
		.ram_low_end = {MODEL_TD_RAM},
		.ram_high_end = {UINT64_C(1) << 32},
	};

	hosted_start_ready(&hosted_default);
	EXPECT_EQ(frame_alloc_range(4 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &model_shared),
		  STATUS_OK);
	EXPECT_EQ(td_create(&model_td, &params), STATUS_OK);
	for (unsigned i = 0; i < MODEL_TD_VCPUS; i++) {
		EXPECT_EQ(td_vcpu_create(&model_td, &model_vcpu[i], i), STATUS_OK);
		EXPECT_EQ(td_vcpu_configure(&model_vcpu[i], hpa_add(model_shared, PAGE_SIZE),
					    0xf2, model_shared),
			  STATUS_OK);
	}
	EXPECT_EQ(td_add_measured_page(&model_td, gpa(TDBOOT_PARAMS_GPA),
				       phys_ptr(hpa_add(model_shared, 2 * PAGE_SIZE))),
		  STATUS_OK);
	EXPECT_EQ(td_finalize(&model_td), STATUS_OK);
}

uint64_t model_td_enter(unsigned vcpu, uint64_t fill, struct seamcall_regs *regs)
{
	*regs = (struct seamcall_regs){fill, fill, fill, fill, fill, fill, fill,
				       fill, fill, fill, fill, fill, fill, fill};
	return td_vcpu_enter(&model_vcpu[vcpu], regs).raw;
}

static void exit_once(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	(void)cpu;
	(void)view;
	if (next_exit.reason == UINT32_MAX)
		test_fail(__FILE__, __LINE__, "the guest was resumed");
	else
		*exit = next_exit;
	next_exit.reason = UINT32_MAX;
}

uint64_t model_td_exit(unsigned vcpu, const struct tdx_exit *exit, struct seamcall_regs *regs)
{
	next_exit = *exit;
	next_exit.tsc_in_guest = UINT64_MAX / 2;
	hosted_set_guest(exit_once);
	return model_td_enter(vcpu, 0, regs);
}

static struct model_tdcall next_call;
static struct model_outcome *outcome;
static uint64_t rip_before;
static bool has_called;

static void call_once(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	struct tdx_guest_state *s = view->state;

	(void)cpu;
	if (has_called) {
		outcome->event = s->event;
		outcome->rax = s->gpr[TDX_RAX];
		outcome->rcx = s->gpr[TDX_RCX];
		outcome->rdx = s->gpr[TDX_RDX];
		outcome->r8 = s->gpr[TDX_R8];
		outcome->rip_moved = s->rip - rip_before;
		s->event = 0;
		return;
	}
	has_called = true;
	rip_before = s->rip;
	s->segment[TDX_CS].access_rights |= CS_LONG;
	s->gpr[TDX_RAX] = next_call.rax;
	s->gpr[TDX_RCX] = next_call.rcx;
	s->gpr[TDX_RDX] = next_call.rdx;
	s->gpr[TDX_R8] = next_call.r8;
	s->gpr[TDX_R9] = next_call.r9;
	exit->reason = EXIT_TDCALL;
	exit->instruction_length = TDCALL_LENGTH;
}

struct model_outcome model_td_call(unsigned vcpu, struct model_tdcall call)
{
	struct model_outcome result = {0};

	next_call = call;
	outcome = &result;
	has_called = false;
	hosted_set_guest(call_once);
	result.status = model_td_enter(vcpu, MODEL_TD_FILL, &result.host);
	return result;
}
