/* SPDX-License-Identifier: MIT */
#include "core/cpu.h"
#include "guest-abi/acpi_ports.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tdx/module.h"
#include "tdx/tdmr_init.h"
#include "tdx/tdx_abi.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_guest.h"
#include "vm/background.h"
#include "vm/object.h"
#include "vm/registry.h"
#include "vm/vcpu.h"

#define SHARED TD_SHARED_BIT

#define STEPS(...)                                                                             \
	static struct guest_step steps[] = {__VA_ARGS__};                                      \
	const unsigned count = sizeof(steps) / sizeof(steps[0])

static struct vm_info info_of(const char *name)
{
	struct vm_info info = {.name = ""};

	EXPECT_EQ(vm_get(name, &info), STATUS_OK);
	return info;
}

static void destroy(void)
{
	struct vm_error why = {""};

	EXPECT_EQ(vm_destroy("web", &why), STATUS_OK);
	EXPECT_STR_EQ(why.text, "");
	vm_finish_reclaim();
}

/* What create takes: all of it has to be there again. */
struct stock {
	uint64_t free, quarantined, owned;
	unsigned keyids;
	size_t heap;
};

static struct stock take_stock(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	frame_account(bytes);
	return (struct stock){
		.free = bytes[FRAME_FREE],
		.quarantined = bytes[FRAME_QUARANTINED],
		.owned = hosted_owned_bytes(),
		.keyids = tdx_keyid_free_count(),
		.heap = heap_used(),
	};
}

static void expect_stock(const struct stock *before)
{
	struct stock now = take_stock();

	EXPECT_EQ(now.free, before->free);
	EXPECT_EQ(now.quarantined, before->quarantined);
	EXPECT_EQ(now.owned, before->owned);
	EXPECT_EQ(now.keyids, before->keyids);
	EXPECT_EQ(now.heap, before->heap);
}

TEST(vm_create_and_destroy_20_times_leak_nothing)
{
	struct stock before;

	guest_machine();
	before = take_stock();
	for (unsigned i = 0; i < 20; i++) {
		guest_create(NULL, 0);
		EXPECT_EQ(info_of("web").state, VM_CREATED);
		EXPECT_TRUE(info_of("web").has_mrtd);
		EXPECT_EQ(tdx_keyid_free_count(), before.keyids - 1);
		destroy();
		expect_stock(&before);
	}
}

TEST(vm_that_ran_on_several_cpus_leaks_nothing)
{
	struct stock before;

	guest_machine();
	before = take_stock();
	guest_start(NULL, 0);
	guest_rounds(3);
	EXPECT_EQ(info_of("web").state, VM_RUNNING);
	EXPECT_TRUE(info_of("web").exits >= 4);
	destroy();
	expect_stock(&before);
}

TEST(vm_without_shared_conversions_sees_no_ept_violation_for_its_ram)
{
	guest_machine();
	guest_create(NULL, 0);
	EXPECT_TRUE(info_of("web").private_bytes >= GUEST_MEMORY);
}

TEST(vm_create_has_the_memory_initialised_that_the_td_takes_and_no_more)
{
	struct td_config c = *guest_config();
	struct vm_error why = {""};
	uint64_t total;

	guest_machine_just_ready();
	total = frame_total();
	EXPECT_EQ(vm_create(&c, &why), STATUS_OK);
	EXPECT_EQ(hosted_calls(TDH_SYS_TDMR_INIT), 256);
	(void)strcpy(c.name, "large");
	c.memory = UINT64_C(3) << 29;
	EXPECT_EQ(vm_create(&c, &why), STATUS_OK);
	EXPECT_STR_EQ(why.text, "");
	EXPECT_EQ(hosted_calls(TDH_SYS_TDMR_INIT), 512);
	EXPECT_TRUE(tdmr_init_done_bytes() < tdx_module_info()->tdmr_bytes);
	EXPECT_EQ(frame_total(), total);
	EXPECT_EQ(vm_destroy("large", &why), STATUS_OK);
	while (tdmr_init_one_more()) /* pages come back while others become usable */
		(void)background_work_until(0);
	vm_finish_reclaim();
	EXPECT_EQ(frame_total(), total);
}

/* ---- Failures of create: one line each ---- */

