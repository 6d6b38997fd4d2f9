/* SPDX-License-Identifier: MIT */
/* Private and shared memory, conversions, acceptance. */
#include <stddef.h>

#include "guest-abi/ghci.h"
#include "guest-abi/tdboot.h"
#include "tests/guest/probe.h"
#include "tests/guest/tap.h"
#include "tests/guest/td.h"

#define SIZE_4K UINT64_C(0x1000)
#define SIZE_2M UINT64_C(0x200000)
#define WORDS   (SIZE_4K / 8)

/* Every test has a 2M page of its own. */
#define PAGE_PRIVATE PLAYGROUND
#define PAGE_LARGE   (PLAYGROUND + SIZE_2M)
#define PAGE_SMALL   (PLAYGROUND + 2 * SIZE_2M)

static volatile uint64_t *private_view(uint64_t gpa)
{
	return (volatile uint64_t *)(uintptr_t)gpa;
}

static volatile uint64_t *shared_view(uint64_t gpa)
{
	return (volatile uint64_t *)(uintptr_t)(SHARED_VIEW + gpa);
}

/* A value that differs for every address and seed. */
static uint64_t pattern(uint64_t index, uint64_t seed)
{
	return (index + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ seed;
}

/* First and last word of each 4K page of `size` bytes. */
static void fill(volatile uint64_t *at, uint64_t size, uint64_t seed)
{
	for (uint64_t page = 0; page < size / SIZE_4K; page++) {
		at[page * WORDS] = pattern(page, seed);
		at[page * WORDS + WORDS - 1] = ~pattern(page, seed);
	}
}

static bool is_filled(volatile uint64_t *at, uint64_t size, uint64_t seed)
{
	for (uint64_t page = 0; page < size / SIZE_4K; page++) {
		if (!tap_equal("first word", at[page * WORDS], pattern(page, seed)) ||
		    !tap_equal("last word", at[page * WORDS + WORDS - 1],
			       ~pattern(page, seed))) {
			tap_value("of page", page);
			return false;
		}
	}
	return true;
}

static bool is_zero(volatile uint64_t *at, uint64_t size)
{
	for (uint64_t i = 0; i < size / 8; i++) {
		if (at[i] != 0)
			return tap_equal("word", at[i], 0);
	}
	return true;
}

static bool private_keeps_values(void)
{
	fill(private_view(PAGE_PRIVATE), SIZE_2M, 1);
	return is_filled(private_view(PAGE_PRIVATE), SIZE_2M, 1);
}

static bool accepted_twice(void)
{
	uint64_t status = td_accept(PAGE_PRIVATE, 1);

	if (tdcall_code(status) == TDCALL_PAGE_SIZE_MISMATCH)
		status = td_accept(PAGE_PRIVATE, 0);
	return tap_equal("status", tdcall_code(status), TDCALL_PAGE_ALREADY_ACCEPTED) &&
	       is_filled(private_view(PAGE_PRIVATE), SIZE_2M, 1);
}

static bool accept_refuses(void)
{
	return tap_equal("status of level 2", tdcall_code(td_accept(PAGE_PRIVATE, 2)),
			 TDCALL_OPERAND_INVALID) &&
	       tap_equal("status of a misaligned 2M",
			 tdcall_code(td_accept(PAGE_PRIVATE + SIZE_4K, 1)),
			 TDCALL_OPERAND_INVALID) &&
	       tap_equal("status of a shared GPA",
			 tdcall_code(td_accept(TD_SHARED_BIT | PAGE_PRIVATE, 0)),
			 TDCALL_OPERAND_INVALID);
}

static bool map_gpa_refuses(void)
{
	uint64_t at = TD_SHARED_BIT | PAGE_PRIVATE;

	return tap_equal("misaligned start", td_map_gpa(at + 8, SIZE_4K),
			 TDVMCALL_ALIGN_ERROR) &&
	       tap_equal("misaligned size", td_map_gpa(at, SIZE_4K + 8),
			 TDVMCALL_ALIGN_ERROR) &&
	       tap_equal("nothing", td_map_gpa(at, 0), TDVMCALL_INVALID_OPERAND) &&
	       tap_equal("beyond the GPA width", td_map_gpa(UINT64_C(1) << 48, SIZE_4K),
			 TDVMCALL_INVALID_OPERAND) &&
	       is_filled(private_view(PAGE_PRIVATE), SIZE_2M, 1);
}

static bool map_gpa_of_mmio(void)
{
	return tap_equal("status", td_map_gpa(TD_SHARED_BIT | TD_PCI_MMIO_BASE, SIZE_4K),
			 TDVMCALL_SUCCESS);
}

static bool to_shared_2m(void)
{
	fill(private_view(PAGE_LARGE), SIZE_2M, 2);
	if (!tap_equal("status", td_map_gpa(TD_SHARED_BIT | PAGE_LARGE, SIZE_2M),
		       TDVMCALL_SUCCESS))
		return false;
	if (shared_view(PAGE_LARGE)[0] == pattern(0, 2)) {
		tap_text("# shared memory shows what was private\n");
		return false;
	}
	fill(shared_view(PAGE_LARGE), SIZE_2M, 3);
	return is_filled(shared_view(PAGE_LARGE), SIZE_2M, 3);
}

static bool to_private_2m(void)
{
	if (!tap_equal("status", td_map_gpa(PAGE_LARGE, SIZE_2M), TDVMCALL_SUCCESS) ||
	    !td_accept_2m(PAGE_LARGE) || !is_zero(private_view(PAGE_LARGE), SIZE_2M))
		return false;
	fill(private_view(PAGE_LARGE), SIZE_2M, 4);
	return is_filled(private_view(PAGE_LARGE), SIZE_2M, 4);
}

/* One 4K page in the middle of a large one; its neighbours must not notice. */
static bool convert_4k(void)
{
	uint64_t at = PAGE_SMALL + 5 * SIZE_4K;
	uint64_t behind = at + SIZE_4K;
	uint64_t rest = PAGE_SMALL + SIZE_2M - behind;
	bool ok;

	fill(private_view(PAGE_SMALL), at - PAGE_SMALL, 5);
	fill(private_view(behind), rest, 6);
	if (!tap_equal("status", td_map_gpa(TD_SHARED_BIT | at, SIZE_4K), TDVMCALL_SUCCESS))
		return false;
	fill(shared_view(at), SIZE_4K, 7);
	ok = is_filled(shared_view(at), SIZE_4K, 7);
	if (!tap_equal("status", td_map_gpa(at, SIZE_4K), TDVMCALL_SUCCESS) ||
	    !tap_equal("accept", td_accept(at, 0), 0))
		return false;
	ok = is_zero(private_view(at), SIZE_4K) && ok;
	fill(private_view(at), SIZE_4K, 8);
	return is_filled(private_view(at), SIZE_4K, 8) &&
	       is_filled(private_view(PAGE_SMALL), at - PAGE_SMALL, 5) &&
	       is_filled(private_view(behind), rest, 6) && ok;
}

const struct probe_test memory_tests[] = {
	{"private memory keeps what is written", private_keeps_values},
	{"a page accepted twice was already accepted and keeps its content", accepted_twice},
	{"ACCEPT refuses 1G, misaligned and shared GPAs", accept_refuses},
	{"MapGPA refuses misaligned, empty and too high ranges", map_gpa_refuses},
	{"MapGPA of MMIO succeeds", map_gpa_of_mmio},
	{"2M become shared: other content, and it keeps what is written", to_shared_2m},
	{"2M become private again: accepted as zero, and keep what is written", to_private_2m},
	{"4K become shared and private again inside a 2M page", convert_4k},
	{NULL, NULL},
};
