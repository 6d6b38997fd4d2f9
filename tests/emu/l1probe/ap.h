/* SPDX-License-Identifier: MIT */
/* The second CPU, once apic_tests have started it: it waits for tasks, interrupts on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Runs `task` there; false if it does not come back in time. */
bool ap_run(void (*task)(void));

/* Low word of the ICR, physical destination. */
void ap_send(uint32_t command);

/* INIT and SIPI do nothing to it, and it lives. */
bool ap_ignores_init(void);
