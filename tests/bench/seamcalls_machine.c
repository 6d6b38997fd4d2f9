/* SPDX-License-Identifier: MIT */
#include "tests/bench/seamcalls_machine.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/oncpu.h"
#include "drivers/timer.h"
#include "guest-abi/ghci.h"
#include "guest-abi/linux_boot.h"
#include "guest-abi/tdboot.h"
#include "guest-abi/tdcall_insn.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tests/fake/fake.h"
#include "tests/hosted/cache.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "vm/background.h"
#include "vm/cpu_queue.h"
#include "vm/object.h"
#include "vm/registry.h"
#include "vm/vcpu.h"
#include "vmx/exit.h"

#define KERNEL_SIZE   4096U
#define MASK_R10_R15  UINT64_C(0xfc00)
#define CODE_64       0xa09bU
#define SETTLE_ROUNDS 1000000U
#define IDLE_ROUNDS   8U
#define RECLAIM_STEPS 256U /* between two points where all CPUs meet */

/* Far more TDMR.INITs than `ready` may take: beyond them it is not worth waiting. */
#define READY_LIMIT 16384U

/* ---- Counting ---- */

static atomic_uint_least64_t leaf_calls[BENCH_LEAVES];
static atomic_uint_least64_t reclaims_of_cpu[BENCH_CPUS];
static atomic_uint_least64_t broadcasts;

/* The linker puts the __wrap_ functions before the real ones. */
uint64_t __real_seamcall_raw(uint64_t rax, struct seamcall_regs *regs);
uint64_t __wrap_seamcall_raw(uint64_t rax, struct seamcall_regs *regs);
void __real_vm_kick_and_wait(struct vm *vm);
void __wrap_vm_kick_and_wait(struct vm *vm);
void __real_vm_quiesce(struct vm *vm);
void __wrap_vm_quiesce(struct vm *vm);
void __real_oncpu_each(oncpu_fn fn, void *arg);
void __wrap_oncpu_each(oncpu_fn fn, void *arg);

uint64_t __wrap_seamcall_raw(uint64_t rax, struct seamcall_regs *regs)
{
	unsigned leaf = (unsigned)(rax % BENCH_LEAVES);

	atomic_fetch_add(&leaf_calls[leaf], 1);
	if (leaf == TDH_PHYMEM_PAGE_RECLAIM)
		atomic_fetch_add(&reclaims_of_cpu[this_cpu()], 1);
	return __real_seamcall_raw(rax, regs);
}

void __wrap_vm_kick_and_wait(struct vm *vm)
{
	atomic_fetch_add(&broadcasts, 1);
	__real_vm_kick_and_wait(vm);
}

void __wrap_vm_quiesce(struct vm *vm)
{
	atomic_fetch_add(&broadcasts, 1);
	__real_vm_quiesce(vm);
}

void __wrap_oncpu_each(oncpu_fn fn, void *arg)
{
	atomic_fetch_add(&broadcasts, 1);
	__real_oncpu_each(fn, arg);
}

static uint64_t private_faults(void)
{
	uint64_t n = 0;

	for (const struct vm *vm = registry_first(); vm != NULL; vm = vm->next)
		for (unsigned i = 0; i < vm->vcpu_count; i++)
			n += vm->vcpus[i]->exits[EXIT_KIND_EPT_PRIVATE];
	return n;
}

struct counts counts_now(void)
{
	struct counts c = {.broadcasts = atomic_load(&broadcasts),
			   .private_faults = private_faults(),
			   .flushed_lines = cache_flushed_bytes() / 64,
			   .wbinvds = cache_wbinvds()};

	for (unsigned i = 0; i < BENCH_LEAVES; i++)
		c.leaf[i] = atomic_load(&leaf_calls[i]);
	for (unsigned i = 0; i < BENCH_CPUS; i++)
		c.reclaims_of_cpu[i] = atomic_load(&reclaims_of_cpu[i]);
	return c;
}

struct counts counts_since(const struct counts *before)
{
	struct counts c = counts_now();

	for (unsigned i = 0; i < BENCH_LEAVES; i++)
		c.leaf[i] -= before->leaf[i];
	for (unsigned i = 0; i < BENCH_CPUS; i++)
		c.reclaims_of_cpu[i] -= before->reclaims_of_cpu[i];
	c.broadcasts -= before->broadcasts;
	c.private_faults -= before->private_faults;
	c.flushed_lines -= before->flushed_lines;
	c.wbinvds -= before->wbinvds;
	return c;
}

