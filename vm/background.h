/* SPDX-License-Identifier: MIT */
/*
 * What idle CPUs do for TDs: the pages of dying ones are reclaimed, by several CPUs at once,
 * frames that living ones gave up are written back, and pages of these are promoted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vm/object.h"

/* BSP: waits for those who work for it; with its gate stopped nobody begins to write back. */
void background_settle(struct vm *vm);

/* Wakes all CPUs: there is much to do. */
void background_call_all(void);

/* Any CPU: works until `tsc` or, if that is past, one page; false when there is nothing to do.
 */
bool background_work_until(uint64_t tsc);
