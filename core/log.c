/* SPDX-License-Identifier: MIT */
#include "core/log.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "core/hw.h"
#include "core/spinlock.h"
#include "core/string.h"

#define LINE_MAX   240
#define LINE_COUNT 512
#define LOCK_SPINS 10000000

enum log_level log_threshold = LOG_INFO;

/*
 * The last LINE_COUNT lines. Protected by ring_lock, which is taken with interrupts off;
 * an NMI or machine check that hits its holder cannot wait for it, see lock_ring().
 */
static struct spinlock ring_lock = SPINLOCK_INIT;
static char ring[LINE_COUNT][LINE_MAX];
static atomic_uint_least64_t ring_next;

static _Atomic(log_sink_fn) log_sink;
static uint64_t (*_Atomic log_clock)(void);
static atomic_bool is_dying;

void log_set_sink(log_sink_fn sink) { atomic_store(&log_sink, sink); }
void log_set_clock(uint64_t (*now_us)(void)) { atomic_store(&log_clock, now_us); }
void log_set_dying(void) { atomic_store(&is_dying, true); }
bool log_is_dying(void) { return atomic_load(&is_dying); }

/*
 * Its holder may be a CPU that was stopped, or the code that a machine check interrupted:
 * a line that may tear the ring is then worth more than none, so waiting has an end.
 */
static void lock_ring(void) ACQUIRES(ring_lock) NO_LOCK_CHECK
{
	for (int i = 0; i < LOCK_SPINS && !atomic_load(&is_dying); i++) {
		if (!atomic_flag_test_and_set_explicit(&ring_lock.held, memory_order_acquire))
			return;
		hw_pause();
	}
}

static size_t format_line(char *line, const char *tag, const char *fmt, va_list ap)
	PRINTF_LIKE(3, 0);

static size_t format_line(char *line, const char *tag, const char *fmt, va_list ap)
{
	uint64_t (*clock)(void) = atomic_load(&log_clock);
	uint64_t us = clock == NULL ? 0 : clock();
	size_t head;
	size_t length;

	head = (size_t)format(line, LINE_MAX, "[%5lu.%06lu] cpu%u %s: ", us / 1000000,
			      us % 1000000, this_cpu(), tag);
	if (head >= LINE_MAX)
		head = LINE_MAX - 1;
	length = head + (size_t)format_v(line + head, LINE_MAX - head, fmt, ap);
	return length < LINE_MAX ? length : LINE_MAX - 1;
}

void log_write(enum log_level level, const char *tag, const char *fmt, ...)
{
	log_sink_fn sink = atomic_load(&log_sink);
	char line[LINE_MAX + 1];
	size_t length;
	bool irq;
	va_list ap;

	va_start(ap, fmt);
	length = format_line(line, tag, fmt, ap);
	va_end(ap);

	irq = hw_irq_save();
	lock_ring();
	memcpy(ring[ring_next % LINE_COUNT], line, length + 1);
	ring_next++;
	spin_unlock(&ring_lock);
	hw_irq_restore(irq);

	if (sink != NULL && level <= log_threshold) {
		line[length] = '\n';
		sink(line, length + 1);
	}
}

/* Copies line number *at, or the oldest that is left; false at the end. */
static bool copy_line(uint64_t *at, char *line)
{
	bool irq = hw_irq_save();
	bool found;

	lock_ring();
	if (ring_next > LINE_COUNT && *at < ring_next - LINE_COUNT)
		*at = ring_next - LINE_COUNT;
	found = *at < ring_next;
	if (found)
		memcpy(line, ring[*at % LINE_COUNT], LINE_MAX);
	spin_unlock(&ring_lock);
	hw_irq_restore(irq);
	return found;
}

uint64_t log_next(void) { return atomic_load(&ring_next); }

uint64_t log_replay(uint64_t from, void (*emit)(void *ctx, const char *line), void *ctx)
{
	char line[LINE_MAX];

	for (; copy_line(&from, line); from++)
		emit(ctx, line);
	return from;
}
