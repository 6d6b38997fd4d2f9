/* SPDX-License-Identifier: MIT */
/* What vm/ tells the shell of a TD's vCPUs and memory, from creation to the end. */
#include "guest-abi/ghci.h"
#include "tdx/td_report.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_guest.h"

static struct vcpu_info seen[8];
static unsigned seen_count;

static void see(void *ctx, const struct vcpu_info *info)
{
	(void)ctx;
	seen[seen_count++] = *info;
}

static const char *state_of_vcpu(unsigned i)
{
	seen_count = 0;
	vm_vcpus_each("web", see, NULL);
	EXPECT_TRUE(i < seen_count);
	EXPECT_EQ(seen[i].index, i);
	return seen[i].state;
}

TEST(vm_report_tells_each_vcpus_state_and_exits)
{
	static struct guest_step steps[] = {{.r11 = EXIT_HLT}};
	struct vm_error why = {""};

	guest_machine();
	guest_create(steps, 1);
	EXPECT_STR_EQ(state_of_vcpu(0), "stopped");
	EXPECT_EQ(seen[0].exits, 0);
	EXPECT_EQ(vm_start("web", &why), STATUS_OK);
	EXPECT_STR_EQ(state_of_vcpu(0), "runnable");
	EXPECT_TRUE(seen[0].cpu != seen[1].cpu);
	guest_rounds(4);
	EXPECT_STR_EQ(state_of_vcpu(0), "halted");
	EXPECT_STR_EQ(state_of_vcpu(1), "runnable");
	EXPECT_TRUE(seen[0].exits > 0);
	seen_count = 0;
	vm_vcpus_each("nobody", see, NULL);
	EXPECT_EQ(seen_count, 0);
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
	       at.raw < td_report_end(vm_td("web")).raw)
		;
	EXPECT_EQ(run.reason, TD_SMALL_MEASURED);
	EXPECT_EQ(run.pages, 17);
	EXPECT_EQ(vm_destroy("web", &why), STATUS_OK);
	EXPECT_TRUE(vm_td("web") == NULL);
}
