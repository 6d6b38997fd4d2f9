/* SPDX-License-Identifier: MIT */
#include "tests/emu/quirks.h"

#include <stdbool.h>

#include "tests/emu/console.h"
#include "tests/emu/emu.h"
#include "tests/emu/l1.h"
#include "tests/emu/pool.h"
#include "tests/emu/smp.h"
#include "tests/emu/svm_insn.h"

extern const char probe_vmxon[] __attribute__((visibility("hidden")));
extern const char probe_cr4[] __attribute__((visibility("hidden")));
int probe_cmpxchg16b(void *aligned16) __attribute__((visibility("hidden")));

#define MSR_EFER     0xc0000080
#define MSR_VM_HSAVE 0xc0010117

#define CPUID1_CX16  (UINT32_C(1) << 13)
#define CPUIDX1_SVM  (UINT32_C(1) << 2)
#define CPUIDX1_1G   (UINT32_C(1) << 26)
#define CPUID7_LA57  (UINT32_C(1) << 16)
#define CPUID1_XSAVE (UINT32_C(1) << 26)
#define CPUID1_RAND  (UINT32_C(1) << 30)
#define SVM_NPT      UINT32_C(1)

static void require(bool condition, const char *what)
{
	if (!condition)
		emu_die(EMU_EXIT_REFUSED, "this machine lacks %s (QEMU: -cpu max,phys-bits=52)",
			what);
}

static void check_features(void)
{
	uint32_t r[4];

	insn_cpuid(0x80000001, 0, r);
	require((r[2] & CPUIDX1_SVM) != 0, "SVM");
	require((r[3] & CPUIDX1_1G) != 0, "1 GiB pages");
	insn_cpuid(0x8000000a, 0, r);
	require((r[3] & SVM_NPT) != 0, "nested paging");
	insn_cpuid(7, 0, r);
	require((r[2] & CPUID7_LA57) != 0, "5-level paging");
	insn_cpuid(1, 0, r);
	require((r[2] & CPUID1_XSAVE) != 0, "XSAVE");
	require((r[2] & CPUID1_RAND) != 0, "RDRAND");
	insn_cpuid(0x80000008, 0, r);
	require((r[0] & 0xff) == EMU_PA_BITS, "52 physical address bits");
}

void quirks_check_cpu(void)
{
	check_features();
	insn_wrmsr(MSR_EFER, insn_rdmsr(MSR_EFER) | EFER_SVME);
}

/* Runs the sequence at `rip` as a guest without nested paging until its first exit. */
static uint64_t probe(const struct lp *lp, const char *rip, uint16_t cr_read)
{
	struct vmcb *v = pool_page_get();
	char *scratch = pool_page_get();
	uint64_t gpr[16] = {0};
	uint64_t code;

	*v = *lp->l1;
	v->cr_read = cr_read;
	v->nested_ctl = 0;
	v->nested_cr3 = 0;
	v->rip = (uint64_t)rip;
	v->rax = (uint64_t)scratch;
	v->rsp = (uint64_t)scratch + 2048;
	v->rflags = RFLAGS_FIXED;
	insn_vmsave((uint64_t)lp->host);
	insn_clgi();
	svm_run(v, gpr, lp->host);
	insn_stgi();
	code = v->exit_code;
	pool_page_put(v);
	pool_page_put(scratch);
	return code;
}

static void check_cmpxchg16b(void)
{
	uint32_t r[4];
	void *line = pool_page_get();

	insn_cpuid(1, 0, r);
	if ((r[2] & CPUID1_CX16) != 0 && probe_cmpxchg16b(line) != 0)
		emu_die(EMU_EXIT_REFUSED, "CMPXCHG16B leaves wrong flags here (QEMU before "
					  "8.0): start QEMU with -cpu ...,-cx16");
	pool_page_put(line);
}

void quirks_probe(void)
{
	struct lp *lp = &lps[0];
	uint64_t vmxon;

	check_cmpxchg16b();
	insn_wrmsr(MSR_VM_HSAVE, lp->hsave);
	vmxon = probe(lp, probe_vmxon, 0);
	if (vmxon != SVM_EXIT_UD)
		emu_die(EMU_EXIT_REFUSED,
			"VMXON executes as NOP with exit %#lx: QEMU 9.1 to 10.0.5 (10.0.2 "
			"among them) cannot carry this",
			vmxon);
	emu.cr4_read_icpt = probe(lp, probe_cr4, 1U << 4) == SVM_EXIT_CR4_READ ? 1U << 4 : 1U;
	emu_log("tdxemu: quirks: VMXON #UD, CR4 read intercept bit %u",
		emu.cr4_read_icpt == 1 ? 0U : 4U);
}
