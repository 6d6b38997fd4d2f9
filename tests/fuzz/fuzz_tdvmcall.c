/* SPDX-License-Identifier: MIT */
/*
 * A guest's TDVMCALLs and EPT violations, one vCPU after another, against vm/ itself and a
 * TD whose module side always agrees or is chosen by the input. At the end every shared
 * frame is back.
 */
#include <stddef.h>

#include "core/hw.h"
#include "core/log.h"
#include "guest-abi/ghci.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/fuzz/fuzz.h"
#include "vm/convert.h"
#include "vm/cpu_queue.h"
#include "vm/exit.h"
#include "vm/vcpu.h"
#include "vmx/exit.h"

#define LOW_END   (UINT64_C(8) << 20)
#define HIGH_END  (TD_HIGH_RAM_BASE + (UINT64_C(4) << 20))
#define VCPUS     3U
#define MAX_STEPS 64U

#define QUOTE_BUFFER_MAX UINT64_C(0x20000)

static struct vm *vm;
static struct posted_interrupts posted[VCPUS];
static uint64_t module_says; /* two bits for each answer of the TD's module side */

/* ---- The TD's module side ---- */

static enum status next_answer(void)
{
	static const enum status answers[] = {STATUS_OK, STATUS_OK, STATUS_BUSY,
					      STATUS_NO_MEMORY};
	enum status s = answers[module_says & 3];

	module_says >>= 2;
	return s;
}

bool td_is_private(const struct td *td, gpa_t at, enum page_level *uniform)
{
	return gpa_map_lookup(&td->map, at, uniform) == GPA_PRIVATE;
}

enum status td_mark_private(struct td *td, gpa_t at, uint64_t size)
{
	return gpa_map_set(&td->map, at, size, GPA_PRIVATE);
}

enum status td_unmap_private_begin(struct td *td, gpa_t at, uint64_t size)
{
	FUZZ_CHECK(gpa_aligned(at, PAGE_SIZE) && size % PAGE_SIZE == 0 && size > 0);
	FUZZ_CHECK(vm_is_ram(vm, at.raw) && vm_is_ram(vm, at.raw + size - 1));
	FUZZ_CHECK(gpa_map_run_end(&td->map, at, gpa_add(at, size)).raw == at.raw + size);
	return next_answer();
}

/* What was begun is committed, perhaps at the second attempt. */
enum status td_unmap_private_commit(struct td *td, gpa_t at, uint64_t size)
{
	enum status s = next_answer();

	return s == STATUS_OK ? gpa_map_set(&td->map, at, size, GPA_SHARED) : s;
}

enum status td_drop_tables(struct td *td, gpa_t at, uint64_t size)
{
	(void)td;
	(void)at;
	(void)size;
	return STATUS_OK;
}

/* Nothing ever waits. */
enum status td_write_back(struct td *td, unsigned budget, bool *done)
{
	(void)td;
	(void)budget;
	*done = true;
	FUZZ_CHECK(false);
	return STATUS_OK;
}

/* Nobody is idle here: never called. */
enum status td_promote_begin(struct td *td, gpa_t region, enum page_level level)
{
	(void)td;
	(void)region;
	(void)level;
	FUZZ_CHECK(false);
	return STATUS_NOT_FOUND;
}

enum status td_promote_commit(struct td *td, gpa_t region, enum page_level level)
{
	return td_promote_begin(td, region, level);
}

enum status td_resolve_fault(struct td *td, gpa_t at, enum page_level limit)
{
	enum page_level uniform;

	FUZZ_CHECK(limit <= LEVEL_2M);
	if (!vm_is_ram(vm, at.raw) || !td_is_private(td, at, &uniform))
		return STATUS_BAD_ARG;
	return next_answer();
}

void td_describe_gpa(struct td *td, gpa_t at, char *buf, size_t size)
{
	(void)td;
	(void)format(buf, size, "%#lx", at.raw);
}

enum status td_vcpu_interrupt_pending(struct td_vcpu *vcpu, bool *pending)
{
	(void)vcpu;
	*pending = module_says % 2 != 0;
	return next_answer();
}

/* ---- What else vm/ has around its exits ---- */

void promote_note(struct vm *of, uint64_t at) { FUZZ_CHECK(of == vm && vm_is_ram(vm, at)); }

void cpu_queue_want_timer(uint64_t tsc) { FUZZ_CHECK(tsc != 0); }
void cpu_queue_call_bsp(void) {}

