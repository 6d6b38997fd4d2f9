/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/addr.h"

/*
 * The only way from a physical address to a pointer: the direct map. Memory that
 * the TDX module owns is not mapped meaningfully; touching it is a machine check.
 * Hosted tests set the base to their arena.
 */
extern uintptr_t direct_map_base;

static inline void *phys_ptr(hpa_t at) { return (void *)(direct_map_base + at.raw); }
static inline hpa_t phys_of(const void *p) { return hpa((uintptr_t)p - direct_map_base); }