uint64_t counts_calls(const struct counts *c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < BENCH_LEAVES; i++)
		sum += c->leaf[i];
	return sum - c->leaf[TDH_VP_ENTER] - c->leaf[TDH_SYS_TDMR_INIT];
}

uint64_t counts_memory(const struct counts *c)
{
	return c->leaf[TDH_MEM_PAGE_ADD] + c->leaf[TDH_MEM_PAGE_AUG] +
	       c->leaf[TDH_MEM_SEPT_ADD];
}

/* ---- The guest ---- */

enum guest_work { GUEST_ACCEPT, GUEST_MAP_GPA };

/* What vCPU 0 has to do next, and how far it got; its CPU's thread alone writes here. */
static struct {
	enum guest_work work;
	uint64_t at, end, shared_bit;
	bool by_4k;         /* all of it */
	uint64_t small_end; /* by 4K up to here, where the pages turned out to be small */
	bool is_due;
	unsigned others;
	struct counts before, cost;
} task;

static atomic_bool is_task_done, is_over;
static atomic_uint inside;
static atomic_bool kicked[BENCH_CPUS];

static void note_ipi(unsigned cpu, uint8_t vector)
{
	(void)vector;
	atomic_store(&kicked[cpu], true);
}

static void stay_inside(unsigned cpu)
{
	atomic_fetch_add(&inside, 1);
	while (!atomic_exchange(&kicked[cpu], false) && !atomic_load(&is_over))
		(void)sched_yield();
	atomic_fetch_sub(&inside, 1);
}

static uint64_t accept_size(void)
{
	if (task.by_4k || task.at < task.small_end || task.at % SIZE_2M != 0 ||
	    task.end - task.at < SIZE_2M)
		return SIZE_4K;
	return SIZE_2M;
}

static void take_accepted(const struct tdx_guest_state *s)
{
	uint64_t rax = s->gpr[TDX_RAX];

	if (rax == 0 || rax >> 32 == TDCALL_PAGE_ALREADY_ACCEPTED) {
		task.at += accept_size();
	} else if (rax >> 32 == TDCALL_PAGE_SIZE_MISMATCH) {
		task.small_end = task.at + SIZE_2M;
	} else if (rax != TDG_MEM_PAGE_ACCEPT) {
		test_fail(__FILE__, __LINE__, "accept of %#llx: %#llx",
			  (unsigned long long)task.at, (unsigned long long)rax);
	}
}

static void take_converted(const struct tdx_guest_state *s)
{
	uint64_t r10 = s->gpr[TDX_R10];

	if (r10 == TDVMCALL_SUCCESS)
		task.at = task.end;
	else if (r10 == TDVMCALL_RETRY)
		task.at = s->gpr[TDX_R11] & ~TD_SHARED_BIT;
	else
		test_fail(__FILE__, __LINE__, "MapGPA of %#llx: %#llx",
			  (unsigned long long)task.at, (unsigned long long)r10);
}

static void ask(struct tdx_guest_state *s)
{
	s->segment[TDX_CS].access_rights = CODE_64;
	if (task.work == GUEST_ACCEPT) {
		s->gpr[TDX_RAX] = TDG_MEM_PAGE_ACCEPT;
		s->gpr[TDX_RCX] = task.at | (accept_size() == SIZE_2M ? LEVEL_2M : LEVEL_4K);
		return;
	}
	s->gpr[TDX_RAX] = TDG_VP_VMCALL;
	s->gpr[TDX_RCX] = MASK_R10_R15;
	s->gpr[TDX_R10] = 0;
	s->gpr[TDX_R11] = TDVMCALL_MAP_GPA;
	s->gpr[TDX_R12] = task.at | task.shared_bit;
	s->gpr[TDX_R13] = task.end - task.at;
}

/* True when it has something to ask of the host or the module. */
static bool work(struct tdx_guest_state *s)
{
	if (atomic_load(&is_task_done))
		return false;
	while (atomic_load(&inside) < task.others && !atomic_load(&is_over))
		(void)sched_yield();
	if (!task.is_due)
		task.before = counts_now();
	else if (task.work == GUEST_ACCEPT)
		take_accepted(s);
	else
		take_converted(s);
	task.is_due = true;
	if (task.at < task.end) {
		ask(s);
		return true;
	}
	task.cost = counts_since(&task.before);
	atomic_store(&is_task_done, true);
	return false;
}

