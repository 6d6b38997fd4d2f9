/* SPDX-License-Identifier: MIT */
/* The last exits of each CPU, for the panic screen. */
#pragma once

#include "vm/object.h"

/* Registers what prints them. */
void exit_log_init(void);

/* Notes one on this CPU: five stores. */
void exit_log_note(const struct vcpu *v, tdx_status_t s);
