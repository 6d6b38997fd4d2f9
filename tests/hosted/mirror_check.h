/* SPDX-License-Identifier: MIT */
#pragma once

#include "tdx/td.h"

/*
 * Compares every entry of the TD's mirror with TDH.MEM.SEPT.RD: level, state, frame, and
 * that each frame's owner kind is right. Differences fail the running test.
 */
void mirror_check(struct td *td);