static void run_guest(unsigned cpu, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	if (vcpu->vcpu_index == 0 && work(vcpu->state))
		exit->reason = EXIT_TDCALL;
	else
		stay_inside(cpu);
}

/* ---- Its CPUs ---- */

static void *run_cpu(void *arg)
{
	(void)fake_set_this_cpu((unsigned)(uintptr_t)arg);
	while (!atomic_load(&is_over))
		cpu_loop_round();
	return NULL;
}

static void run_threads(void *(*fn)(void *arg))
{
	pthread_t threads[BENCH_CPUS];

	for (uintptr_t i = 0; i < BENCH_CPUS; i++)
		if (pthread_create(&threads[i], NULL, fn, (void *)i))
			abort();
	while (fn == run_cpu && !atomic_load(&is_task_done))
		(void)sched_yield();
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < BENCH_CPUS; i++)
		(void)pthread_join(threads[i], NULL);
}

static struct vm *find(const char *name)
{
	struct vm *vm = registry_find(name);

	if (vm == NULL)
		abort();
	return vm;
}

static struct counts run_task(const char *name)
{
	task.others = find(name)->vcpu_count - 1;
	task.is_due = false;
	atomic_store(&is_over, false);
	atomic_store(&is_task_done, false);
	run_threads(run_cpu);
	return task.cost;
}

struct counts bench_accept(const char *name, uint64_t at, uint64_t size, bool by_4k)
{
	task.work = GUEST_ACCEPT;
	task.at = at;
	task.end = at + size;
	task.by_4k = by_4k;
	task.small_end = 0;
	return run_task(name);
}

struct counts bench_map_gpa(const char *name, uint64_t at, uint64_t size, bool to_shared)
{
	task.work = GUEST_MAP_GPA;
	task.at = at;
	task.end = at + size;
	task.shared_bit = to_shared ? TD_SHARED_BIT : 0;
	return run_task(name);
}

/* ---- The machine ---- */

static struct boot_info modules;

static void make_kernel(void)
{
	struct boot_module *m = &modules.modules[0];
	uint64_t sectors = 1;
	uint64_t paragraphs = (KERNEL_SIZE - 1024) / 16;
	uint64_t magic = LINUX_MAGIC_VALUE;
	uint64_t version = 0x20f;
	uint64_t flags = LINUX_XLF_KERNEL_64;
	uint8_t *file;

	modules = (struct boot_info){.module_count = 1};
	(void)snprintf(m->name, sizeof(m->name), "vmlinuz");
	m->size = KERNEL_SIZE;
	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_HOST, &m->base), STATUS_OK);
	file = phys_ptr(m->base);
	memset(file, 0, KERNEL_SIZE);
	memcpy(file + LINUX_SETUP_SECTS, &sectors, 1);
	memcpy(file + LINUX_SYSSIZE, &paragraphs, 4);
	memcpy(file + LINUX_MAGIC, &magic, 4);
	memcpy(file + LINUX_VERSION, &version, 2);
	memcpy(file + LINUX_XLOADFLAGS, &flags, 2);
}

static struct hosted_config config_of(uint64_t ram)
{
	struct hosted_config c = hosted_default;

	c.cpus = BENCH_CPUS;
	c.ram = ram;
	c.hole = c.hole_size = 0;
	return c;
}

static void rounds(void)
{
	for (unsigned cpu = 0; cpu < BENCH_CPUS; cpu++) {
		unsigned before = fake_set_this_cpu(cpu);

		cpu_loop_round();
		(void)fake_set_this_cpu(before);
	}
}

void bench_machine(uint64_t ram, uint64_t td_memory)
{
	struct hosted_config c = config_of(ram);

	hosted_start_ready(&c);
	hosted_set_guest(run_guest);
	fake_set_ipi_hook(note_ipi);
	make_kernel();
	vm_init(&modules);
	for (unsigned i = 0;
	     i < SETTLE_ROUNDS && frame_free_tdx(LEVEL_4K) < td_memory / SIZE_4K; i++)
		rounds();
}

