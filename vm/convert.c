/* SPDX-License-Identifier: MIT */
#define LOG_TAG "vm"
#include "vm/convert.h"

#include "core/hw.h"
#include "core/log.h"
#include "core/oncpu.h"
#include "guest-abi/tdboot.h"
#include "vm/vcpu.h"

/*
 * With no vCPU inside, only a fault still being resolved on another CPU keeps it busy; each try
 * repeats its SEAMCALLs itself, so a module that stays busy is given up within seconds.
 */
#define QUIESCED_TRIES 1000U
#define PAUSES_PER_TRY 1000U

static void take_token(struct vm *vm)
{
	while (atomic_flag_test_and_set_explicit(&vm->convert, memory_order_acquire)) {
		oncpu_drain();
		hw_pause();
	}
}

static void give_token(struct vm *vm)
{
	atomic_flag_clear_explicit(&vm->convert, memory_order_release);
}

/* End of the stretch from `at` that is all RAM or all not, at most `end`. */
static uint64_t stretch_end(const struct vm *vm, uint64_t at, uint64_t end)
{
	const uint64_t edges[] = {vm->td.params.ram_low_end.raw, TD_HIGH_RAM_BASE,
				  vm->td.params.ram_high_end.raw};

	for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		if (edges[i] > at && edges[i] < end)
			end = edges[i];
	}
	return end;
}

typedef enum status (*unmap_fn)(struct td *td, gpa_t at, uint64_t size);

/* BUSY is contention with vCPUs: with all of them kept out it has to succeed. */
static enum status do_quiesced(struct vm *vm, unmap_fn fn, uint64_t at, uint64_t size)
{
	enum status s = fn(&vm->td, gpa(at), size);

	if (s != STATUS_BUSY)
		return s;
	vm_quiesce(vm);
	for (unsigned i = 0; i < QUIESCED_TRIES && s == STATUS_BUSY; i++) {
		for (unsigned p = 0; p < PAUSES_PER_TRY; p++)
			hw_pause();
		s = fn(&vm->td, gpa(at), size);
	}
	vm_unquiesce(vm);
	return s == STATUS_BUSY ? STATUS_HW_FAULT : s;
}

/* Takes the private pages of a range that is all private; it is shared in the map then. */
static enum status unmap_private(struct vm *vm, uint64_t at, uint64_t size)
{
	enum status s = do_quiesced(vm, td_unmap_private_begin, at, size);

	if (s != STATUS_OK)
		return s;
	vm_kick_and_wait(vm);
	return do_quiesced(vm, td_unmap_private_commit, at, size);
}

/*
 * Where memory is short, what the TD gave up itself may be all there is: as much at a time as a
 * call converts, which keeps the call short and its pages large.
 */
static enum status back_shared(struct vm *vm, uint64_t at, uint64_t size)
{
	enum status s = shared_mem_populate(&vm->shared, gpa(at), size);
	bool done;

	while (s == STATUS_NO_MEMORY && atomic_load(&vm->td.returned_bytes) != 0 &&
	       td_write_back(&vm->td, CONVERT_CHUNK / PAGE_SIZE, &done) == STATUS_OK)
		s = shared_mem_populate(&vm->shared, gpa(at), size);
	return s;
}

static enum status run_to_shared(struct vm *vm, uint64_t at, uint64_t size)
{
	enum status s = unmap_private(vm, at, size);

	if (s != STATUS_OK)
		return s;
	s = back_shared(vm, at, size);
	if (s == STATUS_OK)
		return s;
	/* Once: the guest may ask as often as it likes. */
	if (!atomic_exchange(&vm->is_short, true))
		log_warn("%s: no memory to share GPA %#lx..%#lx", vm->config.name, at,
			 at + size);
	if (shared_mem_unmap(&vm->shared, gpa(at), size) != STATUS_OK ||
	    td_mark_private(&vm->td, gpa(at), size) != STATUS_OK)
		return STATUS_HW_FAULT;
	return s;
}

