/* SPDX-License-Identifier: MIT */
#include "tests/hosted/hosted.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/cpu.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tdx/tdmr_init.h"
#include "tests/fake/fake.h"
#include "tests/hosted/cache.h"
#include "tests/hosted/platform.h"
#include "tests/unit/test.h"
#include "vmx/ept.h"
#include "vmx/vmx.h"

#define MAX_LEAVES 128

/* Of use to tests only. */
#define TDH_PHYMEM_PAGE_RDMD 24

const struct hosted_config hosted_default = {
	.cpus = 4,
	.packages = 2,
	.ram = UINT64_C(4) << 30,
	.hole = UINT64_C(0x7c000000),
	.hole_size = UINT64_C(0x4000000),
	.private_keyids = 8,
	.wbinvd_blocks = 4,
};

static struct boot_info bi;
static struct tdx_model *model;
static void *model_memory;
static void *arena;
static uint64_t arena_size;
static hosted_guest_fn guest_hook;
static hosted_seamcall_fn seamcall_hook;
static atomic_uint_least64_t calls[MAX_LEAVES];
static atomic_uint fail_rdrand, fail_rdseed, pending_interrupts;
static atomic_uint_least64_t random_state;
static bool vmx_on[MAX_CPUS];
static void (*invept_hook)(void);

static struct {
	unsigned leaf, nth, count, struck;
	uint64_t status;
	bool is_armed;
} injection;

/* ---- The machine below the model ---- */

static void *memory(void *ctx, uint64_t hpa)
{
	(void)ctx;
	if (hpa >= arena_size) {
		printf("# the module touches %#llx, beyond the end of RAM\n",
		       (unsigned long long)hpa);
		abort();
	}
	return (uint8_t *)arena + hpa;
}

/* What the calling thread asks the module for. */
static _Thread_local struct {
	uint64_t rax;
	const struct seamcall_regs *in;
} current;

static void owner_changed(void *ctx, uint64_t hpa, uint64_t size, bool module_owns)
{
	(void)ctx;
	cache_owner_changed(current.rax, current.in, hpa, size, module_owns);
}

static bool take(atomic_uint *counter)
{
	unsigned n = atomic_load(counter);

	while (n > 0 && !atomic_compare_exchange_weak(counter, &n, n - 1))
		continue;
	return n > 0;
}

