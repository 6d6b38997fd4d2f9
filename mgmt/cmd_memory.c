/* SPDX-License-Identifier: MIT */
/* The words about memory and KeyIDs. */
#include "core/string.h"
#include "mgmt/cmd_table.h"
#include "mm/frame.h"
#include "tdx/td_report.h"

#define LINES_MAX      512U /* of one answer; the operator asks for more */
#define STEPS_PER_POLL 16U

/* ---- mem ---- */

void cmd_mem(struct cmd_session *s)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t write_back = 0;
	struct vm_info info;

	frame_account(bytes);
	for (unsigned i = 0; vm_nth(i, &info); i++)
		write_back += info.write_back_bytes;
	cmd_record_begin(s);
	for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++)
		cmd_record_number(s, frame_owner_name((enum frame_owner)i), bytes[i]);
	cmd_record_number(s, "total", frame_total());
	cmd_record_number(s, "write_back", write_back);
	cmd_record_number(s, "tdx_free_4k", frame_free_tdx(LEVEL_4K));
	cmd_record_number(s, "tdx_free_2m", frame_free_tdx(LEVEL_2M));
	cmd_record_number(s, "keyids_free", tdx_keyid_free_count());
	cmd_record_end(s);
}

/* ---- hkid ---- */

void cmd_hkid(struct cmd_session *s)
{
	const struct tdx_module_info *m = tdx_module_info();
	unsigned free_count = tdx_keyid_free_count();
	unsigned held = 0;
	struct vm_info info;

	for (unsigned i = 0; vm_nth(i, &info); i++)
		held += info.hkid != 0;
	cmd_record_begin(s);
	cmd_record_number(s, "global_keyid", m->global_keyid);
	cmd_record_number(s, "keyids", m->keyid_count);
	cmd_record_number(s, "keyids_free", free_count);
	cmd_record_number(s, "keyids_of_tds", held);
	cmd_record_number(s, "keyids_lost", m->keyid_count - free_count - held);
	cmd_record_end(s);
	for (unsigned i = 0; vm_nth(i, &info); i++) {
		if (info.hkid == 0)
			continue;
		cmd_row_begin(s);
		cmd_record_number(s, "keyid", info.hkid);
		cmd_record_text(s, "td", info.name);
		cmd_record_end(s);
	}
}

/* ---- GPAs ---- */

/* Hexadecimal, with or without 0x. */
static bool parse_gpa(const char *text, gpa_t *out)
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	return string_to_number(text, 16, UINT64_MAX, &out->raw);
}

/*
 * The TD of a word whose second argument may be a GPA, *at, 0 by default. Otherwise NULL, and a
 * line says what is wrong.
 */
static struct td *begin(struct cmd_session *s, gpa_t *at)
{
	struct td *td;

	*at = gpa(0);
	if (s->arg[1] != NULL && !parse_gpa(s->arg[1], at)) {
		cmd_print(s, "%s: expected a GPA like 0x200000, found '%.40s'\n", s->word,
			  s->arg[1]);
		return NULL;
	}
	td = vm_td(s->td.name);
	if (td == NULL)
		cmd_print(s, "%s: '%s' is %s, expected a TD that is created or running\n",
			  s->word, s->td.name, vm_state_name(s->td.state));
	s->listing.lines_left = LINES_MAX;
	return td;
}

/* The next steps of a list, whose TD may have ended meanwhile. */
static bool continue_list(struct cmd_session *s)
{
	const struct td *td = vm_td(s->td.name);

	if (td == NULL)
		cmd_print(s, "%s: '%s' ended before the list did\n", s->word, s->td.name);
	for (unsigned i = 0; i < STEPS_PER_POLL && td != NULL; i++)
		if (!s->listing.step(s, td))
			return false;
	return td != NULL;
}

static void begin_list(struct cmd_session *s, gpa_t at,
		       bool (*step)(struct cmd_session *s, const struct td *td))
{
	s->listing.at = at;
	s->listing.step = step;
	s->rest = continue_list;
}