static void expect_refused(const struct td_config *c, enum status s, const char *text)
{
	struct vm_error why = {""};
	struct stock before = take_stock();

	EXPECT_EQ(vm_create(c, &why), s);
	if (strstr(why.text, text) == NULL)
		test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", why.text, text);
	vm_finish_reclaim();
	expect_stock(&before);
}

TEST(vm_create_names_what_is_wrong_with_the_configuration)
{
	struct td_config c;

	guest_machine();
	c = *guest_config();
	c.vcpus = 0;
	expect_refused(&c, STATUS_BAD_ARG, "vcpus = 0, expected 1 to 64");
	c = *guest_config();
	c.memory = 12345;
	expect_refused(&c, STATUS_BAD_ARG, "expected a multiple of 2M");
	c = *guest_config();
	c.memory = UINT64_C(64) << 30;
	expect_refused(&c, STATUS_NO_MEMORY, "MiB are free for TDs");
	c = *guest_config();
	(void)strcpy(c.kernel, "nowhere");
	expect_refused(&c, STATUS_NOT_FOUND,
		       "redoubt.cfg:7: web: kernel 'nowhere' was not loaded");
	c = *guest_config();
	(void)strcpy(c.kernel, "initrd.img");
	expect_refused(&c, STATUS_BAD_ARG, "expected a 64-bit Linux bzImage");
	c = *guest_config();
	(void)strcpy(c.kernel, "short");
	expect_refused(&c, STATUS_BAD_ARG, "truncated: 4080 bytes, expected 4096");
	c = *guest_config();
	c.attributes = UINT64_C(1) << 5;
	expect_refused(&c, STATUS_BAD_ARG, "creating the TD");
}

TEST(vm_create_names_the_lack_of_a_keyid)
{
	struct vm_error why = {""};
	struct td_config c;

	guest_machine();
	c = *guest_config();
	for (unsigned i = 0; tdx_keyid_free_count() > 0 && test_failures == 0; i++) {
		(void)snprintf(c.name, sizeof(c.name), "td%u", i);
		EXPECT_EQ(vm_create(&c, &why), STATUS_OK);
		EXPECT_STR_EQ(why.text, "");
	}
	(void)strcpy(c.name, "more");
	expect_refused(&c, STATUS_NO_KEYID, "no KeyID is left");
	vm_shutdown_all();
	EXPECT_TRUE(registry_first() == NULL);
}

TEST(vm_create_refuses_a_name_twice)
{
	struct vm_error why;

	guest_machine();
	guest_create(NULL, 0);
	EXPECT_EQ(vm_create(guest_config(), &why), STATUS_EXISTS);
	EXPECT_STR_EQ(why.text, "'web' exists: destroy it first");
}

TEST(vm_create_without_heap_gives_everything_back)
{
	guest_machine();
	for (unsigned n = 1; n < 40; n++) {
		struct vm_error why = {""};
		struct stock before = take_stock();
		enum status s;

		fake_heap_fail_at(n);
		s = vm_create(guest_config(), &why);
		fake_heap_fail_at(0);
		if (s == STATUS_OK)
			destroy();
		else
			EXPECT_TRUE(why.text[0] != '\0');
		vm_finish_reclaim();
		expect_stock(&before);
	}
}

/* ---- What a guest calls ---- */

TEST(vm_answers_cpuid_as_kvm)
{
	STEPS({.r11 = EXIT_CPUID, .r12 = 0x40000000}, {.r11 = EXIT_CPUID, .r12 = 0x40000001});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	EXPECT_EQ(guest_steps_done(), count);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_SUCCESS);
	EXPECT_EQ(steps[0].answer[2], 0x40000001);
	EXPECT_MEM_EQ(&steps[0].answer[3], "KVMK", 4);
	EXPECT_MEM_EQ(&steps[0].answer[4], "VMKV", 4);
	EXPECT_MEM_EQ(&steps[0].answer[5], "M\0\0\0", 4);
	EXPECT_EQ(steps[1].answer[2], 0);
}

