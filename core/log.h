/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/compiler.h"
#include "core/format.h"

/*
 * Error: we, the hardware or the configuration are wrong. Warn: a guest misbehaved.
 * Info: once per boot or TD. Debug: may contain guest data.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* A .c file defines LOG_TAG ("tdx", "vm", ...) before its first include. */
#ifndef LOG_TAG
#define LOG_TAG "hv"
#endif

/* Messages above this level are dropped; `log =` in redoubt.cfg and the shell's `log` set it.
 */
extern enum log_level log_threshold;

/*
 * Formats "[sec.usec] cpuN tag: message" into the ring and, if at or below the
 * threshold, to the sink. Callable in any context, also from interrupt handlers.
 */
void log_write(enum log_level level, const char *tag, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Who prints finished lines (the UART driver registers itself); NULL = ring only. */
typedef void (*log_sink_fn)(const char *text, size_t length);
void log_set_sink(log_sink_fn sink);

/* Source of the time stamps; without one they are zero. */
void log_set_clock(uint64_t (*now_us)(void));

/* The machine is dying and one CPU is left: no more waiting for locks that others may hold. */
void log_set_dying(void);
bool log_is_dying(void);

/* Lines are numbered from 0 on; the number of the next one. */
uint64_t log_next(void);

/* Calls `emit` once per line from number `from` on that is still in the ring, oldest first.
 * Returns the number of the one behind the last. */
uint64_t log_replay(uint64_t from, void (*emit)(void *ctx, const char *line), void *ctx);

/* A plain `if`, not `#if`: a disabled message is still type-checked. */
#define log_at(level, ...)                                                                     \
	do {                                                                                   \
		if ((level) <= log_threshold)                                                  \
			log_write((level), LOG_TAG, __VA_ARGS__);                              \
	} while (0)

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
