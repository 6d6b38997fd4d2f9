/* SPDX-License-Identifier: MIT */
/* Between cmd.c and the files of the words, cmd_*.c. */
#pragma once

#include "mgmt/cmd.h"

struct cmd {
	const char *name;
	const char *arguments; /* as people write them, e.g. "NAME" */
	const char *help;
	unsigned min_args, max_args;
	bool has_json;
	void (*run)(struct cmd_session *s, unsigned argc, char *const argv[]);
};

extern const struct cmd cmd_table[];
extern const unsigned cmd_count;

const struct cmd *cmd_find(const char *name);

void cmd_print(struct cmd_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define CMD_TEXT_MAX 400 /* of one cmd_print(); more is cut */

/* One answer: "key value" lines for people, one JSON object on a line after -j. */
void cmd_record_begin(struct cmd_session *s);
void cmd_record_text(struct cmd_session *s, const char *key, const char *value);
void cmd_record_number(struct cmd_session *s, const char *key, uint64_t value);
void cmd_record_hex(struct cmd_session *s, const char *key, const uint8_t *bytes, size_t size);
void cmd_record_end(struct cmd_session *s);

#define CMD_HEX_MAX (2 * SHA384_DIGEST_SIZE + 1)

/* Lower-case hex of at most SHA384_DIGEST_SIZE bytes. */
void cmd_hex(char text[CMD_HEX_MAX], const uint8_t *bytes, size_t size);

/* cmd_td.c */
void cmd_list(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_create(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_start(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_destroy(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_console(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_td_info(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_exits(struct cmd_session *s, unsigned argc, char *const argv[]);

/* cmd_machine.c */
void cmd_version(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_info(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_mem(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_tdx_check(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_log(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_reboot(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_poweroff(struct cmd_session *s, unsigned argc, char *const argv[]);
void cmd_panic_test(struct cmd_session *s, unsigned argc, char *const argv[]);