uint64_t bench_ready_calls(uint64_t ram)
{
	struct hosted_config c = config_of(ram);

	hosted_start(&c);
	hosted_inject(TDH_SYS_TDMR_INIT, READY_LIMIT, UINT32_MAX,
		      (uint64_t)TDX_OPERAND_INVALID << 32);
	if (tdx_module_init(hosted_boot_info()) != STATUS_OK)
		return UINT64_MAX;
	hosted_inject_none();
	return tdx_module_info()->ready_seamcalls;
}

struct counts bench_create(const char *name, uint64_t memory, unsigned vcpus)
{
	struct td_config c = {.kernel = "vmlinuz",
			      .vcpus = vcpus,
			      .memory = memory,
			      .attributes = TD_ATTR_SEPT_VE_DISABLE,
			      .line = 1};
	struct counts before = counts_now();
	struct vm_error why = {""};

	(void)snprintf(c.name, sizeof(c.name), "%s", name);
	if (vm_create(&c, &why) != STATUS_OK)
		test_fail(__FILE__, __LINE__, "%s", why.text);
	return counts_since(&before);
}

void bench_start(const char *name)
{
	struct vm_error why = {""};

	if (vm_start(name, &why) != STATUS_OK)
		test_fail(__FILE__, __LINE__, "%s", why.text);
}

static void destroy(const char *name)
{
	struct vm_error why = {""};

	if (vm_destroy(name, &why) != STATUS_OK)
		test_fail(__FILE__, __LINE__, "%s", why.text);
}

struct counts bench_destroy(const char *name)
{
	struct counts before = counts_now();

	destroy(name);
	vm_finish_reclaim();
	return counts_since(&before);
}

static pthread_barrier_t barrier;
static atomic_bool is_reclaiming;

/* CPUs of one speed, whatever this process gets of the real ones: each asks for work as often.
 */
static void *reclaim_as_idle(void *arg)
{
	(void)fake_set_this_cpu((unsigned)(uintptr_t)arg);
	do {
		(void)pthread_barrier_wait(&barrier);
		atomic_store(&is_reclaiming, false);
		(void)pthread_barrier_wait(&barrier);
		for (unsigned i = 0; i < RECLAIM_STEPS; i++)
			if (background_work_until(0))
				atomic_store(&is_reclaiming, true);
		(void)pthread_barrier_wait(&barrier);
	} while (atomic_load(&is_reclaiming));
	return NULL;
}

struct counts bench_destroy_by_all(const char *name)
{
	struct counts before = counts_now();

	destroy(name);
	if (pthread_barrier_init(&barrier, NULL, BENCH_CPUS) != 0)
		abort();
	run_threads(reclaim_as_idle);
	(void)pthread_barrier_destroy(&barrier);
	vm_finish_reclaim();
	return counts_since(&before);
}

void bench_write_back(const char *name)
{
	const struct vm *vm = find(name);

	atomic_store(&is_over, true);
	for (unsigned i = 0; i < SETTLE_ROUNDS && atomic_load(&vm->td.returned_bytes) != 0; i++)
		rounds();
}

void bench_unmap(const char *name, uint64_t at, uint64_t size)
{
	struct td *td = &find(name)->td;

	EXPECT_EQ(td_unmap_private_begin(td, gpa(at), size), STATUS_OK);
	EXPECT_EQ(td_unmap_private_commit(td, gpa(at), size), STATUS_OK);
}

void bench_use_memory(void)
{
	uint64_t count = frame_free_tdx(LEVEL_2M);
	hpa_t *frames = calloc(count, sizeof(*frames));

	if (frames == NULL)
		abort();
	for (uint64_t i = 0; i < count; i++)
		EXPECT_EQ(frame_alloc(LEVEL_2M, FRAME_HOST, &frames[i]), STATUS_OK);
	for (uint64_t i = 0; i < count; i++)
		frame_free(frames[i], SIZE_2M);
	free(frames);
}

struct counts bench_idle(void)
{
	struct counts before = counts_now();

	while (background_work_until(0))
		continue;
	return counts_since(&before);
}

struct counts bench_pass_time(void)
{
	struct counts before = counts_now();

	atomic_store(&is_over, true);
	for (unsigned second = 0; second < 2; second++) {
		fake_set_tsc(hw_rdtsc() + timer_us_to_tsc(1000000));
		for (unsigned i = 0; i < IDLE_ROUNDS; i++)
			rounds();
	}
	return counts_since(&before);
}
