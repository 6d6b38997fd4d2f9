/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * Copies the image [from, from + size) to `to` and adapts its absolute
 * addresses: the copy must work where it is, the original goes away.
 */
void relocate_image(uint64_t from, uint64_t to, uint64_t size);
