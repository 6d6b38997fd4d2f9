/* SPDX-License-Identifier: MIT */
#include "tests/faults/guest.h"

#include <stdio.h>
#include <string.h>

#include "guest-abi/ghci.h"
#include "guest-abi/linux_boot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "vm/cpu_queue.h"
#include "vm/registry.h"
#include "vm/vcpu.h"
#include "vmx/exit.h"

#define KERNEL_SIZE  4096U
#define MASK_R10_R15 UINT64_C(0xfc00)
#define CODE_64      0xa09bU
#define MEMORY       (UINT64_C(64) << 20)
#define SHARED       TD_SHARED_BIT
#define ICR_MSR      0x830
#define ICR_SELF_NMI (UINT64_C(1) << 18 | 4 << 8)

/* One thing that web's first vCPU does. */
struct deed {
	enum { DO_CALL, DO_MAP, DO_TOUCH, DO_ACCEPT } kind;
	uint64_t r11, at, size, r13;
};

static const struct deed deeds[] = {
	{DO_CALL, EXIT_CPUID, 0, 0, 0},
	/* Two leaves are cut, one in between goes whole; then back again. */
	{DO_MAP, 0, (SIZE_2M - SIZE_4K) | SHARED, 2 * SIZE_2M, 0},
	{DO_MAP, 0, SIZE_2M - SIZE_4K, 2 * SIZE_2M, 0},
	{DO_TOUCH, 0, SIZE_2M - SIZE_4K, 0, 0},
	{DO_TOUCH, 0, SIZE_2M, 0, 0},
	{DO_ACCEPT, 0, SIZE_2M + SIZE_4K, 0, 0},
	{DO_ACCEPT, 0, 5 * SIZE_2M, 0, 0},
	{DO_TOUCH, 0, 0x7000 | SHARED, 0, 0},
	{DO_CALL, EXIT_WRMSR, ICR_MSR, 0, ICR_SELF_NMI},
	{DO_CALL, EXIT_HLT, 0, 0, 0},
	{DO_CALL, EXIT_HLT, 0, 0, 0},
	{DO_MAP, 0, (8 * SIZE_2M) | SHARED, SIZE_2M, 0},
	{DO_CALL, EXIT_CPUID, 0, 0, 0},
};

#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

static struct boot_info modules;
static unsigned at_deed;
static bool is_under_way;
static uint64_t map_at, map_size;

void guest_restart(void)
{
	at_deed = 0;
	is_under_way = false;
}

bool guest_is_done(void) { return at_deed == DEEDS; }

struct vm *guest_find(const char *name) { return registry_find(name); }

/* ---- The guest ---- */

static bool is_reachable(struct vm *vm, uint64_t at)
{
	mirror_entry_t e;

	if (at & SHARED)
		return shared_mem_backed(&vm->shared, gpa(at & ~SHARED)) != 0;
	e = sept_read(sept_find(&vm->td.sept, gpa(at), LEVEL_4K));
	return mirror_is_leaf(e) && !mirror_is_blocked(e);
}

/* Is the deed that was begun done? A conversion of which a part is left goes on with that. */
static bool is_over(struct vm *vm, const struct deed *d, const struct tdx_guest_state *s)
{
	switch (d->kind) {
	case DO_CALL:
		return true;
	case DO_MAP:
		if (s->gpr[TDX_R10] != TDVMCALL_RETRY)
			return true;
		map_size -= s->gpr[TDX_R11] - map_at;
		map_at = s->gpr[TDX_R11];
		return false;
	case DO_TOUCH:
		return is_reachable(vm, d->at);
	case DO_ACCEPT:
		return s->gpr[TDX_RAX] != TDG_MEM_PAGE_ACCEPT;
	}
	return true;
}

static void tdcall(struct tdx_guest_state *s, struct tdx_exit *exit, uint64_t rax, uint64_t rcx)
{
	exit->reason = EXIT_TDCALL;
	s->segment[TDX_CS].access_rights = CODE_64;
	s->gpr[TDX_RAX] = rax;
	s->gpr[TDX_RCX] = rcx;
}

