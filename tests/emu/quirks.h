/* SPDX-License-Identifier: MIT */
/* What this machine's SVM does its own way; tried out with tiny guests before anything else. */
#pragma once

/* Dies with EMU_EXIT_REFUSED on a CPU that cannot carry the emulator; else turns SVM on. */
void quirks_check_cpu(void);

/* Fills emu.cr4_read_icpt; refuses known-bad QEMUs. lps[0].l1 holds the present context. */
void quirks_probe(void);
