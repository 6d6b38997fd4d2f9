/* SPDX-License-Identifier: MIT */
/*
 * The words of the shell: a table of commands, what they act on, and how they answer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/boot_info.h"
#include "core/compiler.h"
#include "core/status.h"
#include "mgmt/config.h"
#include "sha384/sha384.h"
#include "tdx/module.h"
#include "vm/vm.h"

/* A list of runs of memory, printed a few lines at a time. */
struct cmd_session;
struct cmd_listing {
	/* False at its end. */
	bool (*step)(struct cmd_session *s, const struct td *td);
	gpa_t at;            /* where it goes on */
	unsigned lines_left; /* a longer one ends with where the rest begins */
};

#define CMD_OUT_MAX 1024

struct cmd_session {
	/* Set by the owner; the rest starts as zero. */
	const struct boot_info *bi;
	const struct config *config;

	const char *word;                    /* the command's name */
	bool json;                           /* -j was given */
	const char *arg[2];                  /* NULL: not given */
	struct vm_info td;                   /* of CMD_TD */
	bool has_fields;                     /* of the record being printed */
	bool in_columns;                     /* the record is a line of a table for people */
	char attached[TD_NAME_MAX];          /* the TD whose console is joined, or "" */
	bool (*rest)(struct cmd_session *s); /* of a long command; false at its end */
	struct cmd_listing listing;
	char out[CMD_OUT_MAX]; /* a line is printed at once, so that log lines do not cut it */
	size_t out_length;
};

/*
 * Splits `line` in place and runs its command; every mistake is one line of output. Then
 * cmd_continue() is to be called until it returns false, before the next line: commands
 * that take long do their work there, a piece at a time.
 */
void cmd_execute(struct cmd_session *s, char *line);
bool cmd_continue(struct cmd_session *s);

/* Creates the TD if it is only configured, then starts it. One line in *why on failure. */
MUST_CHECK enum status cmd_start_td(struct cmd_session *s, const char *name,
				    struct vm_error *why);