/* Counts a line of a list and begins it, or says where the rest begins: then false. */
static bool begin_line(struct cmd_session *s, gpa_t from, gpa_t to, const char *size_title,
		       const char *last_title)
{
	struct cmd_listing *l = &s->listing;

	if (l->lines_left == 0) {
		cmd_record_begin(s);
		cmd_record_gpa(s, "more_from", from);
		cmd_record_end(s);
		return false;
	}
	if (l->lines_left-- == LINES_MAX && !s->json)
		cmd_print(s, "%-16s %-16s %12s %s\n", "FROM", "TO", size_title, last_title);
	cmd_row_begin(s);
	cmd_record_gpa(s, "from", from);
	cmd_record_gpa(s, "to", to);
	return true;
}

/* ---- sept ---- */

static bool sept_step(struct cmd_session *s, const struct td *td)
{
	struct td_small_run run;

	if (s->listing.at.raw >= td->params.ram_high_end.raw)
		return false;
	if (!td_next_small_run(td, &s->listing.at, &run))
		return true;
	if (!begin_line(s, run.from, run.to, "PAGES/4K", "REASON"))
		return false;
	cmd_record_number(s, "pages_4k", run.pages);
	cmd_record_text(s, "reason", td_small_reason_text(run.reason));
	cmd_record_end(s);
	return true;
}

void cmd_sept(struct cmd_session *s)
{
	gpa_t at;
	const struct td *td = begin(s, &at);

	if (td == NULL)
		return;
	cmd_record_begin(s);
	cmd_record_number(s, "pages_1g", atomic_load(&td->sept.leaf_count[LEVEL_1G]));
	cmd_record_number(s, "pages_2m", atomic_load(&td->sept.leaf_count[LEVEL_2M]));
	cmd_record_number(s, "pages_4k", atomic_load(&td->sept.leaf_count[LEVEL_4K]));
	cmd_record_number(s, "private_bytes", sept_present_bytes(&td->sept));
	cmd_record_number(s, "sept_pages", atomic_load(&td->sept.table_count));
	cmd_record_end(s);
	begin_list(s, gpa(align_down(at.raw, SIZE_2M)), sept_step);
}

/* ---- gpa ---- */

static bool gpa_step(struct cmd_session *s, const struct td *td)
{
	struct td_gpa_run run;

	if (!td_next_gpa_run(td, s->listing.at, &run) ||
	    !begin_line(s, run.from, run.to, "BYTES", "KIND"))
		return false;
	cmd_record_number(s, "bytes", run.to.raw - run.from.raw);
	cmd_record_text(s, "kind", run.kind == GPA_PRIVATE ? "private" : "shared");
	cmd_record_end(s);
	s->listing.at = run.to;
	return true;
}

/* One GPA of RAM; false otherwise. */
static bool describe(struct cmd_session *s, struct td *td, gpa_t at)
{
	struct td_gpa_run run;
	char text[96];

	if (!td_next_gpa_run(td, at, &run) || run.from.raw != at.raw) {
		cmd_print(s, "gpa: 0x%lx is no RAM of '%s'\n", at.raw, s->td.name);
		return false;
	}
	td_describe_gpa(td, at, text, sizeof(text));
	cmd_record_begin(s);
	cmd_record_gpa(s, "gpa", at);
	cmd_record_text(s, "page", text);
	cmd_record_end(s);
	return true;
}

void cmd_gpa(struct cmd_session *s)
{
	gpa_t at;
	struct td *td = begin(s, &at);

	if (td == NULL || (s->arg[1] != NULL && !describe(s, td, at)))
		return;
	if (s->arg[1] == NULL) {
		cmd_record_begin(s);
		cmd_record_number(s, "map_bytes", gpa_map_bytes_used(&td->map));
		cmd_record_number(s, "map_bytes_held", gpa_map_bytes_held(&td->map));
		cmd_record_end(s);
	}
	begin_list(s, gpa(align_down(at.raw, SIZE_4K)), gpa_step);
}
