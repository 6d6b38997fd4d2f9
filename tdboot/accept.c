/* SPDX-License-Identifier: MIT */
#include "tdboot/accept.h"

#include <stdbool.h>

#include "core/format.h"
#include "guest-abi/ghci.h"
#include "tdboot/fatal.h"
#include "tdboot/patience.h"
#include "tdboot/text.h"

#define SIZE_4K  UINT64_C(0x1000)
#define SIZE_2M  UINT64_C(0x200000)
#define LEVEL_4K 0U
#define LEVEL_2M 1U

static _Noreturn void refuse(uint64_t gpa, uint64_t status)
{
	char text[FATAL_TEXT_SIZE];

	format(text, sizeof(text), "tdboot: accept of 0x%lx: status 0x%lx", gpa, status);
	fatal(TDBOOT_ERROR_ACCEPT, text);
}

void accept_range(uint64_t start, uint64_t end)
{
	uint64_t try_4k_until = start;
	uint64_t at = start;

	while (at < end) {
		bool is_2m = at >= try_4k_until && at % SIZE_2M == 0 && end - at >= SIZE_2M;
		uint64_t status = tdcall_patiently(TDG_MEM_PAGE_ACCEPT,
						   at | (is_2m ? LEVEL_2M : LEVEL_4K), 0);

		switch (tdcall_code(status)) {
		case TDCALL_SUCCESS:
		case TDCALL_PAGE_ALREADY_ACCEPTED:
			at += is_2m ? SIZE_2M : SIZE_4K;
			break;
		case TDCALL_PAGE_SIZE_MISMATCH:
			if (!is_2m)
				refuse(at, status);
			try_4k_until = at + SIZE_2M;
			break;
		default:
			refuse(at, status);
		}
	}
}