TEST(vm_answers_ports_as_linux_needs_them)
{
	STEPS({.r11 = EXIT_IO, .r12 = 1, .r14 = 0x42}, {.r11 = EXIT_IO, .r12 = 1, .r14 = 0x71},
	      {.r11 = EXIT_IO, .r12 = 1, .r14 = 0x3fd},
	      {.r11 = EXIT_IO, .r12 = 2, .r14 = 0x1234},
	      {.r11 = EXIT_IO, .r12 = 3, .r14 = 0x80},
	      {.r11 = EXIT_IO, .r12 = 1, .r14 = 0x10000},
	      {.r11 = EXIT_IO, .r12 = 1, .r13 = 1, .r14 = 0x70, .r15 = 0x10d},
	      {.r11 = EXIT_IO, .r12 = 1, .r14 = 0x71});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	EXPECT_EQ(steps[0].answer[1], 0);
	EXPECT_EQ(steps[1].answer[1], 0);
	EXPECT_EQ(steps[2].answer[1], 0x60);
	EXPECT_EQ(steps[3].answer[1], 0xffff);
	EXPECT_EQ(steps[4].answer[0], TDVMCALL_INVALID_OPERAND);
	EXPECT_EQ(steps[5].answer[0], TDVMCALL_INVALID_OPERAND);
	EXPECT_EQ(steps[7].answer[1], 0x80);
}

TEST(vm_refuses_what_it_does_not_know)
{
	STEPS({.r11 = 0x4242}, {.r11 = TDVMCALL_SERVICE}, {.r10 = 1, .r11 = 5},
	      {.r11 = EXIT_RDMSR, .r12 = 0x606}, {.r11 = EXIT_RDMSR, .r12 = UINT64_C(1) << 32},
	      {.r11 = TDVMCALL_SETUP_EVENT_NOTIFY, .r12 = 31},
	      {.r11 = TDVMCALL_GET_TD_VM_CALL_INFO, .r12 = 2},
	      {.r11 = EXIT_EPT_VIOLATION, .r12 = 4, .r14 = 0xe0000000},
	      {.r11 = EXIT_EPT_VIOLATION, .r12 = 4, .r14 = 0x1000 | SHARED});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	EXPECT_EQ(guest_steps_done(), count);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_SUBFUNC_UNSUPPORTED);
	EXPECT_EQ(steps[1].answer[0], TDVMCALL_SUBFUNC_UNSUPPORTED);
	EXPECT_EQ(steps[2].answer[0], (uint64_t)-1000);
	for (unsigned i = 3; i < count; i++)
		EXPECT_EQ(steps[i].answer[0], TDVMCALL_INVALID_OPERAND);
}

TEST(vm_answers_mmio_of_devices_and_of_nobody)
{
	STEPS({.r11 = EXIT_EPT_VIOLATION, .r12 = 4, .r14 = 0xe0008000 | SHARED},
	      {.r11 = EXIT_EPT_VIOLATION, .r12 = 2, .r14 = 0xfec00000 | SHARED},
	      {.r11 = EXIT_EPT_VIOLATION, .r12 = 8, .r13 = 1, .r14 = 0xfec00000 | SHARED});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	EXPECT_EQ(steps[0].answer[1], 0x10431af4);
	EXPECT_EQ(steps[1].answer[1], 0xffff);
	EXPECT_EQ(steps[2].answer[0], TDVMCALL_SUCCESS);
}

TEST(vm_timer_wakes_a_halted_vcpu)
{
	STEPS({.r11 = EXIT_WRMSR, .r12 = 0x832, .r13 = 0x400ec},
	      {.r11 = EXIT_WRMSR, .r12 = 0x6e0, .r13 = UINT64_C(1) << 40}, {.r11 = EXIT_HLT});
	const struct vcpu *v;

	guest_machine();
	guest_start(steps, count);
	guest_rounds(3);
	v = registry_first()->vcpus[0];
	EXPECT_EQ(guest_steps_done(), 2);
	EXPECT_EQ(atomic_load(&v->run), VCPU_HALTED);
	EXPECT_TRUE(v->apic.deadline != 0);
	EXPECT_EQ(fake_timer_armed(v->cpu), v->apic.deadline);
	fake_set_tsc(v->apic.deadline);
	guest_rounds(1);
	EXPECT_EQ(guest_steps_done(), 3);
	EXPECT_EQ(steps[2].answer[0], TDVMCALL_SUCCESS);
	EXPECT_EQ(atomic_load(&v->posted->requests[3]), UINT64_C(1) << (0xec - 192));
}

