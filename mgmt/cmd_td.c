/* SPDX-License-Identifier: MIT */
/* The words about TDs. */
#include "core/format.h"
#include "core/string.h"
#include "mgmt/cmd_table.h"

/* ---- Names ---- */

/* "unknown TD 'x', expected one of: web db", or that none is configured. */
static enum status explain_unknown(const struct cmd_session *s, const char *name,
				   struct vm_error *why)
{
	size_t n;

	if (s->config->td_count == 0)
		return explain(why, STATUS_NOT_FOUND,
			       "unknown TD '%.32s', expected a [td NAME] of redoubt.cfg, which "
			       "has none",
			       name);
	(void)explain(why, STATUS_OK, "unknown TD '%.32s', expected one of:", name);
	for (unsigned i = 0; i < s->config->td_count; i++) {
		n = strlen(why->text);
		(void)format(why->text + n, sizeof(why->text) - n, " %s",
			     s->config->tds[i].name);
	}
	return STATUS_NOT_FOUND;
}

bool cmd_find_td(struct cmd_session *s)
{
	const char *name = s->arg[0];
	struct vm_error why;

	if (vm_get(name, &s->td) == STATUS_OK)
		return true;
	if (config_find_td(s->config, name) != NULL)
		(void)explain(
			&why, STATUS_OK,
			"TD '%s' is not created, expected 'create %s' or 'start %s' before",
			name, name, name);
	else
		(void)explain_unknown(s, name, &why);
	cmd_print(s, "%s: %s\n", s->word, why.text);
	return false;
}

/* ---- Life ---- */

static enum status create_td(struct cmd_session *s, const char *name, struct vm_error *why)
{
	const struct td_config *config = config_find_td(s->config, name);
	struct vm_info info;

	if (config == NULL)
		return explain_unknown(s, name, why);
	if (config->kernel[0] == '\0')
		return explain(why, STATUS_BAD_ARG,
			       "redoubt.cfg:%u: expected a line kernel = FILE in [td %s]",
			       config->line, name);
	/* Its name is free again only when the last page of the one before is. */
	if (vm_get(name, &info) == STATUS_OK && info.state == VM_DYING)
		vm_finish_reclaim();
	return vm_create(config, why);
}

enum status cmd_start_td(struct cmd_session *s, const char *name, struct vm_error *why)
{
	struct vm_info info;
	enum status st = vm_get(name, &info);

	if (st != STATUS_OK || info.state == VM_DYING) {
		st = create_td(s, name, why);
		if (st != STATUS_OK)
			return st;
	}
	return vm_start(name, why);
}

void cmd_create(struct cmd_session *s)
{
	struct vm_error why;
	struct vm_info info;
	char mrtd[CMD_HEX_MAX];

	if (create_td(s, s->arg[0], &why) != STATUS_OK) {
		cmd_print(s, "create: %s\n", why.text);
		return;
	}
	if (vm_get(s->arg[0], &info) != STATUS_OK)
		return;
	cmd_hex(mrtd, info.mrtd, sizeof(info.mrtd));
	cmd_print(s, "%s created: MRTD %s, %lu SEAMCALLs\n", s->arg[0],
		  info.has_mrtd ? mrtd : "unknown", info.create_seamcalls);
}

void cmd_start(struct cmd_session *s)
{
	struct vm_error why;

	if (cmd_start_td(s, s->arg[0], &why) == STATUS_OK)
		cmd_print(s, "%s started\n", s->arg[0]);
	else
		cmd_print(s, "start: %s\n", why.text);
}

void cmd_destroy(struct cmd_session *s)
{
	struct vm_error why;

	if (vm_destroy(s->arg[0], &why) == STATUS_OK)
		cmd_print(s, "%s destroyed: its KeyID is free, its memory follows\n",
			  s->arg[0]);
	else
		cmd_print(s, "destroy: %s\n", why.text);
}

/* ---- Console ---- */

/* The rest is the shell's, whose keyboard and screen the TD gets. */
void cmd_console(struct cmd_session *s)
{
	cmd_print(s, "console of %s, Ctrl-] leaves it\n", s->td.name);
	(void)string_copy(s->attached, sizeof(s->attached), s->td.name);
}

/* ---- Reports ---- */

