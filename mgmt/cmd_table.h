/* SPDX-License-Identifier: MIT */
/* Between cmd.c and the files of the words, cmd_*.c. */
#pragma once

#include "mgmt/cmd.h"

#define CMD_JSON 1U /* knows -j */
#define CMD_TD   2U /* its first argument is a TD that exists: s->td */

struct cmd {
	const char *name;
	const char *usage; /* the arguments, at most two; optional if in brackets */
	const char *help;
	unsigned flags;
	void (*run)(struct cmd_session *s);
};

void cmd_print(struct cmd_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define CMD_TEXT_MAX 400 /* of one cmd_print(); more is cut */

/*
 * One answer: "key value" lines for people, one JSON object on a line after -j. A row is
 * a line of values for people, in columns of CMD_TEXT_WIDTH and CMD_NUMBER_WIDTH.
 */
#define CMD_TEXT_WIDTH   16
#define CMD_NUMBER_WIDTH 12
void cmd_record_begin(struct cmd_session *s);
void cmd_row_begin(struct cmd_session *s);
void cmd_record_text(struct cmd_session *s, const char *key, const char *value);
void cmd_record_number(struct cmd_session *s, const char *key, uint64_t value);
void cmd_record_gpa(struct cmd_session *s, const char *key, gpa_t value);
void cmd_record_hex(struct cmd_session *s, const char *key, const uint8_t *bytes, size_t size);
void cmd_record_end(struct cmd_session *s);

#define CMD_HEX_MAX (2 * SHA384_DIGEST_SIZE + 1)

/* Lower-case hex of at most SHA384_DIGEST_SIZE bytes. */
void cmd_hex(char text[CMD_HEX_MAX], const uint8_t *bytes, size_t size);

/* Takes the TD of the first argument into s->td, if it exists; otherwise a line says what does.
 */
bool cmd_find_td(struct cmd_session *s);

/* cmd_td.c */
void cmd_list(struct cmd_session *s);
void cmd_create(struct cmd_session *s);
void cmd_start(struct cmd_session *s);
void cmd_destroy(struct cmd_session *s);
void cmd_console(struct cmd_session *s);
void cmd_td_info(struct cmd_session *s);
void cmd_exits(struct cmd_session *s);
void cmd_vcpu_list(struct cmd_session *s);

/* cmd_memory.c */
void cmd_mem(struct cmd_session *s);
void cmd_sept(struct cmd_session *s);
void cmd_gpa(struct cmd_session *s);
void cmd_hkid(struct cmd_session *s);

/* cmd_machine.c */
void cmd_version(struct cmd_session *s);
void cmd_info(struct cmd_session *s);
void cmd_tdx_check(struct cmd_session *s);
void cmd_log(struct cmd_session *s);
void cmd_reboot(struct cmd_session *s);
void cmd_poweroff(struct cmd_session *s);
void cmd_panic_test(struct cmd_session *s);
