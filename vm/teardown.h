/* SPDX-License-Identifier: MIT */
/* How a TD ends: its vCPUs, its shared memory, its KeyID, then its pages in the background. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vm/object.h"

/* BSP: tears down TDs that ended by themselves, shows console output. Once per round. */
void teardown_bsp_work(void);

/*
 * BSP: stops and flushes all vCPUs, gives back shared memory and the KeyID, leaves the
 * pages to idle CPUs (vm/background.h). Works at every stage of vm_create(); does nothing if
 * that was done. STATUS_BUSY: nobody runs the TD any more, it counts as crashed, but the module
 * did not let go of the KeyID; call again.
 * STATUS_HW_FAULT when it refused: what it still holds is lost, counted as quarantined, and
 * logged.
 */
MUST_CHECK enum status teardown_begin(struct vm *vm);
