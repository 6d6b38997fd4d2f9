/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The loop every CPU ends in: drain the mailbox, poll, pick the next vCPU of this
 * CPU's queue, TDH.VP.ENTER, handle the exit, again; sleep when there is nothing.
 */
_Noreturn void cpu_loop(void);

/* Called once per round of the BSP's loop, interrupts enabled; must not block. The shell
 * registers itself. */
void cpu_loop_set_poll(void (*poll)(void));