static void vmcall(struct tdx_guest_state *s, struct tdx_exit *exit, uint64_t r11, uint64_t r12,
		   uint64_t r13)
{
	tdcall(s, exit, TDG_VP_VMCALL, MASK_R10_R15);
	s->gpr[TDX_R10] = 0;
	s->gpr[TDX_R11] = r11;
	s->gpr[TDX_R12] = r12;
	s->gpr[TDX_R13] = r13;
}

static void act(const struct deed *d, struct tdx_guest_state *s, struct tdx_exit *exit)
{
	switch (d->kind) {
	case DO_CALL:
		vmcall(s, exit, d->r11, d->at, d->r13);
		return;
	case DO_MAP:
		vmcall(s, exit, TDVMCALL_MAP_GPA, map_at, map_size);
		return;
	case DO_TOUCH:
		exit->reason = EXIT_EPT_VIOLATION;
		exit->gpa = d->at;
		return;
	case DO_ACCEPT:
		tdcall(s, exit, TDG_MEM_PAGE_ACCEPT, d->at);
		return;
	}
}

static void run_guest(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	struct vm *vm = guest_find("web");

	(void)cpu;
	if (!vm || vm->td.tdr.pa.raw != view->tdr_hpa || view->vcpu_index != 0)
		return;
	if (is_under_way && is_over(vm, &deeds[at_deed], view->state)) {
		at_deed++;
		is_under_way = false;
	}
	if (at_deed == DEEDS)
		return;
	if (!is_under_way) {
		map_at = deeds[at_deed].at;
		map_size = deeds[at_deed].size;
	}
	is_under_way = true;
	act(&deeds[at_deed], view->state, exit);
}

/* ---- The machine ---- */

static void put(uint8_t *file, unsigned at, uint64_t value, unsigned size)
{
	memcpy(file + at, &value, size);
}

static void add_kernel(void)
{
	struct boot_module *m = &modules.modules[modules.module_count++];
	uint8_t *file;

	(void)snprintf(m->name, sizeof(m->name), "vmlinuz");
	m->size = KERNEL_SIZE;
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_HOST, &m->base), STATUS_OK);
	file = phys_ptr(m->base);
	memset(file, 0, KERNEL_SIZE);
	put(file, LINUX_SETUP_SECTS, 1, 1);
	put(file, LINUX_SYSSIZE, (KERNEL_SIZE - 1024) / 16, 4);
	put(file, LINUX_MAGIC, LINUX_MAGIC_VALUE, 4);
	put(file, LINUX_VERSION, 0x20f, 2);
	put(file, LINUX_XLOADFLAGS, LINUX_XLF_KERNEL_64, 2);
}

void guest_machine(void)
{
	struct hosted_config c = hosted_default;

	/* Small, as bring-up is what most of its cases' time goes into. */
	c.ram = UINT64_C(2) << 30;
	c.hole = UINT64_C(0x3c000000);
	hosted_start(&c);
	add_kernel();
}

void guest_vm_init(void)
{
	vm_init(&modules);
	hosted_set_guest(run_guest);
}

const struct td_config *guest_config(const char *name)
{
	static struct td_config c;

	c = (struct td_config){
		.kernel = "vmlinuz",
		.cmdline = "console=hvc0",
		.vcpus = 2,
		.memory = MEMORY,
		.attributes = TD_ATTR_SEPT_VE_DISABLE,
		.line = 1,
	};
	(void)snprintf(c.name, sizeof(c.name), "%s", name);
	return &c;
}

void guest_round(void (*after)(void))
{
	for (unsigned cpu = 0; cpu < GUEST_CPUS; cpu++) {
		unsigned before = fake_set_this_cpu(cpu);

		cpu_loop_round();
		(void)fake_set_this_cpu(before);
		if (after)
			after();
	}
}