void vm_end(struct vm *ended, enum vm_state state, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)format_v(ended->end.reason, sizeof(ended->end.reason), fmt, ap);
	va_end(ap);
	FUZZ_CHECK(state == VM_STOPPED || state == VM_CRASHED);
	FUZZ_CHECK(strlen(ended->end.reason) > 0);
	atomic_store(&ended->end.state, state);
}

static void deliver(void *ctx, uint64_t address, uint32_t data)
{
	vm_deliver_msi(ctx, address, data);
}

/* ---- A life ---- */

static void create(void)
{
	vm = heap_alloc(sizeof(*vm));
	FUZZ_CHECK(vm != NULL && shared_mem_init(&vm->shared) == STATUS_OK);
	vm->td.params.ram_low_end = gpa(LOW_END);
	vm->td.params.ram_high_end = gpa(HIGH_END);
	FUZZ_CHECK(gpa_map_init(&vm->td.map, gpa(HIGH_END)) == STATUS_OK);
	vclock_init(&vm->clock, UINT64_C(1) << 48, 0, UINT64_C(1000000000));
	memset(posted, 0, sizeof(posted));
	vm->vcpu_count = VCPUS;
	for (unsigned i = 0; i < VCPUS; i++) {
		struct vcpu *v = heap_alloc(sizeof(*v));

		FUZZ_CHECK(v != NULL);
		vm->vcpus[i] = v;
		v->vm = vm;
		v->td.index = i;
		v->posted = &posted[i];
		vlapic_init(&v->apic, i, &vm->clock);
	}
	pci_root_init(&vm->pci);
	virtio_console_init(&vm->console, TD_PCI_MMIO_BASE);
	vm->console.virtio.mem = &vm->shared;
	vm->console.virtio.msi = (struct msi_sink){.deliver = deliver, .ctx = vm};
	vm->pci.slot[1] = &vm->console.virtio.pci;
}

static void destroy(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];

	shared_mem_destroy(&vm->shared);
	frame_account(bytes);
	FUZZ_CHECK(bytes[FRAME_SHARED] == 0);
	gpa_map_destroy(&vm->td.map);
	for (unsigned i = 0; i < VCPUS; i++)
		heap_free(vm->vcpus[i], sizeof(*vm->vcpus[i]));
	heap_free(vm, sizeof(*vm));
}

/* Numbers that mean something, or none at all. */
static uint64_t take_operand(struct fuzz_input *in)
{
	static const uint64_t bases[] = {0,
					 LOW_END - SIZE_2M,
					 TD_HIGH_RAM_BASE,
					 HIGH_END - SIZE_2M,
					 TD_PCI_MMIO_BASE,
					 TD_PCI_ECAM_BASE + 0x8000,
					 UINT64_C(0xfee00000),
					 TD_FILE_WINDOW_GPA};
	uint64_t kind = fuzz_take(in, 1);

	switch (kind % 4) {
	case 0:
		return fuzz_take(in, 2);
	case 1:
		return (kind & 4 ? TD_SHARED_BIT : 0) + bases[kind >> 3 & 7] +
		       (fuzz_take(in, 2) << (kind & 0x40 ? 12 : 0));
	case 2:
		return fuzz_take(in, 2) << 12;
	default:
		return fuzz_take(in, 8);
	}
}

static void take_call(struct fuzz_input *in, struct seamcall_regs *r)
{
	static const uint64_t calls[] = {EXIT_CPUID,
					 EXIT_HLT,
					 EXIT_IO,
					 EXIT_RDMSR,
					 EXIT_WRMSR,
					 EXIT_EPT_VIOLATION,
					 EXIT_WBINVD,
					 TDVMCALL_GET_TD_VM_CALL_INFO,
					 TDVMCALL_MAP_GPA,
					 TDVMCALL_MAP_GPA,
					 TDVMCALL_GET_QUOTE,
					 TDVMCALL_REPORT_FATAL_ERROR,
					 TDVMCALL_SETUP_EVENT_NOTIFY,
					 TDVMCALL_SERVICE};
	uint64_t which = fuzz_take(in, 1) % 16;

	r->r10 = which == 14 ? fuzz_take(in, 8) : 0;
	r->r11 = which < 14 ? calls[which] : fuzz_take(in, 8);
	r->r12 = take_operand(in);
	r->r13 = take_operand(in);
	r->r14 = take_operand(in);
	r->r15 = take_operand(in);
}

/* What the guest writes to its shared memory comes without an exit. */
static void write_shared(struct fuzz_input *in)
{
	uint8_t bytes[16];
	uint64_t at = take_operand(in);
	size_t size = fuzz_take(in, 1) % (sizeof(bytes) + 1);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)fuzz_take(in, 1);
	(void)!shared_mem_write(&vm->shared, at, bytes, size);
}

