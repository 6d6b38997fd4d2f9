/* SPDX-License-Identifier: MIT */
#include "vm/quote.h"

#include <stddef.h>

#include "guest-abi/ghci.h"

#define BUFFER_MAX UINT64_C(0x20000)

uint64_t quote_refuse(struct shared_mem *mem, uint64_t at, uint64_t size)
{
	struct ghci_quote_header h;

	if (at % PAGE_SIZE != 0 || size % PAGE_SIZE != 0)
		return TDVMCALL_ALIGN_ERROR;
	if ((at & TD_SHARED_BIT) == 0 || size == 0 || size > BUFFER_MAX)
		return TDVMCALL_INVALID_OPERAND;
	if (!shared_mem_read(mem, at, &h, sizeof(h)))
		return TDVMCALL_INVALID_OPERAND;
	if (h.version != GHCI_QUOTE_VERSION || h.in_length > size - sizeof(h))
		return TDVMCALL_INVALID_OPERAND;
	h.status = GHCI_QUOTE_UNAVAILABLE;
	h.out_length = 0;
	return shared_mem_write(mem, at, &h, sizeof(h)) ? TDVMCALL_SUCCESS
							: TDVMCALL_INVALID_OPERAND;
}
