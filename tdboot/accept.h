/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * Accepts private [start, end), 4K aligned, 2M at a time where the host backs it so.
 * Pages that were accepted before keep their content. Ends the TD on any other answer.
 */
void accept_range(uint64_t start, uint64_t end);
