/* SPDX-License-Identifier: MIT */
/* What holds whenever no operation is under way. */
#pragma once

/*
 * Mirror equals module for every entry; each frame has one owner, who knows it; the account
 * sums to the total; what is free here is free for the module; KeyIDs are accounted; the map
 * is what was converted; guests' data is there. fail() tells what is not so.
 */
void check_all(void);

/* Remembers what is free now; check_nothing_left() compares. */
void check_begin(void);
void check_nothing_left(void);
