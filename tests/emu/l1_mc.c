/* SPDX-License-Identifier: MIT */
/*
 * Machine checks. An access of L1 to memory that is not its own is reported as
 * an uncorrected, recoverable memory error in bank 1, stricter than hardware.
 */
#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/l1.h"
#include "tests/emu/npt.h"
#include "tests/emu/smp.h"

enum {
	MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS = 0x17a,
	MSR_MCG_CTL = 0x17b,
	MSR_MCG_EXT_CTL = 0x4d0,
	MSR_MC0_CTL2 = 0x280,
	MSR_MC0_CTL = 0x400,
	BANK = 1,
};

#define MCG_CTL_P  (UINT64_C(1) << 8)
#define MCG_SER_P  (UINT64_C(1) << 24)
#define MCG_LMCE_P (UINT64_C(1) << 27)

#define MCG_RIPV UINT64_C(1)
#define MCG_EIPV UINT64_C(2)
#define MCG_MCIP UINT64_C(4)
#define MCG_LMCE UINT64_C(8)

/* VAL UC EN MISCV ADDRV S AR */
#define STATUS_SRAR                                                                            \
	(UINT64_C(1) << 63 | UINT64_C(1) << 61 | UINT64_C(1) << 60 | UINT64_C(1) << 59 |       \
	 UINT64_C(1) << 58 | UINT64_C(1) << 56 | UINT64_C(1) << 55)
#define MCACOD_DATA        UINT64_C(0x134)
#define MCACOD_FETCH       UINT64_C(0x150)
#define MISC_PHYSICAL_LINE UINT64_C(0x86) /* physical address, valid down to bit 6 */

static bool is_bank_msr(uint32_t msr)
{
	return msr >= MSR_MC0_CTL && msr < MSR_MC0_CTL + 4 * EMU_MC_BANKS;
}

static uint64_t *bank_register(struct l1_mc *mc, uint32_t msr)
{
	unsigned bank = (msr - MSR_MC0_CTL) / 4;

	switch ((msr - MSR_MC0_CTL) % 4) {
	case 0:
		return &mc->ctl[bank];
	case 1:
		return &mc->status[bank];
	case 2:
		return &mc->addr[bank];
	default:
		return &mc->misc[bank];
	}
}

bool l1_mc_msr_read(const struct lp *lp, uint32_t msr, uint64_t *value)
{
	struct l1_mc mc = lp->mc;

	if (is_bank_msr(msr)) {
		*value = *bank_register(&mc, msr);
		return true;
	}
	if (msr >= MSR_MC0_CTL2 && msr < MSR_MC0_CTL2 + EMU_MC_BANKS) {
		*value = 0; /* no corrected-error interrupts */
		return true;
	}
	switch (msr) {
	case MSR_MCG_CAP:
		*value = EMU_MC_BANKS | MCG_CTL_P | MCG_SER_P | MCG_LMCE_P;
		return true;
	case MSR_MCG_STATUS:
		*value = mc.mcg_status;
		return true;
	case MSR_MCG_CTL:
		*value = mc.mcg_ctl;
		return true;
	case MSR_MCG_EXT_CTL:
		*value = mc.mcg_ext_ctl;
		return true;
	default:
		return false;
	}
}

bool l1_mc_msr_write(struct lp *lp, uint32_t msr, uint64_t value)
{
	if (is_bank_msr(msr)) {
		bool is_control = (msr - MSR_MC0_CTL) % 4 == 0;

		if (!is_control && value != 0)
			return false;
		*bank_register(&lp->mc, msr) = value;
		return true;
	}
	if (msr >= MSR_MC0_CTL2 && msr < MSR_MC0_CTL2 + EMU_MC_BANKS)
		return true;
	switch (msr) {
	case MSR_MCG_STATUS:
		lp->mc.mcg_status = value;
		return true;
	case MSR_MCG_CTL:
		lp->mc.mcg_ctl = value;
		return true;
	case MSR_MCG_EXT_CTL:
		lp->mc.mcg_ext_ctl = value & 1;
		return true;
	default:
		return false;
	}
}

void l1_mc_reset(struct lp *lp) { memset(&lp->mc, 0, sizeof(lp->mc)); }

static void deliver(struct lp *lp, uint64_t status)
{
	if ((lp->mc.mcg_status & MCG_MCIP) != 0 || (lp->cr4 & CR4_MCE) == 0)
		emu_die(EMU_EXIT_TRIPLE_FAULT, "machine check on cpu%u with %s: shutdown",
			lp->index, (lp->cr4 & CR4_MCE) == 0 ? "CR4.MCE clear" : "MCIP set");
	lp->mc.mcg_status = status | MCG_MCIP;
	l1_raise(lp, VECTOR_MC);
}

void l1_mc_join(struct lp *lp) { deliver(lp, MCG_RIPV); }

static void broadcast(const struct lp *from)
{
	for (unsigned i = 0; i < lp_count; i++) {
		if (&lps[i] != from && atomic_load(&lps[i].start) == LP_RUNNING)
			smp_kick(&lps[i], KICK_MC);
	}
}

void l1_mc_raise(struct lp *lp, uint64_t hpa, bool is_fetch)
{
	bool is_local = (lp->mc.mcg_ext_ctl & 1) != 0;

	emu_log("tdxemu: cpu%u L1 %s %#lx, which is %s: #MC, rip %#lx", lp->index,
		is_fetch ? "fetches from" : "accesses", hpa,
		l1_mem_owner(hpa) == NPT_MODULE ? "the TDX module's" : "not its memory",
		lp->l1->rip);
	lp->mc.status[BANK] = STATUS_SRAR | (is_fetch ? MCACOD_FETCH : MCACOD_DATA);
	lp->mc.addr[BANK] = hpa & ~UINT64_C(63);
	lp->mc.misc[BANK] = MISC_PHYSICAL_LINE;
	deliver(lp, MCG_RIPV | MCG_EIPV | (is_local ? MCG_LMCE : 0));
	if (!is_local)
		broadcast(lp);
}