TEST(vm_ipi_wakes_another_vcpu)
{
	STEPS({.r11 = EXIT_WRMSR, .r12 = 0x830, .r13 = UINT64_C(1) << 32 | 0xfb});
	struct vcpu *other;

	guest_machine();
	guest_create(steps, count);
	other = registry_first()->vcpus[1];
	EXPECT_EQ(vm_start("web", &(struct vm_error){""}), STATUS_OK);
	atomic_store(&other->run, VCPU_HALTED);
	guest_rounds(2);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_SUCCESS);
	EXPECT_EQ(atomic_load(&other->run), VCPU_RUNNABLE);
	EXPECT_EQ(atomic_load(&other->posted->requests[3]), UINT64_C(1) << (0xfb - 192));
}

TEST(vm_interrupt_posted_before_hlt_lets_it_go_on)
{
	STEPS({.r11 = EXIT_WRMSR, .r12 = 0x830, .r13 = UINT64_C(1) << 18 | 0x40},
	      {.r11 = EXIT_HLT}, {.r11 = EXIT_CPUID});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	EXPECT_EQ(guest_steps_done(), 3);
}

/* ---- Conversions ---- */

static void map_gpa_and_back(uint64_t at, uint64_t size)
{
	static struct guest_step steps[] = {
		{.r11 = TDVMCALL_MAP_GPA}, {.r11 = EXIT_CPUID}, {.r11 = TDVMCALL_MAP_GPA}};
	struct vm *vm;
	struct stock before;

	guest_machine();
	before = take_stock();
	steps[0].r12 = at | SHARED;
	steps[0].r13 = steps[2].r13 = size;
	steps[2].r12 = at;
	guest_create(steps, 2);
	vm = registry_first();
	EXPECT_EQ(vm_start("web", &(struct vm_error){""}), STATUS_OK);
	guest_rounds(3);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_SUCCESS);
	EXPECT_EQ(atomic_load(&vm->shared.bytes), size);
	EXPECT_TRUE(shared_mem_backed(&vm->shared, gpa(at)) != 0);
	EXPECT_TRUE(shared_mem_backed(&vm->shared, gpa(at + size - 1)) != 0);
	EXPECT_EQ(shared_mem_backed(&vm->shared, gpa(at + size)), 0);
	destroy();
	expect_stock(&before);
	guest_start(steps, 3);
	vm = registry_first();
	guest_rounds(3);
	EXPECT_EQ(steps[2].answer[0], TDVMCALL_SUCCESS);
	EXPECT_EQ(atomic_load(&vm->shared.bytes), 0);
	EXPECT_EQ(shared_mem_backed(&vm->shared, gpa(at)), 0);
	destroy();
	expect_stock(&before);
}

TEST(vm_map_gpa_converts_one_page_and_back) { map_gpa_and_back(0x5000, SIZE_4K); }
TEST(vm_map_gpa_converts_2m_and_back) { map_gpa_and_back(SIZE_2M, SIZE_2M); }
TEST(vm_map_gpa_converts_edges_and_a_middle)
{
	map_gpa_and_back(SIZE_2M - SIZE_4K, 2 * SIZE_2M);
}

TEST(vm_map_gpa_of_a_long_range_retries_with_progress)
{
	STEPS({.r11 = TDVMCALL_MAP_GPA, .r12 = 0x100000 | SHARED, .r13 = 0x3000000});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(3);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_RETRY);
	EXPECT_EQ(steps[0].answer[1], 0x1000000 | SHARED);
}