static void state_text(const struct vm_info *info, char *text, size_t size)
{
	if (info->state == VM_DYING)
		(void)format(text, size, "dying %u%%", info->dying_percent);
	else
		(void)string_copy(text, size, vm_state_name(info->state));
}

static void list_row(struct cmd_session *s, const char *state, const struct vm_info *info)
{
	cmd_row_begin(s);
	cmd_record_text(s, "name", info->name);
	cmd_record_text(s, "state", state);
	cmd_record_number(s, "vcpus", info->vcpus);
	cmd_record_number(s, "memory_mib", info->memory >> 20);
	cmd_record_number(s, "keyid", info->hkid);
	cmd_record_number(s, "exits", info->exits);
	cmd_record_text(s, "reason", info->reason);
	cmd_record_end(s);
}

void cmd_list(struct cmd_session *s)
{
	struct vm_info info;
	char state[16];

	if (!s->json)
		cmd_print(s, "%-16s %-16s %12s %12s %12s %12s %s\n", "NAME", "STATE", "VCPUS",
			  "MEMORY/MIB", "KEYID", "EXITS", "REASON");
	for (unsigned i = 0; vm_nth(i, &info); i++) {
		state_text(&info, state, sizeof(state));
		list_row(s, state, &info);
	}
	for (unsigned i = 0; i < s->config->td_count; i++) {
		const struct td_config *config = &s->config->tds[i];

		if (vm_get(config->name, &info) == STATUS_OK)
			continue;
		info = (struct vm_info){.vcpus = config->vcpus, .memory = config->memory};
		(void)string_copy(info.name, sizeof(info.name), config->name);
		list_row(s, "configured", &info);
	}
}

void cmd_td_info(struct cmd_session *s)
{
	const struct vm_info *info = &s->td;
	char state[16];

	state_text(info, state, sizeof(state));
	cmd_record_begin(s);
	cmd_record_text(s, "name", info->name);
	cmd_record_text(s, "state", state);
	cmd_record_text(s, "reason", info->reason[0] != '\0' ? info->reason : "-");
	cmd_record_number(s, "vcpus", info->vcpus);
	cmd_record_number(s, "memory_bytes", info->memory);
	cmd_record_number(s, "private_bytes", info->private_bytes);
	cmd_record_number(s, "shared_bytes", info->shared_bytes);
	cmd_record_number(s, "write_back_bytes", info->write_back_bytes);
	cmd_record_number(s, "quarantined_bytes", info->quarantined_bytes);
	cmd_record_number(s, "keyid", info->hkid);
	if (info->has_mrtd)
		cmd_record_hex(s, "mrtd", info->mrtd, sizeof(info->mrtd));
	cmd_record_number(s, "exits", info->exits);
	cmd_record_number(s, "seamcalls", info->seamcalls);
	cmd_record_number(s, "page_wbinvds", info->page_wbinvds);
	cmd_record_number(s, "wbinvds", info->wbinvds);
	cmd_record_number(s, "create_seamcalls", info->create_seamcalls);
	cmd_record_end(s);
}

static void exits_row(struct cmd_session *s, const char *reason, uint64_t count)
{
	cmd_row_begin(s);
	cmd_record_text(s, "reason", reason);
	cmd_record_number(s, "count", count);
	cmd_record_end(s);
}

void cmd_exits(struct cmd_session *s)
{
	for (unsigned i = 0; i < EXIT_KIND_COUNT; i++) {
		uint64_t count = s->td.exits_by_kind[i];

		if (count != 0)
			exits_row(s, exit_kind_name((enum exit_kind)i), count);
	}
	if (!s->json)
		exits_row(s, "total", s->td.exits);
}

void cmd_vcpu_list(struct cmd_session *s)
{
	struct vcpu_info vcpu;

	if (!s->json)
		cmd_print(s, "%12s %12s %12s %s\n", "VCPU", "CPU", "EXITS", "STATE");
	for (unsigned i = 0; vm_vcpu(s->arg[0], i, &vcpu); i++) {
		cmd_row_begin(s);
		cmd_record_number(s, "vcpu", i);
		cmd_record_number(s, "cpu", vcpu.cpu);
		cmd_record_number(s, "exits", vcpu.exits);
		cmd_record_text(s, "state", vcpu.state);
		cmd_record_end(s);
	}
}
