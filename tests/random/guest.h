/* SPDX-License-Identifier: MIT */
/*
 * What the guests do: accept memory, write to it, read it back, ask for conversions, take
 * interrupts and #VEs. Everything a guest wrote to a page that it accepted is remembered and
 * compared whenever it reads the page.
 */
#pragma once

#include "tests/model/tdx_model.h"
#include "tests/random/tenant.h"

/* The hosted machine's guest: goes on with the vCPU that `lp` names. */
void guest_run(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit);

/* What the host found out about the instruction that vCPU executes. */
bool guest_touches_own_page(struct tenant *t, unsigned vcpu);
void guest_drop_instruction(struct tenant *t, unsigned vcpu);

/* Every page that a guest owns still holds what it wrote, mapped or blocked. */
void guest_check_memory(struct tenant *t);
