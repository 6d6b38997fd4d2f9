/* SPDX-License-Identifier: MIT */
#include "tests/unit/model_td.h"

#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"

struct td model_td;
struct td_vcpu model_vcpu[MODEL_TD_VCPUS];

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
	hpa_t shared;

	hosted_start_ready(&hosted_default);
	EXPECT_EQ(frame_alloc_range(4 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &shared),
		  STATUS_OK);
	EXPECT_EQ(td_create(&model_td, &params), STATUS_OK);
	for (unsigned i = 0; i < MODEL_TD_VCPUS; i++) {
		EXPECT_EQ(td_vcpu_create(&model_td, &model_vcpu[i], i), STATUS_OK);
		EXPECT_EQ(td_vcpu_configure(&model_vcpu[i], shared, 0xf2,
					    hpa_add(shared, PAGE_SIZE)),
			  STATUS_OK);
	}
	EXPECT_EQ(td_add_measured_page(&model_td, gpa(TDBOOT_PARAMS_GPA),
				       phys_ptr(hpa_add(shared, 2 * PAGE_SIZE))),
		  STATUS_OK);
	EXPECT_EQ(td_finalize(&model_td), STATUS_OK);
}

uint64_t model_td_enter(unsigned vcpu, uint64_t fill, struct vp_regs *regs)
{
	*regs = (struct vp_regs){fill, fill, fill, fill, fill, fill, fill,
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

uint64_t model_td_exit(unsigned vcpu, const struct tdx_exit *exit, struct vp_regs *regs)
{
	next_exit = *exit;
	next_exit.tsc_in_guest = UINT64_MAX / 2;
	hosted_set_guest(exit_once);
	return model_td_enter(vcpu, 0, regs);
}
