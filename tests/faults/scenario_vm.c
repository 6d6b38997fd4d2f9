/* SPDX-License-Identifier: MIT */
/* A TD as people run it: created, started, its guest active, destroyed; another lives beside.
 */
#include "tdx/module.h"
#include "tests/faults/check.h"
#include "tests/faults/guest.h"
#include "tests/faults/scenario.h"
#include "tests/faults/site.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "vm/registry.h"
#include "vm/vcpu.h"

#define ROUNDS_FAULTY  12U
#define ROUNDS_HEALTHY 24U
#define TDS_MAX        8U

static struct check_stock before;
static bool is_watched; /* the end of web was looked at */

static void check_all_alive(void)
{
	struct td *tds[TDS_MAX];
	unsigned count = 0;

	for (struct vm *vm = registry_first(); vm != NULL; vm = vm->next)
		if (vm->td.sept.root && count < TDS_MAX)
			tds[count++] = &vm->td;
	check_alive(tds, count);
}

static bool has_ended(const struct vm *vm) { return atomic_load(&vm->end.state) != VM_CREATED; }

/* Before the BSP's next turn tears it down. */
static void watch(void)
{
	const struct vm *vm = guest_find("web");

	if (is_watched || !vm || (!has_ended(vm) && !vm->td.is_dead))
		return;
	is_watched = true;
	check_all_alive();
}

static void wake(const char *name)
{
	struct vm *vm = guest_find(name);

	for (unsigned i = 0; vm && i < vm->vcpu_count; i++)
		vcpu_wake(vm->vcpus[i]);
}

static void expect_text(const struct vm_error *why)
{
	if (why->text[0] == '\0')
		test_fail(__FILE__, __LINE__, "a failure without a word");
}

static bool create_and_start(void)
{
	struct vm_error why = {""};

	guest_restart();
	if (vm_create(guest_config("web"), &why) || vm_start("web", &why)) {
		expect_text(&why);
		return false;
	}
	return true;
}

/* web's guest comes to its end, unless the TD's comes first. */
static bool live(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		const struct vm *vm = guest_find("web");

		if (!vm || has_ended(vm) || guest_is_done())
			break;
		guest_round(watch);
		wake("web");
	}
	return guest_is_done();
}

static bool is_running(void)
{
	const struct vm *vm = guest_find("web");

	return vm && vm->state == VM_RUNNING && !has_ended(vm);
}

/* The fault is over: who was not ended by it has to get on. */
static bool go_on(bool was_started)
{
	fault_disarm();
	if (!was_started)
		return false;
	if (is_running() && !live(ROUNDS_HEALTHY) && is_running())
		test_fail(__FILE__, __LINE__, "web runs, but its guest stays where it is");
	return false;
}

static void destroy(const char *name, bool may_fail)
{
	struct vm_error why = {""};

	if (!guest_find(name))
		return;
	if (vm_destroy(name, &why)) {
		expect_text(&why);
		if (!may_fail)
			test_fail(__FILE__, __LINE__, "%s", why.text);
	}
	vm_finish_reclaim();
}

/* web ends, with the fault still there if it lasts; then whatever is left of it. */
static void end_web(void)
{
	destroy("web", true);
	fault_disarm();
	guest_round(NULL);
	destroy("web", true);
	guest_round(NULL);
	vm_finish_reclaim();
	if (guest_find("web"))
		test_fail(__FILE__, __LINE__, "web cannot be destroyed");
}

/* The machine is as good as before: the other TD runs, and a new web lives. */
static void check_the_rest(void)
{
	struct vm_info info = {.name = ""};
	uint64_t exits;

	EXPECT_EQ(vm_get("other", &info), STATUS_OK);
	exits = info.exits;
	guest_round(NULL);
	EXPECT_EQ(vm_get("other", &info), STATUS_OK);
	EXPECT_EQ(info.state, VM_RUNNING);
	EXPECT_TRUE(info.exits > exits);
	if (!create_and_start() || !live(ROUNDS_HEALTHY))
		test_fail(__FILE__, __LINE__, "a new web does not live");
	check_all_alive();
	destroy("web", false);
	destroy("other", false);
}

static struct outcome run(enum fault_mode mode)
{
	struct outcome o = {false, 0, 0};
	bool started = create_and_start();

	o.is_complete = started && live(mode == FAULT_ONCE ? ROUNDS_HEALTHY : ROUNDS_FAULTY);
	check_all_alive();
	if (!o.is_complete && mode != FAULT_LASTING)
		o.is_complete = go_on(started);
	end_web();
	check_the_rest();
	check_gone(&before, &o.quarantined, &o.lost);
	return o;
}

static void prepare(void)
{
	struct vm_error why = {""};

	guest_machine();
	EXPECT_EQ(tdx_module_init(hosted_boot_info()), STATUS_OK);
	guest_vm_init();
	before = check_stock_take();
	EXPECT_EQ(vm_create(guest_config("other"), &why), STATUS_OK);
	EXPECT_EQ(vm_start("other", &why), STATUS_OK);
	guest_round(NULL);
	for (unsigned i = 0; i < guest_find("other")->vcpu_count; i++)
		fault_spare(guest_find("other")->vcpus[i]->td.tdvpr.pa.raw);
	fault_attach();
}

const struct scenario scenario_vm = {"vm", "", 1, prepare, run};