/* MapGPA that says SUCCESS did what it was asked for, as far as it was RAM. */
static void check_map_gpa(const struct seamcall_regs *before, const struct seamcall_regs *after)
{
	uint64_t start = before->r12 & ~TD_SHARED_BIT;
	enum page_level uniform;

	FUZZ_CHECK(after->r11 >= before->r12 && after->r11 - before->r12 <= before->r13);
	if (after->r10 != TDVMCALL_SUCCESS)
		return;
	FUZZ_CHECK(start % PAGE_SIZE == 0 && before->r13 % PAGE_SIZE == 0);
	FUZZ_CHECK(start < TD_SHARED_BIT && before->r13 <= TD_SHARED_BIT - start);
	FUZZ_CHECK(after->r11 == before->r12 + before->r13);
	for (uint64_t at = start; at < start + before->r13 && at < HIGH_END; at += PAGE_SIZE)
		if (vm_is_ram(vm, at))
			FUZZ_CHECK(td_is_private(&vm->td, gpa(at), &uniform) ==
				   ((before->r12 & TD_SHARED_BIT) == 0));
}

/* GetQuote that says SUCCESS had a buffer as the GHCI wants it, and left its answer there. */
static void check_get_quote(const struct seamcall_regs *before,
			    const struct seamcall_regs *after)
{
	struct ghci_quote_header h;

	if (after->r10 != TDVMCALL_SUCCESS)
		return;
	FUZZ_CHECK((before->r12 & TD_SHARED_BIT) != 0 && before->r12 % PAGE_SIZE == 0);
	FUZZ_CHECK(before->r13 % PAGE_SIZE == 0 && before->r13 > 0);
	FUZZ_CHECK(before->r13 <= QUOTE_BUFFER_MAX);
	FUZZ_CHECK(shared_mem_read(&vm->shared, before->r12, &h, sizeof(h)));
	FUZZ_CHECK(h.version == GHCI_QUOTE_VERSION && h.status == GHCI_QUOTE_UNAVAILABLE);
	FUZZ_CHECK(h.in_length <= before->r13 - sizeof(h) && h.out_length == 0);
}

static void one_call(struct fuzz_input *in, struct vcpu *v)
{
	struct seamcall_regs before;

	take_call(in, &v->regs);
	before = v->regs;
	if (vcpu_handle_exit(v, (tdx_status_t){EXIT_TDCALL}) == EXIT_RESUME)
		FUZZ_CHECK(atomic_load(&v->run) == VCPU_RUNNABLE);
	if (before.r10 == 0 && before.r11 == TDVMCALL_MAP_GPA &&
	    atomic_load(&vm->end.state) == VM_CREATED)
		check_map_gpa(&before, &v->regs);
	if (before.r10 == 0 && before.r11 == TDVMCALL_GET_QUOTE)
		check_get_quote(&before, &v->regs);
}

static void one_step(struct fuzz_input *in)
{
	uint64_t kind = fuzz_take(in, 1);
	struct vcpu *v = vm->vcpus[kind / 8 % VCPUS];
	uint64_t status;

	hw_irq_disable();
	v->regs = (struct seamcall_regs){.rcx = 0};
	atomic_store(&v->run, VCPU_RUNNABLE);
	switch (kind % 8) {
	case 0:
		write_shared(in);
		break;
	case 1:
		v->regs.r8 = take_operand(in);
		v->regs.rdx = fuzz_take(in, 5);
		(void)vcpu_handle_exit(v, (tdx_status_t){EXIT_EPT_VIOLATION});
		break;
	case 2:
		status = fuzz_take(in, 8);
		v->regs.r9 = fuzz_take(in, 2);
		(void)vcpu_handle_exit(v, (tdx_status_t){status});
		break;
	default:
		one_call(in, v);
		break;
	}
	FUZZ_CHECK(atomic_load(&vm->gate) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint64_t before[FRAME_OWNER_COUNT], after[FRAME_OWNER_COUNT];
	size_t heap = heap_used();

	log_threshold = LOG_ERROR;
	frame_account(before);
	create();
	module_says = fuzz_take(&in, 8);
	for (unsigned i = 0;
	     i < MAX_STEPS && in.left > 0 && atomic_load(&vm->end.state) == VM_CREATED; i++)
		one_step(&in);
	module_says = 0;
	destroy();
	frame_account(after);
	FUZZ_CHECK(memcmp(before, after, sizeof(before)) == 0);
	FUZZ_CHECK(heap_used() == heap);
	return 0;
}