TEST(vm_map_gpa_refuses_as_the_ghci_says)
{
	STEPS({.r11 = TDVMCALL_MAP_GPA, .r12 = 0x800 | SHARED, .r13 = 0x1000},
	      {.r11 = TDVMCALL_MAP_GPA, .r12 = 0x1000 | SHARED, .r13 = 0x10},
	      {.r11 = TDVMCALL_MAP_GPA, .r12 = SHARED, .r13 = 0},
	      {.r11 = TDVMCALL_MAP_GPA, .r12 = (SHARED - 0x1000) | SHARED, .r13 = 0x2000},
	      {.r11 = TDVMCALL_MAP_GPA, .r12 = UINT64_C(1) << 50, .r13 = 0x1000},
	      {.r11 = TDVMCALL_MAP_GPA, .r12 = 0x1000, .r13 = UINT64_MAX - 0xfff});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_ALIGN_ERROR);
	EXPECT_EQ(steps[1].answer[0], TDVMCALL_ALIGN_ERROR);
	for (unsigned i = 2; i < count; i++)
		EXPECT_EQ(steps[i].answer[0], TDVMCALL_INVALID_OPERAND);
}

TEST(vm_map_gpa_accepts_what_is_no_ram)
{
	STEPS({.r11 = TDVMCALL_MAP_GPA, .r12 = 0xc0000000 | SHARED, .r13 = 0x10000000},
	      {.r11 = TDVMCALL_MAP_GPA, .r12 = 0xc0000000, .r13 = 0x10000000});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_SUCCESS);
	EXPECT_EQ(steps[1].answer[0], TDVMCALL_SUCCESS);
}

TEST(vm_map_gpa_stops_where_ram_ends_and_goes_on_behind_it)
{
	STEPS({.r11 = TDVMCALL_MAP_GPA,
	       .r12 = (GUEST_MEMORY - SIZE_2M) | SHARED,
	       .r13 = SIZE_1G},
	      {.r11 = TDVMCALL_MAP_GPA,
	       .r12 = GUEST_MEMORY | SHARED,
	       .r13 = SIZE_1G - SIZE_2M});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(3);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_RETRY);
	EXPECT_EQ(steps[0].answer[1], GUEST_MEMORY | SHARED);
	EXPECT_EQ(steps[1].answer[0], TDVMCALL_SUCCESS);
	EXPECT_EQ(atomic_load(&registry_first()->shared.bytes), SIZE_2M);
}

TEST(vm_shared_memory_that_finds_no_frame_for_its_ept_holds_nothing)
{
	static struct shared_mem m;
	size_t heap;
	hpa_t frame;

	guest_machine();
	heap = heap_used();
	while (frame_alloc(LEVEL_4K, FRAME_HOST, &frame) == STATUS_OK)
		continue;
	EXPECT_EQ(shared_mem_init(&m), STATUS_NO_MEMORY);
	shared_mem_destroy(&m);
	shared_mem_destroy(&m);
	EXPECT_EQ(heap_used(), heap);
}

TEST(vm_shared_access_without_map_gpa_converts_that_page)
{
	STEPS({.exit = EXIT_EPT_VIOLATION, .gpa = 0x7000 | SHARED}, {.r11 = EXIT_CPUID});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	EXPECT_EQ(guest_steps_done(), 2);
	EXPECT_EQ(atomic_load(&registry_first()->shared.bytes), SIZE_4K);
}

TEST(vm_converted_frames_come_home_while_cpus_idle)
{
	STEPS({.r11 = TDVMCALL_MAP_GPA, .r12 = SIZE_2M | SHARED, .r13 = SIZE_2M});
	struct vm *vm;

	guest_machine();
	guest_start(steps, count);
	vm = registry_first();
	guest_rounds(2);
	EXPECT_EQ(steps[0].answer[0], TDVMCALL_SUCCESS);
	EXPECT_EQ(atomic_load(&vm->td.returned_bytes), SIZE_2M);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		atomic_store(&vm->vcpus[i]->run, VCPU_HALTED);
	guest_rounds(64);
	EXPECT_EQ(atomic_load(&vm->td.returned_bytes), 0);
	EXPECT_EQ(hosted_calls(TDH_PHYMEM_PAGE_WBINVD), 512);
}

/* ---- Ends ---- */

static void expect_end(enum vm_state state, const char *reason)
{
	struct vm_info info;

	guest_rounds(2);
	info = info_of("web");
	EXPECT_STR_EQ(vm_state_name(info.state), vm_state_name(state));
	if (strstr(info.reason, reason) == NULL)
		test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", info.reason,
			  reason);
	vm_finish_reclaim();
}

