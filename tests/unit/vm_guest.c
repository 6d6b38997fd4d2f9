/* SPDX-License-Identifier: MIT */
#include "tests/unit/vm_guest.h"

#include "core/cpu.h"
#include "guest-abi/linux_boot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/tdmr_init.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "vm/cpu_queue.h"

#define KERNEL_SIZE  4096U
#define MASK_R10_R15 UINT64_C(0xfc00)
#define CODE_64      0xa09bU

static struct boot_info modules;
static struct guest_step *script;
static unsigned script_length, script_at;
static bool is_answer_due;

static void add_module(const char *name, uint64_t size)
{
	struct boot_module *m = &modules.modules[modules.module_count++];

	(void)snprintf(m->name, sizeof(m->name), "%s", name);
	m->size = size;
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_HOST, &m->base), STATUS_OK);
	memset(phys_ptr(m->base), 0, SIZE_4K);
}

static void put(uint8_t *file, unsigned at, uint64_t value, unsigned size)
{
	memcpy(file + at, &value, size);
}

static void make_kernel(uint8_t *file)
{
	put(file, LINUX_SETUP_SECTS, 1, 1);
	put(file, LINUX_SYSSIZE, (KERNEL_SIZE - 1024) / 16, 4);
	put(file, LINUX_MAGIC, LINUX_MAGIC_VALUE, 4);
	put(file, LINUX_VERSION, 0x20f, 2);
	put(file, LINUX_XLOADFLAGS, LINUX_XLF_KERNEL_64, 2);
}

void guest_machine_just_ready(void)
{
	struct hosted_config c = hosted_default;

	c.cpus = GUEST_CPUS;
	c.packages = 1;
	hosted_start(&c);
	EXPECT_EQ(tdx_module_init(hosted_boot_info()), STATUS_OK);
	add_module("vmlinuz", KERNEL_SIZE);
	add_module("initrd.img", 100);
	add_module("short", KERNEL_SIZE - 16);
	make_kernel(phys_ptr(modules.modules[0].base));
	make_kernel(phys_ptr(modules.modules[2].base));
	vm_init(&modules);
}

void guest_machine(void)
{
	guest_machine_just_ready();
	while (tdmr_init_one_more())
		continue;
}

const struct td_config *guest_config(void)
{
	static struct td_config c = {
		.name = "web",
		.kernel = "vmlinuz",
		.initrd = "initrd.img",
		.cmdline = "console=hvc0",
		.vcpus = 2,
		.memory = GUEST_MEMORY,
		.attributes = TD_ATTR_SEPT_VE_DISABLE,
		.line = 7,
	};

	return &c;
}

static void take_answer(const struct tdx_guest_state *s)
{
	if (!is_answer_due)
		return;
	is_answer_due = false;
	memcpy(script[script_at - 1].answer, &s->gpr[TDX_R10], sizeof(script[0].answer));
}

static void tdvmcall(struct tdx_guest_state *s, const struct guest_step *step)
{
	s->segment[TDX_CS].access_rights = CODE_64;
	s->gpr[TDX_RAX] = TDG_VP_VMCALL;
	s->gpr[TDX_RCX] = MASK_R10_R15;
	memcpy(&s->gpr[TDX_R10], &step->r10, 6 * sizeof(uint64_t));
}

static void run_guest(unsigned cpu, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	const struct guest_step *step;

	(void)cpu;
	if (vcpu->vcpu_index != 0)
		return;
	take_answer(vcpu->state);
	if (script_at == script_length)
		return;
	step = &script[script_at++];
	exit->reason = step->exit != 0 ? step->exit : EXIT_TDCALL;
	exit->gpa = step->gpa;
	if (step->exit == 0)
		tdvmcall(vcpu->state, step);
	is_answer_due = step->exit == 0;
}

void guest_create(struct guest_step *steps, unsigned count)
{
	struct vm_error why = {""};

	script = steps;
	script_length = count;
	script_at = 0;
	is_answer_due = false;
	hosted_set_guest(run_guest);
	EXPECT_EQ(vm_create(guest_config(), &why), STATUS_OK);
	EXPECT_STR_EQ(why.text, "");
}

void guest_start(struct guest_step *steps, unsigned count)
{
	struct vm_error why = {""};

	guest_create(steps, count);
	EXPECT_EQ(vm_start("web", &why), STATUS_OK);
	EXPECT_STR_EQ(why.text, "");
}

unsigned guest_steps_done(void) { return script_at - is_answer_due; }

void guest_rounds(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		for (unsigned cpu = 0; cpu < GUEST_CPUS; cpu++) {
			unsigned before = fake_set_this_cpu(cpu);

			cpu_loop_round();
			(void)fake_set_this_cpu(before);
		}
	}
}

uint64_t guest_free_bytes(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	frame_account(bytes);
	return bytes[FRAME_FREE];
}
