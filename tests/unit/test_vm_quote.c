/* SPDX-License-Identifier: MIT */
#include "guest-abi/ghci.h"
#include "tests/unit/test.h"
#include "tests/unit/vm_machine.h"
#include "vm/quote.h"

#define BUFFER      (TD_SHARED_BIT | MACHINE_RAM)
#define SIZE_MAX_OK UINT64_C(0x20000)
#define REPORT_SIZE 1024U

static struct machine *machine_with(struct ghci_quote_header h)
{
	struct machine *m = machine_new();

	machine_put(m, MACHINE_RAM, &h, sizeof(h));
	return m;
}

static const struct ghci_quote_header good = {.version = GHCI_QUOTE_VERSION,
					      .in_length = REPORT_SIZE};

static uint64_t ask(uint64_t at, uint64_t size)
{
	return quote_refuse(&machine_with(good)->mem, at, size);
}

TEST(quote_request_is_answered_with_service_unavailable_in_its_buffer)
{
	struct ghci_quote_header h = good;
	struct machine *m;

	h.out_length = 77;
	m = machine_with(h);
	EXPECT_EQ(quote_refuse(&m->mem, BUFFER, 2 * PAGE_SIZE), TDVMCALL_SUCCESS);
	machine_get(m, MACHINE_RAM, &h, sizeof(h));
	EXPECT_EQ(h.status, GHCI_QUOTE_UNAVAILABLE);
	EXPECT_EQ(h.out_length, 0);
	EXPECT_EQ(h.in_length, REPORT_SIZE);
}

TEST(quote_buffer_may_have_128_KiB_and_not_a_page_more)
{
	EXPECT_EQ(ask(BUFFER, SIZE_MAX_OK), TDVMCALL_SUCCESS);
	EXPECT_EQ(ask(BUFFER, SIZE_MAX_OK + PAGE_SIZE), TDVMCALL_INVALID_OPERAND);
	EXPECT_EQ(ask(BUFFER, UINT64_MAX - PAGE_SIZE + 1), TDVMCALL_INVALID_OPERAND);
	EXPECT_EQ(ask(BUFFER, 0), TDVMCALL_INVALID_OPERAND);
}

TEST(quote_buffer_is_whole_shared_pages)
{
	EXPECT_EQ(ask(BUFFER + 8, PAGE_SIZE), TDVMCALL_ALIGN_ERROR);
	EXPECT_EQ(ask(BUFFER, PAGE_SIZE + 8), TDVMCALL_ALIGN_ERROR);
	EXPECT_EQ(ask(MACHINE_RAM, PAGE_SIZE), TDVMCALL_INVALID_OPERAND);
	EXPECT_EQ(ask(BUFFER + MACHINE_RAM_SIZE, PAGE_SIZE), TDVMCALL_INVALID_OPERAND);
}

TEST(quote_request_of_another_version_or_longer_than_its_buffer_is_invalid)
{
	struct ghci_quote_header h = good;

	h.version++;
	EXPECT_EQ(quote_refuse(&machine_with(h)->mem, BUFFER, PAGE_SIZE),
		  TDVMCALL_INVALID_OPERAND);
	h = good;
	h.in_length = (uint32_t)(PAGE_SIZE - sizeof(h));
	EXPECT_EQ(quote_refuse(&machine_with(h)->mem, BUFFER, PAGE_SIZE), TDVMCALL_SUCCESS);
	h.in_length++;
	EXPECT_EQ(quote_refuse(&machine_with(h)->mem, BUFFER, PAGE_SIZE),
		  TDVMCALL_INVALID_OPERAND);
}
