/* SPDX-License-Identifier: MIT */
/* What vm/ tells the shell of a TD's vCPUs and memory, from creation to the end. */
#include "guest-abi/ghci.h"
#include "tdx/td_report.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_guest.h"

static struct vcpu_info info_of_vcpu(unsigned i)
{
	struct vcpu_info info = {.state = ""};

	EXPECT_TRUE(vm_vcpu("web", i, &info));
	return info;
}

TEST(vm_report_tells_each_vcpus_state_and_exits)
{
	static struct guest_step steps[] = {{.r11 = EXIT_HLT}};
	struct vm_error why = {""};
	struct vcpu_info info;

	guest_machine();
	guest_create(steps, 1);
	EXPECT_STR_EQ(info_of_vcpu(0).state, "stopped");
	EXPECT_EQ(info_of_vcpu(0).exits, 0);
	EXPECT_EQ(vm_start("web", &why), STATUS_OK);
	EXPECT_STR_EQ(info_of_vcpu(0).state, "runnable");
	EXPECT_TRUE(info_of_vcpu(0).cpu != info_of_vcpu(1).cpu);
	guest_rounds(4);
	EXPECT_STR_EQ(info_of_vcpu(0).state, "halted");
	EXPECT_STR_EQ(info_of_vcpu(1).state, "runnable");
	EXPECT_TRUE(info_of_vcpu(0).exits > 0);
	EXPECT_TRUE(!vm_vcpu("web", 2, &info));
	EXPECT_TRUE(!vm_vcpu("nobody", 0, &info));
}

TEST(vm_report_gives_a_tds_mechanism_until_its_teardown_begins)
{
	struct vm_error why = {""};
	struct td_small_run run;
	gpa_t at = gpa(0);

	guest_machine();
	EXPECT_TRUE(vm_td("web") == NULL);
	guest_create(NULL, 0);
	while (!td_next_small_run(vm_td("web"), &at, &run) &&
	       at.raw < vm_td("web")->params.ram_high_end.raw)
		;
	EXPECT_EQ(run.reason, TD_SMALL_MEASURED);
	EXPECT_EQ(run.pages, 17);
	EXPECT_EQ(vm_destroy("web", &why), STATUS_OK);
	EXPECT_TRUE(vm_td("web") == NULL);
}
