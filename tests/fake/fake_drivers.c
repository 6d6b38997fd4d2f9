/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/panic.h"
#include "drivers/power.h"
#include "drivers/timer.h"
#include "drivers/uart.h"
#include "mm/heap.h"
#include "tests/fake/fake.h"

#define TSC_KHZ 1000000U

static uint64_t armed[MAX_CPUS];
static char output[1 << 16];
static size_t output_length;
static const char *input = "";
static atomic_size_t heap_bytes;
static unsigned heap_countdown;
static bool is_heap_empty;

void timer_init(const struct acpi_info *acpi) { (void)acpi; }
void timer_init_this_cpu(void) {}
void timer_arm(uint64_t tsc) { armed[this_cpu()] = tsc; }
uint64_t timer_tsc_khz(void) { return TSC_KHZ; }
uint64_t timer_us_to_tsc(uint64_t us) { return us * (TSC_KHZ / 1000); }
uint64_t timer_now_us(void) { return hw_rdtsc() / (TSC_KHZ / 1000); }
void timer_delay_us(uint64_t us) { fake_set_tsc(hw_rdtsc() + timer_us_to_tsc(us)); }
uint64_t fake_timer_armed(unsigned cpu) { return armed[cpu]; }

void uart_init(uint16_t port, uint32_t baud)
{
	(void)port;
	(void)baud;
}

void uart_enable_interrupt(void) {}

void uart_write_raw(const char *bytes, size_t length)
{
	size_t room = sizeof(output) - 1 - output_length;
	size_t n = length < room ? length : room;

	memcpy(output + output_length, bytes, n);
	output_length += n;
	output[output_length] = '\0';
}

void uart_write(const char *text, size_t length) { uart_write_raw(text, length); }

const char *fake_uart_output(void) { return output; }

void fake_uart_clear(void)
{
	output_length = 0;
	output[0] = '\0';
}

void fake_uart_type(const char *text) { input = text; }
int uart_read(void) { return *input == '\0' ? -1 : (unsigned char)*input++; }

void power_end(enum power_action action, uint8_t code)
{
	printf("# power_end(%d, %u)\n", (int)action, code);
	fflush(stdout);
	exit(code);
}

void fake_heap_fail_at(unsigned n) { heap_countdown = n; }
void fake_heap_is_empty(bool is_empty) { is_heap_empty = is_empty; }

/* The C library's heap: AddressSanitizer watches it. The size is kept in front. */
void *heap_alloc(size_t size)
{
	size_t head = size >= 4096 ? 4096 : 16;
	void *p;

	if (is_heap_empty || (heap_countdown > 0 && --heap_countdown == 0))
		return NULL;
	if (posix_memalign(&p, head, head + size) != 0)
		return NULL;
	memset(p, 0, head + size);
	memcpy((char *)p + head - sizeof(size), &size, sizeof(size));
	atomic_fetch_add(&heap_bytes, size);
	return (char *)p + head;
}

/* With the size that it was asked for: the kernel's heap believes what it is told. */
void heap_free(void *p, size_t size)
{
	size_t allocated;

	if (p == NULL)
		return;
	memcpy(&allocated, (char *)p - sizeof(allocated), sizeof(allocated));
	if (allocated != size)
		panic("heap_free: %zu bytes, of %zu", size, allocated);
	atomic_fetch_sub(&heap_bytes, size);
	free((char *)p - (size >= 4096 ? 4096 : 16));
}

size_t heap_used(void) { return atomic_load(&heap_bytes); }