/* SplitMix64: the same numbers in every run. */
static uint64_t next_random(void)
{
	uint64_t z = atomic_fetch_add(&random_state, UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool rdrand(void *ctx, unsigned lp, uint64_t *value)
{
	(void)ctx;
	(void)lp;
	*value = next_random();
	return !take(&fail_rdrand);
}

static bool rdseed(void *ctx, unsigned lp, uint64_t *value)
{
	(void)ctx;
	(void)lp;
	*value = next_random();
	return !take(&fail_rdseed);
}

static uint64_t rdtsc(void *ctx, unsigned lp)
{
	(void)ctx;
	(void)lp;
	return hw_rdtsc();
}

static bool rdmsr(void *ctx, unsigned lp, uint32_t msr, uint64_t *value)
{
	unsigned before = fake_set_this_cpu(lp);
	bool ok = hw_rdmsr_safe(msr, value) == STATUS_OK;

	(void)ctx;
	(void)fake_set_this_cpu(before);
	return ok;
}

static void cpuid(void *ctx, unsigned lp, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	(void)ctx;
	platform_cpuid(cpus[lp].package, lp, leaf, subleaf, regs);
}

static bool interrupt_pending(void *ctx, unsigned lp, bool guest_side)
{
	(void)ctx;
	(void)lp;
	return !guest_side && take(&pending_interrupts);
}

static unsigned pconfig(void *ctx, unsigned lp, unsigned keyid)
{
	(void)ctx;
	(void)lp;
	(void)keyid;
	return 0;
}

static void run_guest(void *ctx, unsigned lp, struct tdx_vcpu_view *vcpu, struct tdx_exit *exit)
{
	(void)ctx;
	*exit = (struct tdx_exit){
		.reason = 1, .rip_advance = 16, .tsc_in_guest = UINT64_MAX / 2};
	if (guest_hook)
		guest_hook(lp, vcpu, exit);
}

struct tdx_machine hosted_machine = {
	.memory = memory,
	.owner_changed = owner_changed,
	.rdrand = rdrand,
	.rdseed = rdseed,
	.rdtsc = rdtsc,
	.rdmsr = rdmsr,
	.cpuid = cpuid,
	.interrupt_pending = interrupt_pending,
	.pconfig = pconfig,
	.run_guest = run_guest,
};

/* ---- The seams ---- */

static bool is_injected(unsigned leaf, uint64_t *status)
{
	if (!injection.is_armed || injection.leaf != leaf)
		return false;
	if (injection.nth > 1) {
		injection.nth--;
		return false;
	}
	if (injection.count == 0)
		return false;
	injection.count--;
	injection.struck++;
	*status = injection.status;
	return true;
}

uint64_t hosted_seamcall(uint64_t rax, struct seamcall_regs *regs)
{
	unsigned leaf = (unsigned)(rax & (MAX_LEAVES - 1));
	const struct seamcall_regs in = *regs;
	struct tdx_regs r = {0};
	uint64_t status;

	atomic_fetch_add(&calls[leaf], 1);
	if (is_injected(leaf, &status))
		return status;
	if (!vmx_on[this_cpu()])
		return (uint64_t)TDX_SW_UD << 32;
	if (!model || rax >> 63)
		return (uint64_t)TDX_SW_VMFAIL_INVALID << 32;
	r.gpr[TDX_RAX] = rax;
/* clang-format off */
#define REGISTERS(X)                                                                           \
	X(RCX, rcx)                                                                            \
	X(RDX, rdx)                                                                            \
	X(RBX, rbx)                                                                            \
	X(RBP, rbp) X(RSI, rsi) X(RDI, rdi) X(R8, r8) X(R9, r9) X(R10, r10) X(R11, r11)        \
		X(R12, r12) X(R13, r13) X(R14, r14) X(R15, r15)
/* clang-format on */
#define X(name, field) r.gpr[TDX_##name] = regs->field;
	REGISTERS(X)
#undef X
	current.rax = rax;
	current.in = &in;
	tdx_model_seamcall(model, this_cpu(), &r);
	if (r.gpr[TDX_RAX] >> 63 == 0)
		cache_seamcall(rax, &in);
#define X(name, field) regs->field = r.gpr[TDX_##name];
	REGISTERS(X)
#undef X
	return r.gpr[TDX_RAX];
}

uint64_t seamcall_raw(uint64_t rax, struct seamcall_regs *regs)
{
	return seamcall_hook ? seamcall_hook(rax, regs) : hosted_seamcall(rax, regs);
}

enum status vmx_on_this_cpu(hpa_t region)
{
	(void)region;
	vmx_on[this_cpu()] = true;
	return STATUS_OK;
}

void vmx_off_this_cpu(void) { vmx_on[this_cpu()] = false; }
void vmx_invept_all(void)
{
	if (invept_hook)
		invept_hook();
}

/* ---- Set-up ---- */

/* Costs nothing until it is touched. */
static void *map_sparse(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static void start_ram(uint64_t size, const struct hosted_map *map)
{
	if (arena)
		munmap(arena, arena_size);
	arena_size = size;
	arena = map_sparse(size);
	cache_start(arena, size);
	direct_map_base = (uintptr_t)arena;
	memset(&bi, 0, sizeof(bi));
	bi.magic = BOOT_INFO_MAGIC;
	for (unsigned i = 0; i < map->memory_count; i++)
		bi.ranges[bi.range_count++] = (struct boot_range){
			map->memory[i].base, map->memory[i].size, BOOT_MEM_USABLE};
	frame_init(&bi);
}

static void start_model(const struct hosted_config *c, const struct hosted_map *map)
{
	struct tdx_platform p = {
		.lp_count = c->cpus,
		.package_count = c->packages,
		.max_pa_bits = 52,
		.keyid_bits = PLATFORM_KEYID_BITS,
		.first_private_keyid = PLATFORM_SHARED_KEYIDS + 1,
		.private_keyid_count = c->private_keyids,
		.wbinvd_blocks = c->wbinvd_blocks,
		.build_date = 20240101,
	};

	for (unsigned i = 0; i < c->cpus; i++)
		p.lp_package[i] = (uint8_t)cpus[i].package;
	for (unsigned i = 0; i < map->cmr_count; i++)
		p.cmr[p.cmr_count++] =
			(struct tdx_range){map->cmrs[i].base.raw, map->cmrs[i].size};
	p.seamrr = (struct tdx_range){map->seamrr.base.raw, map->seamrr.size};
	free(model_memory);
	model_memory = aligned_alloc(64, (tdx_model_size() + 63) / 64 * 64);
	if (!model_memory)
		abort();
	model = tdx_model_init(model_memory, &p, &hosted_machine);
}

void hosted_start_map(const struct hosted_config *config, const struct hosted_map *map)
{
	fake_cpus(config->cpus, config->packages);
	platform_set_msrs(config->private_keyids);
	platform_set_cpuid();
	memset(vmx_on, 0, sizeof(vmx_on));
	memset(calls, 0, sizeof(calls));
	memset(&injection, 0, sizeof(injection));
	guest_hook = NULL;
	seamcall_hook = NULL;
	invept_hook = NULL;
	random_state = 1;
	start_ram(config->ram, map);
	start_model(config, map);
}

/* No CMR has the first MiB. */
void hosted_start(const struct hosted_config *c)
{
	const uint64_t low = 0x100000;
	uint64_t end = c->hole + c->hole_size;
	struct hpa_range memory[2] = {{hpa(0), c->hole}, {hpa(end), c->ram - end}};
	struct hpa_range cmrs[2] = {{hpa(low), c->hole - low}, memory[1]};
	struct hosted_map map = {memory, 2, cmrs, 2, {hpa(c->hole), c->hole_size}};

	if (!c->hole_size) {
		memory[0].size = c->ram;
		cmrs[0].size = c->ram - low;
		map.memory_count = map.cmr_count = 1;
	}
	hosted_start_map(c, &map);
}

void hosted_start_ready(const struct hosted_config *config)
{
	hosted_start(config);
	if (tdx_module_init(&bi))
		test_fail(__FILE__, __LINE__, "TDX refused: %s", tdx_module_info()->refusal);
	while (tdmr_init_one_more())
		continue;
}

const struct boot_info *hosted_boot_info(void) { return &bi; }
struct tdx_model *hosted_model(void) { return model; }
void hosted_set_guest(hosted_guest_fn guest) { guest_hook = guest; }
void hosted_set_seamcall(hosted_seamcall_fn fn) { seamcall_hook = fn; }

void hosted_inject(unsigned leaf, unsigned nth, unsigned count, uint64_t status)
{
	injection.leaf = leaf;
	injection.nth = nth;
	injection.count = count;
	injection.status = status;
	injection.struck = 0;
	injection.is_armed = true;
}

void hosted_inject_none(void) { injection.is_armed = false; }
unsigned hosted_inject_count(void) { return injection.struck; }

uint64_t hosted_calls(unsigned leaf) { return atomic_load(&calls[leaf % MAX_LEAVES]); }

uint64_t hosted_calls_all(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MAX_LEAVES; i++)
		sum += hosted_calls(i);
	return sum;
}

void hosted_fail_entropy(unsigned rdrand_times, unsigned rdseed_times)
{
	atomic_store(&fail_rdrand, rdrand_times);
	atomic_store(&fail_rdseed, rdseed_times);
}

void hosted_interrupt_times(unsigned times) { atomic_store(&pending_interrupts, times); }

bool hosted_is_owned(uint64_t hpa) { return cache_is_owned(hpa); }

tdx_status_t hosted_page_type(hpa_t page, uint64_t *type)
{
	struct seamcall_regs regs = {.rcx = page.raw};
	tdx_status_t s = seamcall(TDH_PHYMEM_PAGE_RDMD, &regs);

	*type = regs.rcx;
	return s;
}

uint64_t hosted_owned_bytes(void)
{
	return cache_owned_pages() * PAGE_SIZE - tdx_module_info()->pamt_bytes;
}
bool hosted_vmx_is_on(unsigned cpu) { return vmx_on[cpu]; }
void hosted_set_invept(void (*fn)(void)) { invept_hook = fn; }
