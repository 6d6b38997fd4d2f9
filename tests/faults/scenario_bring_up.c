/* SPDX-License-Identifier: MIT */
/* The module from its loading to ready; refused by name, it leaves a machine that goes on. */
#include <string.h>

#include "tdx/module.h"
#include "tdx/status.h"
#include "tests/faults/check.h"
#include "tests/faults/guest.h"
#include "tests/faults/scenario.h"
#include "tests/faults/site.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"

static struct check_stock before;

/* One TD lives and dies. */
static bool use(void)
{
	struct vm_error why = {""};
	enum status s = vm_create(guest_config("web"), &why);

	if (!s)
		s = vm_start("web", &why);
	for (unsigned i = 0; !s && i < 3; i++)
		guest_round(NULL);
	if (!s)
		s = vm_destroy("web", &why);
	vm_finish_reclaim();
	if (s && why.text[0] == '\0')
		test_fail(__FILE__, __LINE__, "a failure without a word");
	return !s;
}

static void check_refusal(void)
{
	const struct tdx_module_info *info = tdx_module_info();
	struct vm_error why = {""};

	EXPECT_TRUE(!info->is_ready);
	if (!strstr(info->refusal, "TDH.SYS."))
		test_fail(__FILE__, __LINE__, "\"%s\" does not name the leaf", info->refusal);
	EXPECT_EQ(vm_create(guest_config("web"), &why), STATUS_UNSUPPORTED);
	if (!strstr(why.text, info->refusal))
		test_fail(__FILE__, __LINE__, "\"%s\" does not say why", why.text);
	guest_round(NULL);
}

/* What stays: the PAMT, for ever the module's once SYS.CONFIG had it, and nothing else. */
static void check_memory(void)
{
	struct check_stock now = check_stock_take();

	for (enum frame_owner o = FRAME_HOST; o < FRAME_OWNER_COUNT; o++)
		if (o != FRAME_PAMT)
			EXPECT_EQ(now.bytes[o], before.bytes[o]);
	EXPECT_EQ(now.bytes[FRAME_FREE] + now.bytes[FRAME_PAMT], before.bytes[FRAME_FREE]);
	EXPECT_EQ(now.heap, before.heap);
}

static struct outcome run(enum fault_mode mode)
{
	struct outcome o = {false, 0, 0};
	enum status s = tdx_module_init(hosted_boot_info());

	guest_vm_init();
	if (s) {
		fault_disarm();
		check_refusal();
	} else {
		o.is_complete = use();
		if (!o.is_complete && mode != FAULT_LASTING) {
			fault_disarm();
			EXPECT_TRUE(use());
		}
	}
	fault_disarm();
	tdx_module_stop();
	check_memory();
	return o;
}

static void prepare(void)
{
	guest_machine();
	before = check_stock_take();
	fault_attach();
}

const struct scenario scenario_bring_up = {"bring-up", "tdh_sys_", 2, prepare, run};
