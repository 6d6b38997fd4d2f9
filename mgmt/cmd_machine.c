/* SPDX-License-Identifier: MIT */
/* The words about the machine. */
#include "core/cpu.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/string.h"
#include "drivers/power.h"
#include "drivers/timer.h"
#include "mgmt/cmd_table.h"
#include "mgmt/version.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "tdx/tdmr_init.h"

/* What a requested end writes to the exit port; QEMU's exit status is then 33. */
#define EXIT_CODE_REQUESTED 16

/* ---- version, info ---- */

static void module_version(const struct tdx_module_info *m, char *text, size_t size)
{
	if (m->is_ready)
		(void)format(text, size, "%u.%u.%02u, build %u", m->major, m->minor, m->update,
			     m->build_date);
	else
		(void)format(text, size, "none");
}

void cmd_version(struct cmd_session *s)
{
	char text[48];

	module_version(tdx_module_info(), text, sizeof(text));
	cmd_print(s, "Redoubt " REDOUBT_VERSION "\nTDX module %s\n", text);
}

static void print_machine(struct cmd_session *s)
{
	const struct tdx_module_info *m = tdx_module_info();
	char text[CMD_TEXT_MAX];

	cmd_record_begin(s);
	cmd_record_text(s, "redoubt", REDOUBT_VERSION);
	cmd_record_text(s, "boot", s->bi->boot_path);
	cmd_record_number(s, "uptime_us", timer_now_us());
	cmd_record_number(s, "cpus", cpu_count);
	cmd_record_number(s, "packages", package_count);
	cmd_record_number(s, "memory_bytes", frame_total());
	cmd_record_number(s, "heap_bytes", heap_used());
	(void)format(text, sizeof(text), "refused: %s", m->refusal);
	cmd_record_text(s, "tdx", m->is_ready ? "ready" : text);
	if (m->is_ready) {
		module_version(m, text, sizeof(text));
		cmd_record_text(s, "module", text);
		(void)format(text, sizeof(text), "%#lx", m->features0);
		cmd_record_text(s, "features0", text);
		cmd_record_number(s, "cmrs", m->cmr_count);
		cmd_record_number(s, "tdmrs", m->tdmr_count);
		cmd_record_number(s, "tdmr_bytes", m->tdmr_bytes);
		cmd_record_number(s, "tdmr_initialised_bytes", tdmr_init_done_bytes());
		cmd_record_number(s, "tdmr_failed_bytes", tdmr_init_failed_bytes());
		cmd_record_number(s, "pamt_bytes", m->pamt_bytes);
		cmd_record_number(s, "global_keyid", m->global_keyid);
		cmd_record_number(s, "keyids", m->keyid_count);
		cmd_record_number(s, "keyids_free", tdx_keyid_free_count());
		cmd_record_number(s, "ready_seamcalls", m->ready_seamcalls);
	}
	cmd_record_number(s, "seamcalls", tdx_seamcall_count());
	cmd_record_end(s);
}

static void print_boot_module(struct cmd_session *s, const struct boot_module *module)
{
	cmd_row_begin(s);
	cmd_record_text(s, "file", module->name);
	cmd_record_number(s, "bytes", module->size);
	cmd_record_hex(s, "sha384", vm_file_digest(module), SHA384_DIGEST_SIZE);
	cmd_record_end(s);
}

static bool continue_info(struct cmd_session *s)
{
	const struct boot_info *bi = s->bi;

	for (unsigned i = 0; i < bi->module_count; i++) {
		if (vm_file_digest(&bi->modules[i]) == NULL)
			return true;
	}
	for (unsigned i = 0; i < bi->module_count; i++)
		print_boot_module(s, &bi->modules[i]);
	return false;
}

void cmd_info(struct cmd_session *s)
{
	print_machine(s);
	s->rest = continue_info;
}

/* ---- tdx-check ---- */

static void check_row(void *ctx, const struct tdx_check *row)
{
	struct cmd_session *s = ctx;
	const char *result = row->ok ? "ok" : "missing";

	if (!s->json) {
		cmd_print(s, "%-7s %s: found %s, needed %s%s%s\n", result, row->name,
			  row->found, row->needed, row->ok || row->hint[0] == '\0' ? "" : "; ",
			  row->ok ? "" : row->hint);
		return;
	}
	cmd_record_begin(s);
	cmd_record_text(s, "check", row->name);
	cmd_record_text(s, "result", result);
	cmd_record_text(s, "found", row->found);
	cmd_record_text(s, "needed", row->needed);
	cmd_record_text(s, "hint", row->hint);
	cmd_record_end(s);
}

void cmd_tdx_check(struct cmd_session *s)
{
	const struct tdx_module_info *m = tdx_module_info();

	tdx_check_each(check_row, s);
	if (s->json)
		return;
	if (m->is_ready)
		cmd_print(s, "TDX is ready\n");
	else
		cmd_print(s, "TDX is refused: %s\n", m->refusal);
}

/* ---- log ---- */

static void log_line(void *ctx, const char *line) { cmd_print(ctx, "%s\n", line); }

void cmd_log(struct cmd_session *s)
{
	if (s->arg[0] == NULL)
		(void)log_replay(0, log_line, s);
	else if (config_log_level(s->arg[0], &log_threshold))
		cmd_print(s, "log level %s\n", s->arg[0]);
	else
		cmd_print(s, "log: expected error, warn, info or debug, found '%.40s'\n",
			  s->arg[0]);
}

/* ---- The end ---- */

static void end_machine(enum power_action action)
{
	vm_shutdown_all();
	tdx_module_stop();
	power_end(action, EXIT_CODE_REQUESTED);
}

void cmd_reboot(struct cmd_session *s)
{
	cmd_print(s, "rebooting\n");
	end_machine(POWER_REBOOT);
}

void cmd_poweroff(struct cmd_session *s)
{
	cmd_print(s, "powering off\n");
	end_machine(s->config->on_exit);
}

void cmd_panic_test(struct cmd_session *s)
{
	(void)s;
	panic("asked for by panic-test");
}
