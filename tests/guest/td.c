/* SPDX-License-Identifier: MIT */
#include "tests/guest/td.h"

#include "guest-abi/ghci.h"

#define FUNCTION_IO    30
#define FUNCTION_RDMSR 31
#define FUNCTION_WRMSR 32

#define SIZE_4K     UINT64_C(0x1000)
#define SIZE_2M     UINT64_C(0x200000)
#define RETRIES_MAX 100000U
#define TEXT_WORDS  8
#define PROBE_FATAL 0x52440100U /* above tdboot's own codes */

struct vmcall_result td_vmcall(uint64_t function, uint64_t r12, uint64_t r13, uint64_t r14,
			       uint64_t r15)
{
	struct tdcall_regs regs = {.rax = TDG_VP_VMCALL,
				   .rcx = TDVMCALL_REGISTER_MASK,
				   .r11 = function,
				   .r12 = r12,
				   .r13 = r13,
				   .r14 = r14,
				   .r15 = r15};

	tdcall(&regs);
	return (struct vmcall_result){regs.rax != 0 ? regs.rax : regs.r10,
				      regs.r11,
				      regs.r12,
				      regs.r13,
				      regs.r14,
				      regs.r15};
}

void td_io_out(uint16_t port, unsigned size, uint32_t value)
{
	(void)td_vmcall(FUNCTION_IO, size, 1, port, value);
}

uint32_t td_io_in(uint16_t port, unsigned size)
{
	return (uint32_t)td_vmcall(FUNCTION_IO, size, 0, port, 0).r11;
}

uint64_t td_rdmsr(uint32_t msr) { return td_vmcall(FUNCTION_RDMSR, msr, 0, 0, 0).r11; }

void td_wrmsr(uint32_t msr, uint64_t value)
{
	(void)td_vmcall(FUNCTION_WRMSR, msr, value, 0, 0);
}

uint64_t td_map_gpa(uint64_t gpa, uint64_t size)
{
	uint64_t end = gpa + size;
	struct vmcall_result r;

	for (unsigned i = 0; i < RETRIES_MAX; i++) {
		r = td_vmcall(TDVMCALL_MAP_GPA, gpa, end - gpa, 0, 0);
		if (r.status != TDVMCALL_RETRY || r.r11 < gpa || r.r11 >= end)
			break;
		gpa = r.r11;
	}
	return r.status;
}

uint64_t td_accept(uint64_t gpa, unsigned level)
{
	struct tdcall_regs regs;

	do {
		regs = (struct tdcall_regs){.rax = TDG_MEM_PAGE_ACCEPT, .rcx = gpa | level};
		tdcall(&regs);
	} while (tdcall_code(regs.rax) == TDCALL_OPERAND_BUSY);
	return regs.rax;
}

bool td_accept_2m(uint64_t gpa)
{
	uint64_t status = td_accept(gpa, 1);

	if (tdcall_code(status) != TDCALL_PAGE_SIZE_MISMATCH)
		return status == 0;
	for (uint64_t at = gpa; at < gpa + SIZE_2M; at += SIZE_4K) {
		if (td_accept(at, 0) != 0)
			return false;
	}
	return true;
}

_Noreturn void td_fatal(const char *text)
{
	uint64_t words[TEXT_WORDS] = {0};

	for (unsigned i = 0; i < sizeof(words) && text[i] != '\0'; i++)
		words[i / 8] |= (uint64_t)(uint8_t)text[i] << (8 * (i % 8));
	for (;;) {
		struct tdcall_regs regs = {.rax = TDG_VP_VMCALL,
					   .rcx = TDVMCALL_REGISTER_MASK,
					   .r11 = TDVMCALL_REPORT_FATAL_ERROR,
					   .r12 = PROBE_FATAL,
					   .r14 = words[0],
					   .r15 = words[1],
					   .rbx = words[2],
					   .rdi = words[3],
					   .rsi = words[4],
					   .r8 = words[5],
					   .r9 = words[6],
					   .rdx = words[7]};

		tdcall(&regs);
	}
}