TEST(vm_poweroff_stops_the_td_and_its_frames_come_back)
{
	STEPS({.r11 = EXIT_IO,
	       .r12 = 1,
	       .r13 = 1,
	       .r14 = TD_ACPI_SLEEP_CONTROL_PORT,
	       .r15 = 0x34});
	struct stock before;
	struct stock now;

	guest_machine();
	before = take_stock();
	guest_start(steps, count);
	guest_rounds(2);
	expect_end(VM_STOPPED, "the guest powered off");
	now = take_stock();
	EXPECT_EQ(now.owned, before.owned);
	EXPECT_EQ(now.keyids, before.keyids);
	destroy();
	expect_stock(&before);
}

TEST(vm_fatal_error_is_told_in_the_guest_s_words)
{
	STEPS({.r11 = TDVMCALL_REPORT_FATAL_ERROR,
	       .r12 = 0x52440004,
	       .r14 = 0x6c656e72656b,
	       .r15 = 0x0a7f});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	expect_end(VM_CRASHED, "vCPU 0 reported fatal error 0x52440004: kernel");
	EXPECT_EQ(vm_start("web", &(struct vm_error){""}), STATUS_BAD_STATE);
}

TEST(vm_triple_fault_ends_the_td)
{
	STEPS({.exit = EXIT_TRIPLE_FAULT});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	expect_end(VM_CRASHED, "triple fault");
}

TEST(vm_triple_fault_after_the_shutdown_code_is_a_reset)
{
	STEPS({.r11 = EXIT_IO, .r12 = 1, .r13 = 1, .r14 = 0x70, .r15 = 0x8f},
	      {.r11 = EXIT_IO, .r12 = 1, .r13 = 1, .r14 = 0x71}, {.exit = EXIT_TRIPLE_FAULT});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	expect_end(VM_STOPPED, "the guest reset itself");
}

TEST(vm_private_access_outside_ram_ends_the_td)
{
	STEPS({.exit = EXIT_EPT_VIOLATION, .gpa = 0xd0000000});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	expect_end(VM_CRASHED, "private GPA 0xd0000000");
}

TEST(vm_shared_access_beyond_everything_ends_the_td)
{
	STEPS({.exit = EXIT_EPT_VIOLATION, .gpa = UINT64_C(0x600000000000) | SHARED});

	guest_machine();
	guest_start(steps, count);
	guest_rounds(2);
	expect_end(VM_CRASHED, "neither RAM nor a file nor a device");
}

TEST(vm_that_halts_all_vcpus_for_ever_is_stopped)
{
	STEPS({.r11 = EXIT_HLT, .r12 = 1});

	guest_machine();
	guest_create(steps, count);
	atomic_store(&registry_first()->vcpus[1]->run, VCPU_DEAF);
	EXPECT_EQ(vm_start("web", &(struct vm_error){""}), STATUS_OK);
	atomic_store(&registry_first()->vcpus[1]->run, VCPU_DEAF);
	guest_rounds(2);
	expect_end(VM_STOPPED, "halted all vCPUs");
}

TEST(vm_enter_that_stays_busy_is_tried_again)
{
	STEPS({.r11 = EXIT_CPUID});

	guest_machine();
	guest_start(steps, count);
	hosted_inject(TDH_VP_ENTER, 1, 5, (uint64_t)TDX_OPERAND_BUSY << 32 | 1);
	guest_rounds(8);
	EXPECT_EQ(guest_steps_done(), 1);
	EXPECT_EQ(info_of("web").state, VM_RUNNING);
}

TEST(vm_enter_that_finds_the_td_dead_ends_it)
{
	guest_machine();
	guest_start(NULL, 0);
	hosted_inject(TDH_VP_ENTER, 1, 1, (uint64_t)TDX_NON_RECOVERABLE_TD << 32);
	expect_end(VM_CRASHED, "the TD is lost, TDH.VP.ENTER returned TDX_NON_RECOVERABLE_TD");
}

TEST(vm_enter_that_returns_an_unknown_status_ends_the_td_with_its_number)
{
	guest_machine();
	guest_start(NULL, 0);
	hosted_inject(TDH_VP_ENTER, 1, 1, UINT64_C(0x8000beef00000000));
	expect_end(VM_CRASHED, "returned an unknown status (0x8000beef00000000)");
}
