/* SPDX-License-Identifier: MIT */
/*
 * redoubt.cfg: `[redoubt]` and `[td NAME]` sections of `key = value` lines, `;` and `#`
 * comments. Pure and freestanding: the EFI loader, the kernel, the tools and the
 * fuzzer compile the same file. A mistake is reported with its line and what was
 * expected; the rest of the file still counts.
 *
 * A comment starts with `;` or `#` at the beginning of a line or after a blank, unless
 * inside double quotes; the quotes stay part of the value. So a kernel command line may
 * hold `a;b` and `dyndbg="x +p ; y +p"`, but not a bare ` ; `. Text outside comments is
 * printable ASCII, lines of at most 4094 characters end in LF or CR LF, a UTF-8 byte order mark
 * is skipped.
 *
 * Defaults: console = com1,115200; log = info; on-exit = poweroff; panic = halt; vcpus = 1;
 * memory = 512M; attributes = sept-ve-disable, without which Linux refuses to run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/log.h"
#include "core/power_action.h"
#include "vm/td_config.h"

#define CONFIG_MAX_TDS 16

struct config {
	uint16_t console_port; /* 0x3f8 for com1 */
	uint32_t console_baud;
	enum log_level log;
	enum power_action on_exit;
	enum power_action on_panic;
	struct td_config tds[CONFIG_MAX_TDS];
	unsigned td_count;
	unsigned autostart[CONFIG_MAX_TDS]; /* indices of tds, in the order of the file */
	unsigned autostart_count;
	unsigned error_count;
};

/* "redoubt.cfg:12: memory: expected SIZE like 512M, found '12x'"; valid during the call. */
typedef void (*config_error_fn)(void *ctx, const char *message);

/*
 * Parses `text` (not terminated) into *out, defaults for what is not said or wrong. Never
 * fails as a whole. A TD without a kernel is kept, so that it is known by its name, with
 * td_config.kernel empty. One call at a time. `on_error` may be NULL; it hears of the first 32
 * mistakes, out->error_count counts all.
 */
void config_parse(const char *text, size_t length, struct config *out, config_error_fn on_error,
		  void *ctx);

/* The TD of that name, or NULL. */
const struct td_config *config_find_td(const struct config *c, const char *name);

/* "error", "warn", "info" or "debug"; false if it is none of these. */
bool config_log_level(const char *word, enum log_level *level);
