/* SPDX-License-Identifier: MIT */
#define LOG_TAG "boot"
#include "boot/early.h"

#include <stdalign.h>
#include <stdint.h>

#include "core/cpu_hw.h"
#include "core/log.h"
#include "core/trap.h"
#include "drivers/uart.h"

#define COM1       0x3f8U
#define BAUD       115200U
#define STACK_SIZE 4096U

/* Until guarded stacks exist; see boot/smp.c. */
static alignas(16) char first_ist[3][STACK_SIZE];

static uint64_t top(const char *stack) { return (uint64_t)stack + STACK_SIZE; }

void early_init(void)
{
	const struct cpu_stacks stacks = {top(first_ist[0]), top(first_ist[1]),
					  top(first_ist[2])};

	trap_init();
	cpu_init_this(0, &stacks);
	uart_init(COM1, BAUD);
	log_set_sink(uart_write);
}