static enum status run_to_private(struct vm *vm, uint64_t at, uint64_t size)
{
	enum status s = shared_mem_unmap(&vm->shared, gpa(at), size);

	if (s == STATUS_OK)
		s = td_mark_private(&vm->td, gpa(at), size);
	/* Best effort: what stays is done by the guest's faults. */
	if (s == STATUS_OK && td_drop_tables(&vm->td, gpa(at), size) == STATUS_BUSY) {
		vm_kick_and_wait(vm);
		(void)!td_drop_tables(&vm->td, gpa(at), size);
	}
	return s;
}

/* Converts RAM [*at, end), run by run of what is not yet as wanted; *at is where it got to. */
static enum status convert_ram(struct vm *vm, uint64_t *at, uint64_t end, bool to_shared)
{
	while (*at < end) {
		enum page_level uniform;
		bool is_private = td_is_private(&vm->td, gpa(*at), &uniform);
		uint64_t run_end = gpa_map_run_end(&vm->td.map, gpa(*at), gpa(end)).raw;
		enum status s = STATUS_OK;

		if (is_private && to_shared)
			s = run_to_shared(vm, *at, run_end - *at);
		else if (!is_private && !to_shared)
			s = run_to_private(vm, *at, run_end - *at);
		if (s != STATUS_OK)
			return s;
		*at = run_end;
	}
	return STATUS_OK;
}

/* A kick each for the TRACK of the epoch before, for the own one, and one to spare. */
#define PROMOTE_KICKS 3U

/* What stays half way is ended by the next who meets it. */
enum status convert_promote(struct vm *vm, uint64_t region, enum page_level level)
{
	enum status s;

	if (atomic_flag_test_and_set_explicit(&vm->convert, memory_order_acquire))
		return STATUS_BUSY;
	s = td_promote_begin(&vm->td, gpa(region), level);
	if (s == STATUS_OK) {
		s = STATUS_BUSY;
		for (unsigned i = 0; i < PROMOTE_KICKS && s == STATUS_BUSY; i++) {
			vm_kick_and_wait(vm);
			s = td_promote_commit(&vm->td, gpa(region), level);
		}
	}
	give_token(vm);
	return s;
}

static uint64_t min64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* One stretch: of RAM as much as a call may take, up to a 2M boundary so that edges stay few.
 */
enum status convert_range(struct vm *vm, uint64_t at, uint64_t size, bool to_shared,
			  uint64_t *done)
{
	uint64_t end = stretch_end(vm, at, at + size);
	uint64_t next = end;
	enum status s = STATUS_OK;

	if (vm_is_ram(vm, at)) {
		next = at;
		end = min64(end, align_down(at + CONVERT_CHUNK, SIZE_2M));
		take_token(vm);
		s = convert_ram(vm, &next, end, to_shared);
		give_token(vm);
	}
	*done = next - at;
	return s == STATUS_OK && *done < size ? STATUS_BUSY : s;
}

/*
 * RAM that is shared but not there (a page between split and remap) or private still: the
 * guest used the shared alias without MapGPA, which converts that page, as KVM does it.
 */
static enum status ram_fault(struct vm *vm, uint64_t at)
{
	uint64_t page = align_down(at, SIZE_4K);
	uint64_t next = page;
	enum status s;

	take_token(vm);
	s = convert_ram(vm, &next, page + SIZE_4K, true);
	if (s == STATUS_OK)
		s = back_shared(vm, page, SIZE_4K);
	give_token(vm);
	return s;
}

/* RAM is a multiple of 2M, so the 2M around a GPA that is no RAM holds none. */
enum status convert_shared_fault(struct vm *vm, uint64_t at)
{
	if (vm_is_ram(vm, at))
		return ram_fault(vm, at);
	if (at >= TD_HIGH_RAM_BASE)
		return STATUS_BAD_ARG;
	return shared_mem_set_mmio(&vm->shared, gpa(align_down(at, SIZE_2M)), SIZE_2M);
}
